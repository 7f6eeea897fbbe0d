"""SPC 2015, BAMI-1 and BAMI-2: small real wrist recordings from public repositories."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ppglib.files import InputError
from ppglib.recordings.base import mean_in_windows, read_mat, window_count
from ppglib.recordings.sources import how_to_get
from ppglib.windows import Recording


def spc2015(folder: Path) -> Iterator[Recording]:
    """IEEE Signal Processing Cup 2015 (Zhang, Pi & Liu 2015), its training part: 125 Hz, two PPG channels."""
    return _spc(folder, "spc2015", "train", [("Training_data", r"DATA_\d\d_TYPE0[12]\.mat", (".mat", "_BPMtrace.mat"), 1)])


def spc2015_test(folder: Path) -> Iterator[Recording]:
    """Its extra and test part: eight other people. S04 of the extra part and S04 of the test part are one person,
    as are T01 and T02 of one S number. The test part comes without the ECG."""
    extra = ("Extra_TrainingData", r"DATA_S\d\d_T\d\d\.mat", ("DATA_", "BPM_"), 1)
    test = ("TestData", r"TEST_S\d\d_T\d\d\.mat", ("TestData/TEST_", "TrueBPM/True_"), 0)
    return _spc(folder, "spc2015_test", "test", [extra, test])


def _spc(folder: Path, dataset: str, group: str, parts: list[tuple]) -> Iterator[Recording]:
    """parts: folder and names of signal files, what names the label file, and rows of `sig` before the PPG."""
    for part, names, label, first in parts:
        for path in _files(folder / part, names, dataset):
            label_path = folder / f"{part}/{path.name}".replace(*label)
            (sig,), (hr,) = read_mat(path, {"sig": (first + 5, None)}), read_mat(label_path, {"BPM0": (None, 1)})
            windows = window_count(sig.shape[1], 125)
            if len(hr) != windows:
                raise InputError(f"{label_path} has {len(hr)} labels for {windows} windows of {path.name}.")
            person, ppg = group + path.stem.split("_")[1].removeprefix("S"), sig[first : first + 2]
            yield Recording(dataset, person, path.stem, ppg, 125.0, hr[:, 0])


def bami1(folder: Path) -> Iterator[Recording]:
    """BAMI-1 (Lee, Chung & Lee 2018): 50 Hz, three PPG channels, HR beat by beat from a Holter ECG. HR of a
    window is the mean of the beats in it; fewer than two beats = no label."""
    for path in _files(folder, r"Subject_[1-9]\d*\.mat", "bami1"):
        shapes = {"sigPPG": (3, None), "timeECG": (None, 1), "bpmECG": (None, 1)}
        ppg, beat_time, beat_hr = read_mat(path, shapes)
        if len(beat_time) != len(beat_hr):
            raise InputError(f"{path}: {len(beat_time)} beat times but {len(beat_hr)} heart rates.")
        if np.any(np.diff(beat_time[np.isfinite(beat_time)]) < 0):
            raise InputError(f"{path}: timeECG runs backwards, so its beats cannot be placed in windows.")
        hr = mean_in_windows(beat_time[:, 0], beat_hr[:, 0], window_count(ppg.shape[1], 50), 2)
        yield Recording("bami1", path.stem.split("_")[1].zfill(2), path.stem, ppg, 50.0, hr)


def bami2(folder: Path) -> Iterator[Recording]:
    """BAMI-2 (Chung et al. 2020): 50 Hz, three PPG channels, one label per window but the last.
    `bpm_proposed` is the authors' own estimate and never a label. The first label of files 7-12 is an edge
    artefact (37-47 BPM), so window 0 of every file goes without a label."""
    for path in _files(folder, r"BAMI2_[1-9]\d*\.mat", "bami2"):
        ppg, labels = read_mat(path, {"rawPPG": (3, None), "bpm_ecg": (None, 1)})
        windows = window_count(ppg.shape[1], 50)
        if len(labels) != windows - 1:
            raise InputError(f"{path}: {len(labels)} labels for {windows} windows, expected {windows - 1}.")
        hr = np.append(labels[:, 0], np.nan)
        hr[0] = np.nan
        yield Recording("bami2", path.stem.split("_")[1].zfill(2), path.stem, ppg, 50.0, hr)


def _files(folder: Path, names: str, dataset: str) -> list[Path]:
    """Files of `folder` whose whole name matches, by number: a copy such as `Subject_1 (2).mat` is none."""
    found = [path for path in folder.glob("*.mat") if re.fullmatch(names, path.name)]
    if not found:
        raise InputError(f"{folder} holds no file of {dataset}: {how_to_get(dataset)}.")
    return sorted(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path.stem)])
