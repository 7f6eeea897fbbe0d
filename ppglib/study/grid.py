"""The grid of a study: every network to train, what decides its weights, and who teaches it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import product
from operator import attrgetter

from ppglib.resnet1d import Design
from ppglib.splits import PARTS, fold_count
from ppglib.strategies import STRATEGIES
from ppglib.study.studies import Study, members, networks
from ppglib.windows import Windows

# What every network depends on, in the order that ids are hashed in; the constants of its strategy follow.
RECIPE = ("epochs", "batch", "rate", "schedule", "dropout", "precision")


@dataclass(frozen=True)
class Run:
    """One network to train: what decides its weights, and nothing else. Sizes are in blocks."""

    study: str
    recipe: str
    split: str
    strategy: str
    student: int
    teacher: int  # 0: none
    fold: int
    seed: int
    constants: tuple[tuple[str, object], ...]
    design: Design | None = None  # of a student that is not the paper's
    teacher_design: Design | None = None

    def id(self, windows_digest: str) -> str:
        """Readable slug and a short hash of everything that decides the result."""
        decides = {key: value for key, value in asdict(self).items() if value is not None}
        content = json.dumps([decides, windows_digest], sort_keys=True)
        code = hashlib.sha256(content.encode()).hexdigest()[:10]
        split = "" if self.split == "person" else f"-{self.split}"
        student, teacher = (
            f"{size}_{own.name}" if own else size
            for size, own in ((self.student, self.design), (self.teacher, self.teacher_design))
        )
        return f"{self.strategy}-s{student}-t{teacher}-f{self.fold}-r{self.seed}{split}-{code}"

    @property
    def network(self) -> Design:
        return self.design or Design(self.student)

    def get(self, constant: str):
        return dict(self.constants)[constant]


def runs(study: Study, windows: Windows | None = None) -> list[Run]:
    """Every network of the study and its members, each once: first those that teach, then by falling cost.

    windows: of the study; folds for which they have no people are left out."""
    every = [run for member in members(study) for run in _grid(member, windows)]
    teaching = {teacher for run in every for teacher in teachers_of(run)}
    rest = attrgetter("study", "split", "seed", "strategy", "teacher", "fold")
    names = lambda run: [design.name if design else "" for design in (run.design, run.teacher_design)]  # noqa: E731
    cost = lambda run: (run not in teaching, -run.network.macs)  # noqa: E731
    place = lambda run: (run.teacher > 0, *cost(run), rest(run), names(run))  # noqa: E731
    return sorted(teaching.union(every), key=place)


def places(study: Study, windows: Windows | None = None) -> list[tuple[str, int]]:
    """Splits and folds of a study without its members; with `windows` those alone for which they have people."""
    every = product(study.splits, study.folds)
    return [(kind, fold) for kind, fold in every if windows is None or fold < fold_count(windows, kind)]


def _grid(study: Study, windows: Windows | None) -> list[Run]:
    sizes, none = networks(study.students, study.designs), [None]
    own = networks([], study.teacher_designs)
    largest = [Design(max(study.teachers))] if study.teachers else []
    seeds = {(size, "scratch", None): study.seeds for size in [*map(Design, study.teachers), *own]}
    for size, strategy in product(sizes, study.swept):
        taught = STRATEGIES[strategy].teacher
        for teacher in [*map(Design, study.teachers), *own] if taught else none:
            seeds[size, strategy, teacher] = study.seeds
    for size, strategy in product(sizes, study.strategies):
        more = study.more_seeds if size.blocks in study.more_seeds_at else 0
        for teacher in [*largest, *own] if STRATEGIES[strategy].teacher else none:
            seeds[size, strategy, teacher] = max(study.seeds, more)
    return [
        make_run(study, split, strategy, size, teacher, fold, seed)
        for (size, strategy, teacher), count in seeds.items()
        for (split, fold), seed in product(places(study, windows), range(count))
    ]


def make_run(study: Study, split, strategy, student: Design, teacher: Design | None, fold, seed) -> Run:
    names = RECIPE + STRATEGIES[strategy].constants
    constants = tuple((name, getattr(study, name)) for name in names)
    blocks = student.blocks, teacher.blocks if teacher else 0
    other = [design if design and design != Design(design.blocks) else None for design in (student, teacher)]
    return Run(study.name, study.recipe, split, strategy, *blocks, fold, seed, constants, *other)


def teachers_of(run: Run) -> list[Run]:
    """The runs that trained this run's teacher: from scratch, seed 0, same fold, split and recipe.

    One, or for out-of-fold logits one for each part of the training people."""
    if run.teacher == 0:
        return []
    splits = PARTS if STRATEGIES[run.strategy].teacher == "out of fold" else (run.split,)
    constants = tuple((name, value) for name, value in run.constants if name in RECIPE)
    first, rest = (run.study, run.recipe), ("scratch", run.teacher, 0, run.fold, 0, constants)
    return [Run(*first, split, *rest, run.teacher_design) for split in splits]
