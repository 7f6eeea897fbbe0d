"""Heart rate of a window from an ECG, for the sets that publish no labels.

R-peaks from sleepecg; a published plausibility rule (Meier et al., WildPPG, 2024), and enough of the window
covered by plausible intervals, for the edges of gaps; a second detector, neurokit2, as a veto."""

import warnings

import numpy as np

from ppglib.files import InputError
from ppglib.recordings.base import in_windows

HR_LIMITS = (35.0, 185.0)  # BPM of one RR interval
RUN = 5  # beats: a beat counts only in a run of so many ...
SPREAD = 1.25  # ... whose longest RR interval is less than 25 % longer than the shortest
COVERED = 6.0  # seconds of each 8 that plausible intervals must fill; not part of the published rule
SHORTEST = 8.0  # seconds of ECG that the detectors can work on
PIECE, MARGIN = 60.0, 10.0  # seconds of ECG that a detector sees at a time, and around them
VETO = 5.0  # BPM between the two detectors


def window_hr(ecg: np.ndarray, rate: float, windows: int, name: str, time=None) -> tuple[np.ndarray, int]:
    """HR of the windows [2 i, 2 i + 8) s in BPM, NaN = no valid label, and the number vetoed. ecg: (n,) at
    `rate` Hz, in any unit; time: (n,) seconds since the start of window 0, or None if sample k was taken at k
    / rate. Raises InputError, naming `name`, if no beats are found."""
    time = np.arange(len(ecg)) / rate if time is None else time
    ecg = np.nan_to_num(np.asarray(ecg, np.float64), posinf=0.0, neginf=0.0)
    none = f"{name}: no plausible heart beats are found in the ECG, so there are no labels."
    if len(ecg) < SHORTEST * rate or np.ptp(ecg) == 0:
        raise InputError(none)
    detectors = _sleepecg_peaks, _neurokit_peaks
    first, second = (from_beats(time[find(ecg, rate)], windows) for find in detectors)
    if np.isnan(first).all():
        raise InputError(none)
    with np.errstate(invalid="ignore"):
        vetoed = np.abs(first - second) > VETO
    return np.where(vetoed, np.nan, first), int(vetoed.sum())


def from_beats(beats: np.ndarray, windows: int) -> np.ndarray:
    """60 * n / sum of the n plausible RR intervals whose midpoint lies in the window, NaN if n < 2 or if
    they fill less than 6 s of it. beats: (n,) increasing times in seconds."""
    return from_intervals(np.diff(beats), (beats[1:] + beats[:-1]) / 2, windows)


def from_intervals(rr: np.ndarray, middle: np.ndarray, windows: int) -> np.ndarray:
    """The same from RR intervals and their midpoints, (n,) s each, one after the other."""
    good = plausible(rr)
    count, filled = in_windows(middle[good], rr[good], windows)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((count >= 2) & (filled >= COVERED), 60 * count / filled, np.nan)


def plausible(rr: np.ndarray) -> np.ndarray:
    """Mask of the RR intervals (s) that belong to a run of five beats (four intervals), each within
    35-185 BPM, that differ by less than 25 %."""
    good = np.zeros(len(rr), bool)
    if len(rr) < RUN - 1:
        return good
    runs = np.lib.stride_tricks.sliding_window_view(rr, RUN - 1)
    shortest, longest = runs.min(axis=1), runs.max(axis=1)
    steady = (shortest >= 60 / HR_LIMITS[1]) & (longest <= 60 / HR_LIMITS[0]) & (longest < SPREAD * shortest)
    for offset in range(RUN - 1):
        good[offset : offset + len(runs)] |= steady
    return good


def _sleepecg_peaks(ecg: np.ndarray, rate: float) -> np.ndarray:
    """R-peaks piece by piece: one burst of noise raises the detector's threshold for all that follows."""
    import sleepecg  # here, so that a machine that only trains need not have it

    piece, margin, found = int(PIECE * rate), int(MARGIN * rate), []
    for start in range(0, len(ecg), piece):
        first = max(0, start - margin)
        part = ecg[first : start + piece + margin]
        if len(part) >= SHORTEST * rate and np.ptp(part) > 0:
            peaks = first + np.asarray(sleepecg.detect_heartbeats(part, rate), int)
            found.append(peaks[(peaks >= start) & (peaks < start + piece)])
    return np.concatenate(found) if found else np.zeros(0, int)


def _neurokit_peaks(ecg: np.ndarray, rate: float) -> np.ndarray:
    import neurokit2  # here for the same reason, and because its import takes seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about stretches without beats, which the rule handles
        clean = neurokit2.ecg_clean(ecg, sampling_rate=rate)
        return np.asarray(neurokit2.ecg_findpeaks(clean, sampling_rate=rate)["ECG_R_Peaks"], int)
