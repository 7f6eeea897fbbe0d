"""What the authors of BAMI-2 estimate themselves, on the test windows of a study: the table authors.csv."""

from pathlib import Path

import numpy as np
import pandas as pd

from ppglib.recordings.base import read_mat
from ppglib.splits import split
from ppglib.study.grid import places
from ppglib.study.studies import Study, members
from ppglib.task import STEP_SECONDS
from ppglib.windows import Windows

COLUMNS = ["split", "fold", "dataset", "person", "n", "mae"]


def table(study: Study, windows: Windows, data: Path) -> pd.DataFrame:
    """MAE (BPM) of `bpm_proposed` in the files of the folder `data`/bami2: a row a split, fold and test person.

    n: windows of ours that have an estimate; the first five of a recording have none (0). Its inputs are others than
    a network's: acceleration too, and several windows (Chung et al. 2020). No row if the study lacks the set, and
    none for simulated recordings, which hold no estimate. Raises InputError as `read_mat` does."""
    rows = []
    tested_on = dict.fromkeys(pair for member in members(study) for pair in places(member, windows))
    for kind, fold in tested_on:
        tested = windows.table.iloc[split(windows, fold, kind)[1]].query("dataset == 'bami2'")
        for (person, recording), own in tested.groupby(["person", "recording"]):
            (bpm,) = read_mat(Path(data) / "bami2" / f"{recording}.mat", {"bpm_proposed": (None, 1)})
            estimate = bpm[(own.second / STEP_SECONDS).astype(int), 0]
            error = np.abs(estimate - own.hr.to_numpy())[estimate > 0]
            if len(error):
                rows.append((kind, fold, "bami2", person, len(error), error.mean()))
    return pd.DataFrame(rows, columns=COLUMNS)
