"""Simulated recordings in the published formats of SPC 2015, BAMI-1 and BAMI-2, for the readers of the real ones.

Variable names, types, shapes and label counts are as published; channels that no reader takes are zero."""

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.io import savemat

from ppglib import simulate
from ppglib.files import InputError
from ppglib.recordings import SIMULATED
from ppglib.recordings.base import window_count

SPC_ACTIVITIES = ("rest", "run", "recover", "run", "rest")


def write(root: str | Path, datasets: Mapping[str, int], minutes: float = 6.0, seed: int = 0) -> None:
    """Write simulated people into `root`, e.g. datasets={"spc2015": 12, "bami1": 24}, all or nothing.
    `minutes` is the length of each recording. A `root` that is there and not empty is refused with
    InputError."""
    for dataset, people in datasets.items():
        if dataset not in WRITERS:
            raise InputError(f"No simulated form of {dataset!r}: choose from {', '.join(WRITERS)}.")
        if people < 1 or minutes * 60 < 12:
            raise InputError(f"{people} people of {dataset}, {minutes} minutes: at least 1 and 0.2 are needed.")
    root = Path(root)
    beside = root.with_name(f".{root.name}.{uuid.uuid4().hex[:8]}")
    try:
        if root.exists():
            root.rmdir()
        for number, dataset in enumerate(sorted(datasets)):
            for n in range(1, datasets[dataset] + 1):  # no two people of one root are alike
                save(beside / dataset, WRITERS[dataset](n, 100_000 * seed + 1_000 * number + n, minutes))
        (beside / SIMULATED).write_text("Simulated by ppglib.simulate. No person was measured.\n")
        os.replace(beside, root)
    except OSError as error:
        raise InputError(f"Cannot write {root} ({error.strerror}): choose another folder.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def save(folder: Path, files: dict[str, dict[str, np.ndarray]]) -> None:
    """Write MAT files: {name within `folder`: {variable: array}}."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        savemat(folder / name, content, do_compression=True)


def spc2015(n: int, seed: int, minutes: float) -> dict[str, dict]:
    """Training file n: `sig` 6 x samples float64 at 125 Hz (ECG, 2 PPG, 3 acceleration), `BPM0` (windows, 1)."""
    sig, hr = spc_signal(simulate.person(seed, minutes, SPC_ACTIVITIES))
    stem = f"Training_data/DATA_{n:02d}_TYPE{1 if n == 1 else 2:02d}"
    return {f"{stem}.mat": {"sig": sig}, f"{stem}_BPMtrace.mat": {"BPM0": hr}}


def spc_signal(person: simulate.Person) -> tuple[np.ndarray, np.ndarray]:
    """`sig` and `BPM0` of a training file."""
    sig = np.pad(100 * simulate.ppg(person, 125, 2), ((1, 3), (0, 0)))
    return sig, _labels(person, sig.shape[1], 125)


def bami1(n: int, seed: int, minutes: float) -> dict[str, dict]:
    """`sigPPG`, `sigAcc`, `sigGyro` 3 x samples uint16 at 50 Hz; `timeECG` (s), `bpmECG` (beats, 1)."""
    person = simulate.person(seed, minutes)
    ppg = np.clip(40_000 + 1_500 * simulate.ppg(person, 50, 3), 0, 65_535).round().astype(np.uint16)
    beats = {"timeECG": person.r_peaks[1:, None], "bpmECG": 60 / np.diff(person.r_peaks)[:, None]}
    still = np.zeros_like(ppg)
    return {f"Subject_{n}.mat": {"sigPPG": ppg, "sigAcc": still, "sigGyro": still} | beats}


def bami2(n: int, seed: int, minutes: float) -> dict[str, dict]:
    """`rawPPG`, `rawAcc` 3 x samples uint16 at 50 Hz, PPG of 12 bits; `bpm_ecg`, `bpm_proposed` (windows - 1, 1)."""
    person = simulate.person(seed, minutes)
    ppg = np.clip(2_048 + 250 * simulate.ppg(person, 50, 3), 0, 4_095).round().astype(np.uint16)
    hr = _labels(person, ppg.shape[1], 50)[:-1]
    if 7 <= n <= 12:  # an edge artefact, as published
        hr[0] = 37.0 + n - 7
    still = {"rawAcc": np.zeros_like(ppg), "bpm_proposed": np.zeros_like(hr)}
    return {f"BAMI2_{n}.mat": {"rawPPG": ppg, "bpm_ecg": hr} | still}


WRITERS = {"spc2015": spc2015, "bami1": bami1, "bami2": bami2}


def _labels(person: simulate.Person, samples: int, rate: float) -> np.ndarray:
    """One heart rate a window as a column, as MATLAB would have it."""
    return simulate.window_hr(person, window_count(samples, rate))[:, None]
