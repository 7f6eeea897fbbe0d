"""How far tracked predictions err, with intervals over people: of tracked.csv, and of authors.csv beside it."""

from pathlib import Path

import pandas as pd

from ppglib.files import InputError
from ppglib.results import bootstrap, tables
from ppglib.results.bootstrap import KEY
from ppglib.results.tables import Results
from ppglib.tracking import HOW


def conditions(results: Results, folder: Path, decoder: str = "median", dataset: str = "") -> pd.DataFrame:
    """`tables.conditions` of each way of tracking (column `track`), from tracked.csv in `folder`.

    results: of the same folder. A condition whose networks are tracked in some folds only is left out. Raises
    InputError if the table is missing or foreign."""
    every = _read(Path(folder) / "tracked.csv", "python -m ppglib track")
    if not set(every.run_id) & set(results.runs.run_id):
        raise InputError(f"{folder}/tracked.csv is not of the runs of runs.csv: run python -m ppglib track again.")
    every = every[every.dataset == dataset] if dataset else every
    each = {how: results._replace(people=every[every.track == how]) for how in HOW}
    found = [tables.conditions(own, decoder).assign(track=how) for how, own in each.items()]
    return pd.concat(found, ignore_index=True)


def authors(folder: Path, kind: str = "person") -> dict[str, float]:
    """mae, low, high (BPM, over people), people and windows of the estimates of BAMI-2's authors, all folds of a split.

    Beside `conditions(..., dataset="bami2")`: the people tested are the same."""
    rows = _read(Path(folder) / "authors.csv", "python -m ppglib track with these recordings")
    rows = rows[rows.split == kind].assign(run_id=lambda rows: rows.fold.astype(str))
    runs = rows[["run_id", "split", "fold"]].drop_duplicates().assign(seed=0, strategy="authors")
    runs = runs.assign(**dict.fromkeys(set(KEY) - {"split", "strategy"}, ""))
    mae = bootstrap.draws(runs, rows[["run_id", "dataset", "person", "n", "mae"]])
    ends = dict(zip(("mae", "low", "high"), map(float, bootstrap.error_interval(mae.to_numpy()[0]))))
    return ends | {"people": len(rows), "windows": int(rows.n.sum())}


def _read(path: Path, how: str) -> pd.DataFrame:
    if not path.exists():
        raise InputError(f"{path} is missing: make it by {how}.")
    return tables.read(path)
