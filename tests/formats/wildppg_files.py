"""Simulated WildPPG: one MAT v5 file per person (128 Hz), and the Hugging Face file of windows."""

import zipfile
from pathlib import Path

import numpy as np
from scipy.io import savemat
from scipy.signal import resample

from formats import body
from ppglib import simulate
from ppglib.recordings.base import window_count
from ppglib.task import WINDOW_SECONDS

RATE = 128
IDS = "an0 e61 fex k2s kjd l38 n31 ngh p5d p9p qm9 ssx trh tz8 u7y w4p".split()  # noqa: SIM905
NOISY = ("fex", "kjd", "p5d")  # their ECG is noisy at times
SITES = ("sternum", "head", "wrist", "ankle")
FAULT_EVERY = 240.0  # seconds of recording between two faults


def people(count: int, minutes: float, seed: int = 0) -> dict[str, simulate.Person]:
    """The first `count` of the 16 published participants."""
    return {name: simulate.person(seed + number, minutes) for number, name in enumerate(IDS[:count])}


def write(folder: Path, people: dict[str, simulate.Person], zipped: bool = False) -> dict[str, dict]:
    """Write one file per person, in a zip if asked; returns per person the constant fills of the wrist
    PPG (`gaps`) and of the ECG (`ecg_gaps`) and the bursts of ECG noise (`noise`), as sample ranges."""
    folder.mkdir(parents=True, exist_ok=True)
    faults = {}
    for name, person in people.items():
        content, faults[name] = participant(name, person)
        savemat(folder / f"WildPPG_Part_{name}.mat", content)
    if zipped:
        with zipfile.ZipFile(folder / "WildPPG.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name in people:
                path = folder / f"WildPPG_Part_{name}.mat"
                archive.write(path, f"WildPPG/{path.name}")
                path.unlink()
    return faults


def participant(name: str, person: simulate.Person) -> tuple[dict, dict]:
    """Variables of one file, and the faults in them."""
    rng = np.random.default_rng([6, person.seed])
    light = simulate.ppg(person, RATE, channels=3)
    light = 0.5 + 0.4 * light / np.abs(light).max(axis=1, keepdims=True)  # fills with 1.0 stand out
    ecg = np.round(1000 * body.ecg(person, RATE)).astype(np.int32)
    gaps, ecg_gaps = _spans(rng, len(ecg), 3, 30), _spans(rng, len(ecg), 3, 30)
    noise = _spans(rng, len(ecg), 5, 10) if name in NOISY else ()
    for start, stop in noise:
        ecg[start:stop] += rng.normal(0, 1500, stop - start).astype(np.int32)
    for start, stop in ecg_gaps:
        ecg[start:stop] = 0
    content: dict = {"id": name, "notes": "simulated"}
    for site in SITES:
        lost = gaps if site == "wrist" else ()
        content[site] = {
            channel: _channel(values, fill, lost)
            for channel, values, fill in (
                *zip(("acc_x", "acc_y", "acc_z"), np.zeros_like(light), (0.0, 0.0, 0.0)),
                *zip(("ppg_g", "ppg_ir", "ppg_r"), light, (1.0, 1.0, 1.0)),
            )
        }
        content[site]["altitude"] = {"v": np.full((4, 1), 460.0), "fs": 0.5}
        content[site]["temperature"] = {"v": np.full((4, 1), 31.0), "fs": 0.5}
    content["sternum"]["ecg"] = {"v": ecg[:, None], "fs": float(RATE)}
    return content, {"gaps": gaps, "ecg_gaps": ecg_gaps, "noise": noise}


def _channel(values: np.ndarray, fill: float, lost) -> dict:
    values = values.astype(np.float64)
    for start, stop in lost:
        values[start:stop] = fill
    return {"v": values[:, None], "fs": float(RATE)}


def _spans(rng, samples: int, shortest: float, longest: float) -> tuple[tuple[int, int], ...]:
    """One random range [start, stop) in each FAULT_EVERY seconds, apart from each other."""
    step, spans = int(FAULT_EVERY * RATE), []
    for begin in range(0, samples - step + 1, step):
        length = int(rng.uniform(shortest, longest) * RATE)
        start = begin + int(rng.uniform(10 * RATE, step - length - 10 * RATE))
        spans.append((start, start + length))
    return tuple(spans)


def write_cells(
    folder: Path, people: dict[str, simulate.Person], key: str = "data_ppg_wrist", cropped: bool = False
) -> dict[str, int]:
    """Write WildPPG.mat with one cell per person: windows of 200 samples, 8 s apart, HR 0 = invalid.

    `key` is the name of the wrist PPG: the file's own, or "data_ppg_g_wrist" as its public code has it.
    cropped=True makes each window as the public preprocessing does: 250 samples from 8 s, 25 cut from
    either end, so that 6.4 s pass for 8 s. Returns the number of invalid windows of each person.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [key, "data_ppg_head", "data_ppg_ankle", "data_ppg_chest", "data_bpm_values",
             *(f"data_{kind}_{site}" for kind in ("imu", "temp") for site in ("wrist", "head", "ankle", "chest")),
             "data_altitude_values"]  # fmt: skip
    content = {name: np.empty((len(people), 1), object) for name in names}
    invalid = {}
    for row, (name, person) in enumerate(people.items()):
        count = window_count(int(person.seconds * RATE), RATE, WINDOW_SECONDS)
        native = simulate.ppg(person, RATE)[0][: count * 8 * RATE].reshape(count, 8 * RATE)
        windows = resample(native, 250, axis=1)[:, 25:-25] if cropped else resample(native, 200, axis=1)
        hr = simulate.window_hr(person, count, WINDOW_SECONDS)
        hr[np.random.default_rng([7, person.seed]).random(count) < 0.05] = np.nan
        invalid[name] = int(np.isnan(hr).sum())
        for key_name in names:
            content[key_name][row, 0] = windows if "ppg" in key_name else np.zeros((count, 1))
        content["data_bpm_values"][row, 0] = np.nan_to_num(hr)[:, None]
    savemat(folder / "WildPPG.mat", content)
    return invalid
