"""A study: one flat TOML file that says what to train, on which recordings, and with which constants."""

import hashlib
import json
import tomllib
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path

from ppglib.errors import InputError
from ppglib.recordings import READERS

BUILT_IN = Path(__file__).parent / "studies"
# The constants that a strategy's loss depends on; the others do not enter the identity of its runs.
CONSTANTS = {
    "scratch": (),
    "hard": (),
    "soft": ("soft_temperature",),
    "dkd": ("dkd_temperature", "alpha", "beta", "warm_up"),
    "feature": ("feature_weight",),
    "soft8": ("dkd_temperature", "beta", "warm_up"),
    "gaussian": ("sigma",),
}
NO_TEACHER = ("scratch", "gaussian")
TRAINING = ("epochs", "batch", "rate", "schedule", "dropout", "precision")


@dataclass(frozen=True)
class Study:
    """What a study file may say; every key is checked. Sizes are numbers of blocks."""

    name: str
    recipe: str
    datasets: list[str]
    students: list[int]
    teachers: list[int]  # the largest one teaches every strategy, the others only those in `swept`
    strategies: list[str]
    swept: list[str]
    folds: list[int]
    seeds: int
    epochs: int
    more_seeds: int = 1  # seeds at the sizes in `more_seeds_at`, if more than `seeds`
    more_seeds_at: list[int] = ()
    splits: list[str] = ("person",)
    batch: int = 128
    rate: float = 5e-4
    schedule: str = "constant"
    dropout: float = 0.5
    precision: str = "auto"
    soft_temperature: float = 4.0
    dkd_temperature: float = 4.0
    alpha: float = 1.0
    beta: float = 8.0
    warm_up: float = 1 / 12  # share of the epochs
    feature_weight: float = 1.0
    sigma: float = 2.0  # BPM
    simulate_people: list[int] = ()  # per dataset: simulate them instead of reading recordings
    simulate_minutes: float = 5.0


@dataclass(frozen=True)
class Run:
    """One network to train: what decides its weights, and nothing else."""

    study: str
    recipe: str
    split: str
    strategy: str
    student: int
    teacher: int  # 0: none
    fold: int
    seed: int
    constants: tuple[tuple[str, object], ...]

    def id(self, windows_digest: str) -> str:
        """Readable slug and a short hash of everything that decides the result."""
        content = json.dumps([asdict(self), windows_digest], sort_keys=True)
        code = hashlib.sha256(content.encode()).hexdigest()[:10]
        split = "" if self.split == "person" else f"-{self.split}"
        return f"{self.strategy}-s{self.student}-t{self.teacher}-f{self.fold}-r{self.seed}{split}-{code}"

    def get(self, constant: str):
        return dict(self.constants)[constant]


def read(name: str) -> Study:
    """The study of that name that comes with the library, or the study file at that path.

    Raises InputError for an unknown name, an unreadable file, an unknown key, a wrong type or
    an impossible value.
    """
    path = Path(name) if name.endswith(".toml") else BUILT_IN / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in BUILT_IN.glob("*.toml")))
        raise InputError(
            f"There is no study {name!r}: choose from {known}, or give the path of a .toml file."
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no valid TOML file: {error}.") from None
    known = {f.name: f for f in fields(Study) if f.name != "name"}
    for key, value in content.items():
        if key not in known:
            raise InputError(f"{path}: unknown key {key!r}; a study has {', '.join(known)}.")
        content[key] = _typed(path, key, value, known[key].type)
    missing = [k for k, f in known.items() if f.default is MISSING and k not in content]
    if missing:
        raise InputError(f"{path} lacks the key {missing[0]!r}.")
    study = Study(name=path.stem, **content)
    _check(path, study)
    return study


def _typed(path: Path, key: str, value, kind):
    if kind is float and type(value) is int:
        return float(value)
    inner = getattr(kind, "__args__", (None,))[0]
    good = isinstance(value, list) and all(type(v) is inner for v in value) if inner else type(value) is kind
    if not good:
        spelled = f"a list of {inner.__name__}" if inner else f"of type {kind.__name__}"
        raise InputError(f"{path}: {key} must be {spelled}, not {value!r}.")
    return value


def _check(path: Path, study: Study) -> None:
    choices = {
        "datasets": (study.datasets, READERS),
        "strategies": (study.strategies, CONSTANTS),
        "swept": (study.swept, CONSTANTS),
        "schedule": ([study.schedule], ("constant", "one-cycle")),
        "precision": ([study.precision], ("auto", "float32", "bfloat16")),
        "splits": (study.splits, ("person", "shuffled")),
        "folds": (study.folds, (0, 1)),
    }
    for key, (values, allowed) in choices.items():
        for value in values:
            if value not in allowed:
                raise InputError(f"{path}: {key} has {value!r}; possible are {', '.join(map(str, allowed))}.")
    for key in ("datasets", "students", "folds", "strategies", "splits"):
        values = getattr(study, key)
        if not values or len(set(values)) < len(values):
            raise InputError(f"{path}: {key} must name at least one thing and none twice, not {values}.")
    needs_teacher = set(study.strategies + study.swept) - set(NO_TEACHER)
    if needs_teacher and not study.teachers:
        raise InputError(f"{path}: {sorted(needs_teacher)[0]} needs a teacher, but teachers is empty.")
    limits = {
        "students": (1, 40), "teachers": (1, 40), "more_seeds_at": (1, 40), "seeds": (1, 1000),
        "more_seeds": (1, 1000), "epochs": (1, 10_000), "batch": (2, 65_536), "rate": (1e-8, 10.0),
        "dropout": (0.0, 0.95), "soft_temperature": (0.01, 1000.0), "dkd_temperature": (0.01, 1000.0),
        "alpha": (0.0, 1000.0), "beta": (0.0, 1000.0), "warm_up": (0.0, 1.0), "sigma": (0.1, 100.0),
        "feature_weight": (0.0, 1e6), "simulate_people": (3, 1000), "simulate_minutes": (0.5, 1000.0),
    }  # fmt: skip
    for key, (low, high) in limits.items():
        value = getattr(study, key)
        for v in value if isinstance(value, list | tuple) else [value]:
            if not low <= v <= high:
                raise InputError(f"{path}: {key} must lie between {low} and {high}, not {v}.")
    if study.simulate_people and len(study.simulate_people) != len(study.datasets):
        raise InputError(f"{path}: simulate_people needs one number for each of the datasets.")


def runs(study: Study) -> list[Run]:
    """Every network of the study, each once: first those that teach, then by falling cost."""
    teacher = max(study.teachers, default=0)
    wanted = {(size, "scratch", 0) for size in study.teachers}
    for size in study.students:
        for strategy in study.strategies:
            wanted.add((size, strategy, 0 if strategy in NO_TEACHER else teacher))
        for strategy in study.swept:
            wanted |= {(size, strategy, 0 if strategy in NO_TEACHER else t) for t in study.teachers}
    grid = [
        make_run(study, split, strategy, size, taught_by, fold, seed)
        for size, strategy, taught_by in wanted
        for split in study.splits
        for fold in study.folds
        for seed in range(_seeds(study, size))
    ]
    return sorted(
        grid, key=lambda r: (r.teacher > 0, r.student not in study.teachers, -r.student, *_order(r))
    )


def make_run(study: Study, split, strategy, student, teacher, fold, seed) -> Run:
    names = TRAINING + CONSTANTS[strategy]
    constants = tuple((name, getattr(study, name)) for name in names)
    return Run(study.name, study.recipe, split, strategy, student, teacher, fold, seed, constants)


def teacher_of(run: Run) -> Run | None:
    """The run that trained this run's teacher: from scratch, seed 0, same fold, split and recipe."""
    if run.teacher == 0:
        return None
    constants = tuple((name, value) for name, value in run.constants if name in TRAINING)
    return Run(run.study, run.recipe, run.split, "scratch", run.teacher, 0, run.fold, 0, constants)


def _seeds(study: Study, size: int) -> int:
    return max(study.seeds, study.more_seeds) if size in study.more_seeds_at else study.seeds


def _order(run: Run) -> tuple:
    return run.split, run.seed, run.strategy, run.teacher, run.fold
