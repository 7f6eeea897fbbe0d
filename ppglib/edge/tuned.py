"""int8 that was trained for: a few more epochs in which every number is rounded as int8 rounds it, and the two choices about
int8, both made on the tuning people (`splits.TUNING`, whom neither fold tests) with networks that were trained without them.

The choices: whether the head is rounded, and for how many epochs and at which rate a network is trained on."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ppglib import files
from ppglib.edge import host, table
from ppglib.edge.extra import spread
from ppglib.edge.rounded import HEADS, Rounded
from ppglib.fast import keep_memory
from ppglib.results.students import FAMILY
from ppglib.splits import TUNING, split
from ppglib.study import engine, grid, studies
from ppglib.study.grid import Run
from ppglib.study.studies import Study
from ppglib.training import train
from ppglib.windows import Windows, gather

EPOCHS, RATE = 3, 1e-4  # with the least MAE (argmax, mean over the networks) of what was `tried`
TRIED_EPOCHS, TRIED_RATES = (1, 3), (1e-5, 1e-4)
TRIED_ON = ("large", "medium", "small", "tiny")  # the longest first; `largest` would take as long as these together
TUNED_ON = ("tiny", "small", "large")  # likewise, what is fine-tuned to choose epochs and rate
TUNED = "fine-tuned"  # kind of errors, beside those of `table.tested`


def fine_tune(rounded: Rounded, windows: Windows, rows: np.ndarray, sigma: float, seed: int, epochs: int, rate: float, each: Callable) -> Rounded:
    """Train on the windows at `rows` by Gaussian labels, as before but at a small constant rate.

    After each epoch the ends of the maps are found anew, and `each` is called with its number."""
    torch.set_num_threads(1)
    keep_memory()
    torch.manual_seed(seed)
    epoch = count(1)

    def after(_) -> None:
        rounded.eval().calibrate()
        each(next(epoch))

    what = {"epochs": epochs, "rate": rate, "schedule": "constant", "sigma": sigma, "precision": "float32"}
    return train(rounded, windows, rows, "gaussian", seed=seed, progress=after, **what)


def choose(out: Path, study: Study, windows: Windows, work: Path, jobs: int) -> None:
    """Write tuning.csv, what was tried on the tuning people: EPOCHS and RATE are what it says."""
    family = {table.name_of(design): design for design in studies.networks([], study.designs)}
    runs = [grid.make_run(study, TUNING, "gaussian", family[name], None, 0, 0) for name in TRIED_ON]
    engine.complete(f"{study.name}, tuning people", runs, windows, work, jobs)
    rows = spread(jobs, tried, [(run, study, windows, work) for run in runs])
    files.write_table(out / "tuning.csv", pd.DataFrame(rows))


def main(out: Path, study: Study, windows: Windows, work: Path, jobs: int) -> None:
    """Write tuned.csv, what the choice brings the family on the test people."""
    runs = [run for run in grid.runs(study) if table.name_of(run.network) in FAMILY]  # the longest first
    rows = spread(jobs, tested_rows, [(run, study, windows, work) for run in runs])
    files.write_table(out / "tuned.csv", pd.DataFrame(rows))


def tried(run: Run, study: Study, windows: Windows, work: Path) -> list[dict]:
    """Mean errors of the tuning people in float32, in int8 with each of HEADS, and of TUNED_ON after so many epochs at each rate."""
    student, (train_rows, test_rows) = table.made(run, windows, work), split(windows, run.fold, run.split)
    x = gather(windows.signal, windows.table.start.to_numpy()[test_rows])
    found = []

    def keep(network, head: str, epochs: int, rate: float) -> None:
        about = {"network": student.name, "head": head, "epochs": epochs, "rate": rate}
        found.extend(table.person(about, table.by_torch(network, x), windows, test_rows))

    keep(student.network, "float32", 0, 0.0)
    for head in HEADS:
        keep(Rounded(student.ops, student.drawn, head), head, 0, 0.0)
    for rate in TRIED_RATES if student.name in TUNED_ON else ():
        rounded = Rounded(student.ops, student.drawn, dropout=study.dropout)
        each = lambda epoch, n=rounded, r=rate: keep(n, n.head, epoch, r) if epoch in TRIED_EPOCHS else None  # noqa: E731
        fine_tune(rounded, windows, train_rows, study.sigma, run.fold, max(TRIED_EPOCHS), rate, each)
    return found


def tested_rows(run: Run, study: Study, windows: Windows, work: Path) -> list[dict]:
    """Mean errors of the fold's test people in int8 (C) after fine-tuning on its training people."""
    student, (train_rows, test_rows) = table.made(run, windows, work), split(windows, run.fold, run.split)
    rounded = Rounded(student.ops, student.drawn, dropout=study.dropout)
    fine_tune(rounded, windows, train_rows, study.sigma, run.fold, EPOCHS, RATE, lambda _: None)
    x = gather(windows.signal, windows.table.start.to_numpy()[test_rows])
    logits = host.predict(table.int8_code(rounded.operations(), student.drawn), x)
    return table.person({"network": student.name, "fold": run.fold, "kind": TUNED}, logits, windows, test_rows)
