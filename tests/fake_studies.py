"""Small studies without their training: windows of noise, made-up predictions, and notebooks run in this process."""

import ast

import nbformat
import numpy as np
import tiny_study

from ppglib import metrics, windows
from ppglib.files import NOTEBOOKS
from ppglib.recordings import Recording
from ppglib.results import bootstrap, plots
from ppglib.splits import split
from ppglib.study import engine, groups, prepare
from ppglib.task import CENTRES

SECONDS, RATE = 60, 25.0
SHOWN = ("03", "04", "05", "06", "08", "09")  # notebooks that show a user's study
DEFAULTS = {
    "recipe": "mine", "datasets": ["own"], "students": [1, 2], "teachers": [2, 4], "strategies": ["scratch", "dkd"],
    "swept": ["soft"], "folds": [0, 1], "seeds": 1, "epochs": 2,
}  # fmt: skip


def write(folder, **keys) -> str:
    """The path of a study file: DEFAULTS with these keys; a key that is None is left out."""
    path = folder / "mine.toml"
    path.write_text(tiny_study.text(DEFAULTS, **keys), encoding="utf-8")
    return str(path)


def noise(people: dict[str, int]) -> windows.Windows:
    """A minute of noise of so many people in each set, with heart rates, through the windowing that all sets go."""
    rng, made = np.random.default_rng(0), []
    for dataset, count in people.items():
        for i in range(count):
            hr, ppg = rng.uniform(60, 170) + rng.normal(0, 3, SECONDS // 2), rng.normal(size=(1, int(SECONDS * RATE)))
            made.append(Recording(dataset, f"P{i}", f"P{i}", ppg, RATE, hr))
    return windows.build(made)


def predicted(runs, given: windows.Windows, taught):
    """In the place of `groups.train_runs`: records as if the networks had found each heart rate up to some error."""
    yield from ((None, record_of(run, given)) for run in runs)


def record_of(run, given: windows.Windows) -> dict:
    rows, test = split(given, run.fold, run.split)
    rng = np.random.default_rng([run.seed, run.fold, run.student, run.teacher, *run.strategy.encode()])
    table = given.table.iloc[test]
    said = table.hr.to_numpy()[:, None] + rng.normal(0, 3 + 4 / run.student, (len(table), 1))
    said = np.exp(-(((CENTRES - said) / 6) ** 2) / 2) + 1e-9
    about = {
        "curve": [2.0] * dict(run.constants)["epochs"], "teacher_py": 0.1 if run.teacher else None, "parameters": 9,
        "n_train": len(rows), "n_test": len(test), "people_test": len(table[["dataset", "person"]].drop_duplicates()),
        "steps": 1, "seconds": 0.1, "precision": "float32", "simulated": False, "device": "none", "torch": "none",
        "permuted": [],
    }  # fmt: skip
    return metrics.measure(said / said.sum(1, keepdims=True), table) | about


def without_training(monkeypatch, people: dict[str, int]) -> None:
    """Every study is of `noise`, learns as `predicted`, has few draws, and its figures are drawn but not written."""
    given = noise(people)
    monkeypatch.setattr(prepare, "study_windows", lambda *_: given)
    for name, value in {"train_runs": predicted, "save_network": lambda *_: None, "outputs": lambda *_: None}.items():
        monkeypatch.setattr(groups, name, value)
    monkeypatch.setattr(engine, "to_do", lambda every, digest, folder: every)
    monkeypatch.setattr(bootstrap, "DRAWS", 40)
    monkeypatch.setattr(plots.Plot, "save", lambda self, out: self)


def run_notebook(number: str, **parameters) -> list[str]:
    """Run the code cells of a notebook in this process, with these parameters; what each shows, as text.

    An error says which cell it was in."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    names, shown = {"__name__": "__main__"}, []
    for i, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type == "code":
            where, tree = f"{path.name}, cell {i}", ast.parse(cell.source)
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            try:
                exec(compile(tree, where, "exec"), names)
                value = eval(compile(ast.Expression(last.value), where, "eval"), names) if last else None
                shown += [repr(value)] if value is not None else []
                getattr(value, "_repr_html_", str)()  # as Jupyter renders it
            except Exception as error:
                raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
            names |= parameters if "parameters" in cell.metadata.get("tags", []) else {}
    return shown
