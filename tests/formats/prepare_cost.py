"""What making windows costs: seconds and memory for people of the published size, in every form.

`PYTHONPATH=tests python -m formats.prepare_cost OUT`. The recordings are simulated, in the published formats and sizes; each
measurement is a fresh process, so that its peak memory is its own.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from formats import dalia_files, galaxy_files, wildppg_files
from ppglib import recordings, windows
from ppglib.files import write_table
from ppglib.study.records import versions

DALIA_MINUTES, WILDPPG_MINUTES, GALAXY_MINUTES = 150.0, 810.0, 60.0  # of one person, as published
PEOPLE = (1, 2, 4)
REPEATS = 3
GIB = 2**30


def main(out: Path) -> pd.DataFrame:
    """Measure, print, and write `out`/prepare.csv: one row per form, people and repeat."""
    rows = []
    print(f"{'form':32s} people  hours  files GiB  seconds  peak GiB  (median of {REPEATS})", flush=True)
    for form, dataset, people, hours, make in _cases():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            make(root / dataset)
            size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) / GIB
            found = [measure(dataset, root) for _ in range(REPEATS)]
        rows += [
            {"form": form, "dataset": dataset, "people": people, "hours": hours, "files_gib": size} | one
            for one in found
        ]
        seconds, peak = (np.median([one[key] for one in found]) for key in ("seconds", "peak_gib"))
        print(f"{form:32s} {people:6d} {hours:6.1f} {size:10.2f} {seconds:8.2f} {peak:9.2f}", flush=True)
    table = pd.DataFrame(rows).assign(**versions())
    _print_growth(table)
    write_table(out / "prepare.csv", table)
    return table


def _cases():
    """(form, dataset, people, hours, function that writes the files into a folder)."""
    for people in PEOPLE:
        yield ("PPG-DaLiA, pickles of protocol 2", *_dalia(people, "tree", False))
    yield ("PPG-DaLiA, pickles of protocol 0", *_dalia(1, "tree", True))  # their size is the published one
    yield ("PPG-DaLiA, zip in a zip", *_dalia(1, "outer", True))
    hours = WILDPPG_MINUTES / 60
    yield (
        "WildPPG, raw",
        "wildppg",
        1,
        hours,
        lambda folder: wildppg_files.write(folder, wildppg_files.people(1, WILDPPG_MINUTES)),
    )
    hours = GALAXY_MINUTES / 60
    yield (
        "GalaxyPPG, zip",
        "galaxyppg",
        1,
        hours,
        lambda folder: galaxy_files.write(folder, galaxy_files.people(1, GALAXY_MINUTES)),
    )


def _dalia(people: int, form: str, text: bool) -> tuple[str, int, float, Callable]:
    def make(folder: Path) -> None:
        dalia_files.write(folder, dalia_files.people(people, DALIA_MINUTES), form, text)

    return "ppg_dalia", people, people * DALIA_MINUTES / 60, make


def measure(dataset: str, root: Path) -> dict[str, float]:
    """Windows, wall seconds, processor seconds and peak memory (GiB) of preparing `dataset`, in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_prepare, dataset, root).result()


def _prepare(dataset: str, root: Path) -> dict[str, float]:
    wall, processor = time.perf_counter(), time.process_time()
    made = windows.build(recordings.load(dataset, root))
    return {
        "windows": len(made.table),
        "seconds": time.perf_counter() - wall,
        "processor_seconds": time.process_time() - processor,
        "peak_gib": _peak_bytes() / GIB,
    }


def _peak_bytes() -> int:
    """Peak resident memory of this process alone: Linux's own counter; getrusage includes the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _print_growth(table: pd.DataFrame) -> None:
    """Seconds as a power of hours over the series of 1, 2 and 4 people: 1 is linear."""
    series = (
        table[table.form == "PPG-DaLiA, pickles of protocol 2"].groupby("hours").median(numeric_only=True)
    )
    for column in ("seconds", "processor_seconds"):
        power = np.polyfit(np.log(series.index), np.log(series[column]), 1)[0]
        per_hour = (series[column] / series.index).round(3).tolist()
        print(f"{column} per hour at {PEOPLE} people: {per_hour}; {column} ~ hours^{power:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
