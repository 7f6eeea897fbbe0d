"""How the time of a sweep grows with its runs, its windows and its processes."""

import os
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib.study import grid, studies
from ppglib.study.engine import complete
from ppglib.task import LENGTH
from ppglib.windows import Windows

WINDOWS, ROUNDS = 10_000, 3  # windows while something else varies; rounds of all


def growth() -> pd.DataFrame:
    """Seconds of small sweeps (1 block, 2 epochs): one row per thing varied and value, medians of ROUNDS.

    expected: the seconds of the smallest value, scaled as the work is (or divided, for processes).
    """
    cores = os.cpu_count() or 1
    runs = 2 * cores
    cases = [("runs", n, n, WINDOWS, cores) for n in (cores, 2 * cores, 4 * cores)]
    cases += [("windows", n, runs, n, cores) for n in (WINDOWS // 2, WINDOWS, 2 * WINDOWS)]
    cases += [("processes", n, runs, WINDOWS, n) for n in (1, cores)]
    seconds = {case: [] for case in cases}
    for _ in range(ROUNDS):
        for case in cases:
            sweep_seconds(case[4], 500, case[4])  # starts as many workers, which takes seconds
            seconds[case].append(sweep_seconds(*case[2:]))
    rows = [
        {
            "varied": varied,
            "value": value,
            "seconds": np.median(s),
            "low": min(s),
            "high": max(s),
            "n": len(s),
        }
        for (varied, value, *_), s in seconds.items()
    ]
    table = pd.DataFrame(rows)
    first = table.groupby("varied").transform("first")
    ratio = table.value / first.value
    expected = first.seconds * ratio.where(table.varied != "processes", 1 / ratio)
    return table.assign(expected=expected)


def sweep_seconds(runs: int, windows: int, processes: int) -> float:
    """Wall time of a sweep of `runs` 1-block networks on noise: nothing is learned, everything is done."""
    study = replace(studies.read("open"), name="growth", students=[1], teachers=[], swept=[], also=[])
    study = replace(study, strategies=["scratch"], folds=[0], seeds=runs, more_seeds=1, epochs=2)
    noise = fake_windows(windows)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        begun = time.perf_counter()
        complete("growth", grid.runs(study), noise, Path(folder), processes)
        return time.perf_counter() - begun


def fake_windows(n: int, people: int = 10) -> Windows:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"start": np.arange(n) * 50, "hr": rng.uniform(60, 180, n)})
    person = pd.Series(np.arange(n) * people // n).astype(str)
    table = table.assign(dataset="noise", person=person, recording=person, activity="", second=0.0)
    signal = rng.standard_normal(50 * n + LENGTH).astype(np.float32)
    return Windows(signal, table.assign(simulated=True), pd.DataFrame(), pd.DataFrame())
