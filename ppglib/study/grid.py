"""The grid of a study: every network to train, what decides its weights, and who teaches it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import product
from operator import attrgetter

from ppglib.splits import PARTS
from ppglib.strategies import STRATEGIES
from ppglib.study.studies import Study, members

# What every network depends on, in the order that ids are hashed in; the constants of its strategy follow.
RECIPE = ("epochs", "batch", "rate", "schedule", "dropout", "precision")


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


def runs(study: Study) -> list[Run]:
    """Every network of the study and its members, each once: first those that teach, then by falling cost."""
    every = [run for member in members(study) for run in _grid(member)]
    teaching = {teacher for run in every for teacher in teachers_of(run)}
    rest = attrgetter("study", "split", "seed", "strategy", "teacher", "fold")
    place = lambda run: (run.teacher > 0, run not in teaching, -run.student, rest(run))  # noqa: E731
    return sorted(teaching.union(every), key=place)


def _grid(study: Study) -> list[Run]:
    largest = max(study.teachers, default=0)
    seeds = {(size, "scratch", 0): study.seeds for size in study.teachers}
    for size, strategy, teacher in product(study.students, study.swept, study.teachers):
        seeds[size, strategy, _taught_by(strategy, teacher)] = study.seeds
    for size, strategy in product(study.students, study.strategies):
        more = study.more_seeds if size in study.more_seeds_at else 0
        seeds[size, strategy, _taught_by(strategy, largest)] = max(study.seeds, more)
    return [
        make_run(study, split, strategy, size, teacher, fold, seed)
        for (size, strategy, teacher), count in seeds.items()
        for split, fold, seed in product(study.splits, study.folds, range(count))
    ]


def _taught_by(strategy: str, teacher: int) -> int:
    return teacher if STRATEGIES[strategy].teacher else 0


def make_run(study: Study, split, strategy, student, teacher, fold, seed) -> Run:
    names = RECIPE + STRATEGIES[strategy].constants
    constants = tuple((name, getattr(study, name)) for name in names)
    return Run(study.name, study.recipe, split, strategy, student, teacher, fold, seed, constants)


def teachers_of(run: Run) -> list[Run]:
    """The runs that trained this run's teacher: from scratch, seed 0, same fold, split and recipe.

    One, or for out-of-fold logits one for each part of the training people."""
    if run.teacher == 0:
        return []
    splits = PARTS if STRATEGIES[run.strategy].teacher == "out of fold" else (run.split,)
    constants = tuple((name, value) for name, value in run.constants if name in RECIPE)
    first, rest = (run.study, run.recipe), ("scratch", run.teacher, 0, run.fold, 0, constants)
    return [Run(*first, split, *rest) for split in splits]
