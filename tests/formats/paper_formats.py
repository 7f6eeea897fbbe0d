"""Simulated recordings in the published formats of the paper's three sets, faults and all."""

from pathlib import Path

import numpy as np
import pandas as pd

from formats import dalia_files, galaxy_files, wildppg_files
from ppglib import simulate
from ppglib.files import InputError
from ppglib.recordings import SIMULATED

MOST = 15  # people with data in the smallest set, PPG-DaLiA


def write(root: str | Path, people: int = 5, minutes: float = 8.0, seed: int = 0) -> None:
    """Write `people` simulated people of each of PPG-DaLiA, WildPPG and GalaxyPPG into a new folder."""
    if not 1 <= people <= MOST or minutes * 60 < 30:
        raise InputError(
            f"{people} people and {minutes} minutes: choose 1 to {MOST} people and at least 0.5."
        )
    first = 100_000 * seed + 50_000  # other people than those of the open sets' formats
    root = Path(root)
    if root.exists() and any(root.iterdir()):
        raise InputError(f"Cannot write {root} (it is not empty): choose another folder.")
    dalia_files.write(root / "ppg_dalia", dalia_files.people(people, minutes, first))
    wildppg_files.write(root / "wildppg", wildppg_files.people(people, minutes, first + 100))
    galaxy_files.write(root / "galaxyppg", galaxy_files.people(people, minutes, first + 200))
    (root / SIMULATED).touch()


def write_own(
    folder: Path, people: dict[str, simulate.Person], rate: float = 50.0, kind: str = "csv"
) -> None:
    """Write NAME.ppg and NAME.hr tables, csv or parquet: the form of a user's own recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, person in people.items():
        ppg = simulate.ppg(person, rate)[0]
        beats = (person.r_peaks[1:] + person.r_peaks[:-1]) / 2
        tables = {
            "ppg": pd.DataFrame({"time": np.arange(len(ppg)) / rate, "ppg": ppg}),
            "hr": pd.DataFrame({"time": beats, "hr": 60 / np.diff(person.r_peaks)}),
        }
        for what, table in tables.items():
            path = folder / f"{name}.{what}.{kind}"
            table.to_parquet(path) if kind == "parquet" else table.to_csv(path, index=False)
