"""The tuned recipe: every setting that was tried, on people whom no test sees.

`python -m ppglib tune` calls `tune`. The choice falls on the mean MAE (argmax) of a 1- and an 8-block
network over the people of `splits.TUNING`: a fourth of fold 0's training people, tested in neither
fold. (Some of those whom the candidates are trained on are tested in fold 1; no choice sees how well.)
Rate, dropout and epochs are chosen with networks from scratch and are then the same for all.
More than 20 epochs are no candidate, so that both recipes cost the same. Rates, temperatures,
sigmas and the noise of dense windows go on until the error rises again."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd

from ppglib.files import InputError
from ppglib.resnet1d import Design
from ppglib.splits import TUNING
from ppglib.strategies import STRATEGIES
from ppglib.study import records
from ppglib.study.engine import complete
from ppglib.study.grid import Run, make_run
from ppglib.study.studies import Study, networks
from ppglib.windows import Windows

SIZES = (1, 8)
AROUND = (0.03, 0.1, 0.3)  # rates, with DROPOUTS, at which a recipe is checked
RATES, DROPOUTS, EPOCHS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1), (0.0, 0.2), (10, 20)
TUNED = {
    "soft": ("soft_temperature", (0.5, 1.0, 2.0, 4.0)),
    "dkd": ("dkd_temperature", (0.5, 1.0, 2.0, 4.0)),  # soft8 takes the same
    "gaussian": ("sigma", (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)),
    "dense_scratch": ("dense_noise", (0.0, 0.03, 0.1)),  # dense_soft takes the same
}
TRIED = ["schedule", "rate", "dropout", "epochs", *(constant for constant, _ in TUNED.values())]
MEASURED = ["mae", "mae_expectation", "mae_median", "nll"]


def tune(study: Study, windows: Windows, folder: Path, jobs: int, dask: str | None = None) -> pd.DataFrame:
    """One row per step, setting and size, with `chosen`: the recipe is what the chosen rows say.

    study: gives everything that is not tuned; its own recipe stands in the table for comparison."""
    if not study.teachers:
        raise InputError(f"Study {study.name} has no teachers, so there is no temperature to tune.")
    where = windows, folder, jobs, dask
    base = replace(study, name=f"{study.name}_tuning", recipe="candidate")
    settings = [replace(base, schedule="one-cycle", rate=r, dropout=d) for r, d in product(RATES, DROPOUTS)]
    best, recipe = compare("rate and dropout", "scratch", [base, *settings], where)
    settings = [replace(best, epochs=epochs) for epochs in EPOCHS]
    best, length = compare("epochs", "scratch", settings, where)
    tables = [recipe, length]
    for strategy, (constant, values) in TUNED.items():
        settings = [replace(best, **{constant: value}) for value in values]
        tables.append(compare(constant, strategy, settings, where)[1])
    return pd.concat(tables, ignore_index=True)


def check(study: Study, windows: Windows, folder: Path, jobs: int, dask: str | None = None) -> pd.DataFrame:
    """Whether a recipe favours one of the study's networks: each at the rates AROUND and all DROPOUTS.

    A row per setting and network, with `design` and `chosen`: the best setting of that network."""
    where = windows, folder, jobs, dask
    base = replace(study, name=f"{study.name}_tuning", recipe="candidate")
    settings = [replace(base, rate=rate, dropout=share) for rate, share in product(AROUND, DROPOUTS)]
    tables = []
    for network in networks(study.students, study.designs):
        table = compare("check of the recipe", study.strategies[0], settings, where, [network])[1]
        table.insert(table.columns.get_loc("student") + 1, "design", network.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def compare(
    step: str, strategy: str, settings: list[Study], where: tuple, tried_on: list[Design] | None = None
) -> tuple[Study, pd.DataFrame]:
    """The setting with the lowest mean MAE over some networks (by default SIZES), and a row for each of both."""
    windows, folder, *_ = where
    tried_on = tried_on or [*map(Design, SIZES)]
    grid = {(i, design): run_of(s, strategy, design) for i, s in enumerate(settings) for design in tried_on}
    complete(f"{step}, {strategy}", list(grid.values()), *where)
    rows = []
    for (i, design), run in grid.items():
        record = records.read(folder, run.id(windows.digest()))
        tried = {name: getattr(settings[i], name) for name in TRIED}
        about = {"step": step, "setting": i, "strategy": strategy, "student": design.blocks, "teacher": run.teacher}
        rows.append(about | tried | {name: record[name] for name in ("n_train", "n_test", *MEASURED)})
    table = pd.DataFrame(rows)
    best = table.groupby("setting").mae.mean().idxmin()
    return settings[best], table.assign(chosen=table.setting == best)


def run_of(setting: Study, strategy: str, student: Design) -> Run:
    teacher = Design(max(setting.teachers)) if STRATEGIES[strategy].teacher else None
    return make_run(setting, TUNING, strategy, student, teacher, 0, 0)
