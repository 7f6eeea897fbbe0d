"""Where a raw PPG is no pulse: one value for long, zeros of lost packets, spikes, wrapped counters, steps."""

import numpy as np

from ppglib.recordings.base import constant_runs
from ppglib.windows import LARGEST

FLAT = 0.5  # seconds of one value
ZEROS = 0.2  # seconds of zeros
STEP, STEP_TO_ZERO = 20.0, 5.0  # sizes of the pulse between two samples: 1.4 s of the 11 hours of the open sets
SHORT = 0.5  # seconds between two such steps: what lies there is no signal
EDGE = 0.15  # seconds lost on either side of a step


def find(ppg: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """The PPG (n,) without steps, mask (n,) of samples that are signal, and seconds lost by cause."""
    good = np.abs(ppg) < LARGEST  # False for NaN
    lost, before = {}, good.copy()

    def note(cause: str) -> None:
        nonlocal before
        lost[cause], before = float((before & ~good).sum() / rate), good.copy()

    lost["empty or not finite"] = float((~good).sum() / rate)
    for start, stop in constant_runs(np.where(good, ppg, np.nan), max(2, int(np.ceil(ZEROS * rate)) + 1)):
        if stop - start >= FLAT * rate or ppg[start] == 0:
            good[start:stop] = False
    note("one value")
    level = ppg.astype(np.float64)
    if size := pulse(ppg, good, rate):
        at = np.flatnonzero(good)
        piece = np.cumsum(np.append(0, _steps(ppg[at], size)))
        good[at[np.bincount(piece)[piece] < SHORT * rate]] = False
        at = np.flatnonzero(good)
        if len(at) > 1:
            steps = _steps(ppg[at], size)
            level[at[1:]] -= np.cumsum(np.where(steps, np.diff(ppg[at]), 0))
            edge = int(np.ceil(EDGE * rate))
            for k in np.flatnonzero(steps):
                good[max(0, at[k] - edge + 1) : at[k] + 1] = good[at[k + 1] : at[k + 1] + edge] = False
        note("steps")
    return level, good, {cause: seconds for cause, seconds in lost.items() if seconds}


def pulse(ppg: np.ndarray, good: np.ndarray, rate: float) -> float:
    """Typical size of the pulse: the median over seconds of highest minus lowest value."""
    second = max(2, round(rate))
    rows = np.where(good, ppg, np.nan)[: len(ppg) // second * second].reshape(-1, second)
    rows = rows[np.isfinite(rows).mean(axis=1) > 0.5]
    return float(np.median(np.nanmax(rows, axis=1) - np.nanmin(rows, axis=1))) if len(rows) else 0.0


def _steps(values: np.ndarray, size: float) -> np.ndarray:
    step, zero = np.abs(np.diff(values)), values == 0
    return (step > STEP * size) | ((step > STEP_TO_ZERO * size) & (zero[1:] | zero[:-1]))
