"""A study: one flat TOML file that says what to train, on which recordings, and with which constants."""

import tomllib
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path

from ppglib import files
from ppglib.files import InputError, instead_of, short
from ppglib.recordings import READERS
from ppglib.resnet1d import Design, dilations_for
from ppglib.splits import FIFTHS, FOLDS, TUNING, once_each
from ppglib.strategies import STRATEGIES, TRAINING, Constants, bounded, check

BUILT_IN = Path(__file__).parent
LARGEST = 1e5  # bytes of a study file
MOST, MOST_FOLDS = 100_000, 100  # networks of a study, and folds: more would be years of training


@dataclass(frozen=True, kw_only=True)
class Study(Constants):
    """What a study file may say; every key is checked. Sizes are numbers of blocks."""

    name: str
    recipe: str
    datasets: list[str]
    students: list[int] = bounded((), 1, 40)
    designs: list[dict] = ()  # further students: what is not as in the paper, see `design`
    teachers: list[int] = bounded((), 1, 40)
    teacher_designs: list[dict] = ()
    strategies: list[str]  # taught by the largest teacher, and by every one of `teacher_designs`
    swept: list[str] = ()  # taught by every teacher, with `seeds` seeds
    folds: list[int]  # or a number: so many folds that test each person once, leaving out one by one at most
    seeds: int = bounded(MISSING, 1, 1000)
    epochs: int = bounded(MISSING, 1, 10_000)
    more_seeds: int = bounded(1, 1, 1000)  # seeds of `strategies` at `more_seeds_at`, if more than `seeds`
    more_seeds_at: list[int] = bounded((), 1, 40)
    splits: list[str] = ("person",)
    dropout: float = bounded(0.5, 0.0, 0.95)
    also: list[str] = ()  # other studies on the same recordings that belong to this one
    simulate_people: list[int] = bounded((), 3, 1000)  # per dataset: simulate them instead of reading recordings
    simulate_minutes: float = bounded(5.0, 0.5, 1000.0)


def networks(sizes: list[int], designs: list[dict]) -> list[Design]:
    """The paper's networks of these sizes, and the designs of these tables of a study file."""
    return [*map(Design, sizes), *map(design, designs)]


def design(given: dict) -> Design:
    """A design from its table in a study file; `field` in seconds may stand for dilations that reach so far.

    Raises ValueError for what makes no network, TypeError for a word that is no part of a design."""
    given = dict(given)
    if type(blocks := given.get("blocks")) is not int or not 1 <= blocks <= 40:
        raise ValueError(f"blocks must be a whole number from 1 to 40, not {blocks!r}")
    if "field" in given:
        if type(given["field"]) not in (int, float) or given.keys() & {"dilations", "pieces"}:
            raise ValueError("field is a number of seconds, without dilations or pieces beside it")
        shape = {key: given[key] for key in ("kernels", "strides") if key in given}
        given["dilations"] = dilations_for(given.pop("field"), given["blocks"], **shape)
    return Design(**given)


def read(name: str) -> Study:
    """The study of that name that comes with the library, or the study file at that path.

    Raises InputError for an unknown name, an unreadable file, an unknown key, a wrong type or
    an impossible value, in it or in a study that it takes along."""
    study = _read(name)
    members(study)
    return study


def _read(name: str) -> Study:
    path = Path(name) if name.endswith(".toml") else BUILT_IN / f"{name}.toml"
    if not path.is_file():
        known = sorted(path.stem for path in BUILT_IN.glob("*.toml"))
        raise InputError(f"There is no study {name!r}, built in or as a .toml file: {instead_of(name, known)}")
    try:
        content = tomllib.loads(files.read(path, LARGEST).decode("utf-8-sig"))  # Windows' editors begin with a mark
    except (ValueError, RecursionError) as error:  # ValueError: of TOML, UTF-8, and a number of thousands of digits
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is no valid TOML file: {str(error)[:200]}.") from None
    known = {f.name: f for f in fields(Study) if f.name != "name"}
    for key, value in content.items():
        if key not in known:
            raise InputError(f"{path}: unknown key {short(key)}: {instead_of(key, known)}")
        number = key == "folds" and type(value) is int  # seen to below
        content[key] = value if number else _typed(path, key, value, known[key].type)
    missing = [k for k, f in known.items() if f.default is MISSING and k not in content]
    if missing:
        raise InputError(f"{path} lacks the key {missing[0]!r}.")
    also = [str(path.parent / o) if o.endswith(".toml") else o for o in content.get("also", [])]
    study = Study(name=files.name(path.stem, f"name of the study file {path}"), **content | {"also": also})
    study = study if isinstance(study.folds, list) else _each_once(path, study)
    _check(path, study)
    return study


def _each_once(path: Path, study: Study) -> Study:
    """A study whose `folds` is a number, with the split and the folds that this means."""
    if not 2 <= study.folds <= MOST_FOLDS or list(study.splits) != ["person"]:
        rule = f"as a number it is from 2 to {MOST_FOLDS}, of a study that splits by person alone"
        raise InputError(f"{path}: folds is {study.folds}, but {rule}.")
    return replace(study, splits=[f"{FOLDS}{study.folds}"], folds=[*range(study.folds)])


def _typed(path: Path, key: str, value, kind):
    if kind is float and type(value) is int and abs(value) < 1e300:
        return float(value)
    inner = getattr(kind, "__args__", (None,))[0]
    good = isinstance(value, list) and all(type(v) is inner for v in value) if inner else type(value) is kind
    if not good:
        spelled = f"a list of {inner.__name__}" if inner else f"of type {kind.__name__}"
        raise InputError(f"{path}: {key} must be {spelled}, not {short(value)}.")
    return value


def _check(path: Path, study: Study) -> None:
    check(study, f"{path}: ")
    files.name(study.recipe, f"recipe of {path}")
    choices = {"datasets": READERS, "strategies": STRATEGIES, "swept": STRATEGIES}
    once = once_each(study.splits[0]) if len(study.splits) == 1 else 0
    choices["folds"] = range(once or 2)
    choices["splits"] = ("person", "shuffled", FIFTHS, TUNING, *(f"without-{dataset}" for dataset in study.datasets))
    choices["splits"] += (f"{FOLDS}{once}",) * bool(once)
    for key, allowed in choices.items():
        for value in getattr(study, key):
            if value not in allowed:
                raise InputError(f"{path}: {key} has {short(value)}; possible are {', '.join(map(str, allowed))}.")
    for key in ("designs", "teacher_designs"):
        for table in getattr(study, key):
            try:
                design(table)
            except (ValueError, TypeError) as error:
                raise InputError(f"{path}: {key} has {short(table)}, which is no network: {str(error)[:300]}.") from None
    lists = {key: getattr(study, key) for key in ("datasets", "folds", "strategies", "splits")}
    lists["students or designs"] = networks(study.students, study.designs)
    for key, values in lists.items():
        if not values or len(set(values)) < len(values):
            raise InputError(f"{path}: {key} must name at least one thing and none twice, not {short(values)}.")
    asks = {name: STRATEGIES[name].teacher for name in sorted([*study.strategies, *study.swept])}
    for name, teacher in asks.items():
        if teacher and not [*study.teachers, *study.teacher_designs]:
            raise InputError(f"{path}: {name} needs a teacher, but teachers is empty.")
        if teacher == "out of fold" and list(study.splits) != ["person"]:
            raise InputError(f"{path}: {name} divides training people of two folds, so splits must be by person alone.")
    if study.folds != [0] and any(split == TUNING or split.startswith("without-") for split in study.splits):
        raise InputError(f"{path}: a set that is held out whole, or {TUNING}, has no folds, so folds must be [0].")
    sizes = {network.blocks for network in lists["students or designs"]}
    if set(study.more_seeds_at) - sizes or (study.more_seeds > 1) != bool(study.more_seeds_at):
        raise InputError(f"{path}: more_seeds is for sizes more_seeds_at, which must be among the students.")
    several = len(study.teachers) + len(study.teacher_designs)
    each = len(study.swept) * max(1, several) * study.seeds
    each += len(study.strategies) * (1 + len(study.teacher_designs)) * max(study.seeds, study.more_seeds)
    planned = (several * study.seeds + len(lists["students or designs"]) * each) * len(study.splits) * len(study.folds)
    if planned > MOST:
        raise InputError(f"{path} asks for up to {planned:,} networks: name fewer sizes or seeds, {MOST:,} at most.")
    if study.simulate_people and len(study.simulate_people) != len(study.datasets):
        raise InputError(f"{path}: simulate_people needs one number for each of the datasets.")


def _alike(one: Study, other: Study) -> bool:
    """Whether training and the strategies that both have depend on the same constants."""
    shared = {*one.strategies, *one.swept} & {*other.strategies, *other.swept}
    names = {*TRAINING, "dropout"}.union(*(STRATEGIES[name].constants for name in shared))
    return all(getattr(one, name) == getattr(other, name) for name in names)


def members(study: Study) -> list[Study]:
    """The study and those that it takes along.

    Raises InputError if one is on other recordings, or has the recipe and a split of another with a network of
    it, other constants or other folds: what they train would not be distinguishable in the tables."""
    found, recordings = [study], lambda s: (s.datasets, s.simulate_people, s.simulate_minutes)
    has = lambda s: {*networks([*s.students, *s.teachers], [*s.designs, *s.teacher_designs])}  # noqa: E731
    for name in study.also:
        other = _read(name)
        if recordings(other) != recordings(study) or other.also or other.name in {s.name for s in found}:
            other = "another study, once, on the same recordings and without `also`"
            raise InputError(f"{study.name} names {name} in `also`: that must be {other}.")
        for earlier in found:
            same_split = earlier.recipe == other.recipe and set(earlier.splits) & set(other.splits)
            if same_split and (
                has(earlier) & has(other) or not _alike(earlier, other) or earlier.folds != other.folds
            ):
                clash = f"{study.name} takes {other.name} along, with the recipe and a split of {earlier.name}"
                rest = "that is only for the same constants and folds and other networks, so give one another recipe"
                raise InputError(f"{clash}: {rest}.")
        found.append(other)
    return found
