"""Does the fast loop learn the same? The straightforward loop beside it, on real recordings, several seeds."""

import os
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ppglib import files
from ppglib.bench.training import SIZES, PlainNetwork
from ppglib.fast import keep_memory
from ppglib.splits import split
from ppglib.study import grid, studies
from ppglib.study.engine import train_run
from ppglib.study.grid import Run
from ppglib.study.prepare import study_windows
from ppglib.study.studies import Study
from ppglib.task import decode, to_bin
from ppglib.windows import Windows, gather

SEEDS, EPOCHS = 3, 3


def equality(study: Study, windows: Windows, jobs: int) -> pd.DataFrame:
    """MAE (BPM, fold 0) of both loops: one row a size with mean and standard deviation over SEEDS.

    equal: the means differ by less than the larger of the two standard deviations.
    """
    short = replace(study, epochs=EPOCHS)
    runs = [
        grid.make_run(short, "person", "scratch", size, 0, 0, seed)
        for size, seed in product(SIZES, range(SEEDS))
    ]
    kinds = ("plain", "ours")
    tasks = [joblib.delayed(mae)(kind, run, windows) for run in runs[::-1] for kind in kinds]
    found = joblib.Parallel(n_jobs=jobs, inner_max_num_threads=1, backend="loky")(tasks)
    index = pd.MultiIndex.from_tuples(
        ((r.student, k) for r in runs[::-1] for k in kinds), names=["blocks", "loop"]
    )
    spread = pd.Series(found, index).groupby(level=[0, 1]).agg(["mean", "std"]).unstack()
    spread.columns = [f"{loop}_{name}" for name, loop in spread.columns]
    gap = (spread.ours_mean - spread.plain_mean).abs()
    equal = gap < spread[["ours_std", "plain_std"]].max(axis=1)
    return spread.assign(gap=gap, equal=equal, seeds=SEEDS, epochs=EPOCHS).reset_index()


def mae(kind: str, run: Run, windows: Windows) -> float:
    torch.set_num_threads(1)
    keep_memory()
    if kind == "ours":
        return train_run(run, windows, None)[1]["mae"]
    return plain(run, windows)


def plain(run: Run, windows: Windows) -> float:
    """What one would write first: a DataLoader, 1-D convolutions, `nn.Dropout`, float32."""
    torch.manual_seed(run.seed)
    rows, test = split(windows, run.fold)
    start, hr = (windows.table[name].to_numpy() for name in ("start", "hr"))
    x = torch.from_numpy(gather(windows.signal, start))[:, None]
    known = TensorDataset(x[rows], torch.from_numpy(to_bin(hr[rows])))
    network = PlainNetwork(run.student, run.get("dropout"))
    optimizer = torch.optim.Adam(network.parameters(), run.get("rate"))
    for _ in range(run.get("epochs")):
        for batch, target in DataLoader(known, run.get("batch"), shuffle=True, drop_last=True):
            optimizer.zero_grad()
            F.cross_entropy(network(batch), target).backward()
            optimizer.step()
    with torch.no_grad():
        logits = torch.cat([network.eval()(part) for part in x[test].split(512)])
    return float(np.abs(decode(logits.softmax(1).numpy()) - hr[test]).mean())


def main(out: Path, data: Path) -> None:
    """Train both, print, and write equality.csv into `out`."""
    study, cores = studies.read("open"), os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:  # recordings are not to lie beside results
        windows = study_windows(study, data, Path(folder))
    table = equality(study, windows, cores).assign(**files.versions())
    print("MAE (BPM) of both loops")
    print(table.iloc[:, :9].round(2).to_string(index=False))
    files.write_table(out / "equality.csv", table)
