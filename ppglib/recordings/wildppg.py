"""WildPPG (Meier, Demirel & Holz 2024): 16 people, a day each; wrist PPG, heart rate from the chest ECG.

Two published forms: one MAT file per person (raw, 128 Hz), alone or in a zip, and one MAT file with all
people (Hugging Face: windows of 200 samples at 25 Hz, 8 s apart, with labels)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ppglib import task
from ppglib.files import InputError
from ppglib.metrics import spectral_peak
from ppglib.recordings import archives, ecg, mat
from ppglib.recordings.base import RATE_TOLERANCE, constant_runs, is_numeric, nested, window_count
from ppglib.recordings.sources import how_to_get
from ppglib.windows import Recording

RATE = 128.0  # Hz, of PPG and ECG in the raw files
MIN_GAP = 1.0  # seconds of one constant value: the device recorded nothing
PPG_KEYS = ("data_ppg_wrist", "data_ppg_g_wrist")  # what the file has, what its public code reads
HR_KEY = "data_bpm_values"
CROPPED = 0.8  # 6.4 s / 8 s: the apparent heart rate of windows that lost 0.8 s at both ends


def read(folder: Path, dataset: str = "wildppg") -> Iterator[Recording]:
    """Recordings of one of the two forms, whichever is in the folder, one at a time."""
    with archives.members(folder) as found:
        people = archives.by_person(found, r"WildPPG_Part_(\w+)\.mat")
        cells = list(archives.by_person(found, r"(WildPPG)\.mat").values())
        if people and cells:
            raw = next(iter(people.values())).name
            raise InputError(f"{cells[0].name} and {raw} hold the same participants: keep one form.")
        if not people and not cells:
            raise InputError(f"No WildPPG_Part_*.mat or WildPPG.mat in {folder}: {how_to_get('wildppg')}.")
        for member in cells:
            yield from _cells(member, dataset)
        for person, member in people.items():
            yield _raw(person, member, dataset)


def read_hf(folder: Path) -> Iterator[Recording]:
    """As `read`, under a name of its own, so that both forms can lie in one root."""
    return read(folder, "wildppg_hf")


def _raw(person: str, member: archives.Member, dataset: str) -> Recording:
    content = mat.load(member, ["wrist", "sternum"], simplify=True)
    ppg = _signal(content, member.name, "wrist", "ppg_g")
    heart = _signal(content, member.name, "sternum", "ecg")
    del content  # the other channels of both sites, ten times as much
    if abs(len(heart) - len(ppg)) > RATE_TOLERANCE * len(ppg):
        raise InputError(f"{member.name}: {len(ppg)} wrist PPG samples but {len(heart)} of the ECG.")
    windows = window_count(len(ppg), RATE)
    hr, vetoed = ecg.window_hr(heart, RATE, windows, member.name)
    gaps = constant_runs(ppg, int(MIN_GAP * RATE))
    lost = sum(stop - start for start, stop in gaps) / RATE
    notes = (
        f"{person}: {len(gaps)} gaps of constant fill, {lost:.1f} s.",
        f"{person}: {int(np.isnan(hr).sum())} of {windows} windows without a heart rate, {vetoed} by the veto.",
    )
    return Recording(dataset, person, person, ppg[None], RATE, hr, gaps=gaps, notes=notes)


def _signal(content: dict, name: str, site: str, channel: str) -> np.ndarray:
    """`v` of one channel as (n,) float64, once its rate `fs` is checked."""
    field = nested(content, name, site, channel)
    value, rate = (field.get("v"), field.get("fs")) if isinstance(field, dict) else (None, None)
    if not (is_numeric(value) and value.ndim == 1 and len(value) and np.size(rate) == 1 and is_numeric(rate)):
        raise InputError(f"{name}: {site}/{channel} is no pair of samples `v` and rate `fs`.")
    if not abs(float(np.ravel(rate)[0]) - RATE) <= RATE_TOLERANCE * RATE:
        raise InputError(f"{name}: {site}/{channel} has a rate of {rate} Hz, published is {RATE:g} Hz.")
    return value.astype(np.float64)


def _cells(member: archives.Member, dataset: str) -> Iterator[Recording]:
    content = mat.load(member, [*PPG_KEYS, HR_KEY])
    ppg_key = next((key for key in PPG_KEYS if key in content), PPG_KEYS[0])
    ppg_cells, hr_cells = (np.ravel(nested(content, member.name, key)) for key in (ppg_key, HR_KEY))
    if not (ppg_cells.dtype == hr_cells.dtype == object and len(ppg_cells) == len(hr_cells)):
        raise InputError(f"{member.name}: {ppg_key} and {HR_KEY} are not cells, one for each participant.")
    ppg, hr = [], []
    for number, (windows, labels) in enumerate(zip(ppg_cells, hr_cells), start=1):
        fits = np.shape(windows) == (np.size(labels), task.LENGTH)
        if not (fits and is_numeric(windows) and is_numeric(labels)):
            shapes = f"windows of shape {np.shape(windows)} and {np.size(labels)} labels"
            expected = f"expected n x {task.LENGTH} and n"
            raise InputError(f"{member.name}: participant {number} has {shapes}, {expected}.")
        ppg.append(windows)
        hr.append(np.where(np.ravel(labels) > 0, np.ravel(labels), np.nan).astype(np.float64))
    finding = window_rate(np.concatenate(ppg), np.concatenate(hr))[1]
    for number, (windows, labels) in enumerate(zip(ppg, hr), start=1):
        person, missing = f"{number:02d}", int(np.isnan(labels).sum())
        invalid = f"{person}: {missing} of {len(labels)} windows have HR 0, no valid label."
        signal = windows.reshape(1, -1).astype(np.float64)
        breaks, notes = tuple(range(task.LENGTH, signal.size, task.LENGTH)), (finding, invalid)
        series = (signal, task.RATE, labels, task.WINDOW_SECONDS)
        yield Recording(dataset, person, person, *series, breaks=breaks, notes=notes)


def window_rate(windows: np.ndarray, hr: np.ndarray) -> tuple[float, str]:
    """Median of (spectral peak at a nominal 25 Hz / label) over clean windows, and what it says. windows: (N,
    200); hr: (N,) BPM, NaN = no label. Near 1.0 the windows are 8 s at 25 Hz; near 0.8 the middle 6.4 s
    stretched to 200 samples, as the public preprocessing makes them. Clean windows are near either."""
    with np.errstate(all="ignore"):  # constant and non-finite windows become NaN, and drop out below
        scaled = (windows - windows.mean(axis=1, keepdims=True)) / windows.std(axis=1, keepdims=True)
        ratio = spectral_peak(scaled, task.RATE) / hr
    ratio = ratio[(ratio > CROPPED - 0.1) & (ratio < 1.1)]
    median = float(np.median(ratio)) if len(ratio) else np.nan
    finding = "neither 8 s nor 6.4 s windows; the rate cannot be told."
    if abs(median - 1) < 0.05:
        finding = "windows of 8 s at 25 Hz, as labelled."
    if abs(median - CROPPED) < 0.05:
        finding = "only the middle 6.4 s of each 8 s, stretched; heart rates look 20 % too low."
    return median, f"spectral peak / label is {median:.2f} (median of {len(ratio)} clean windows): {finding}"
