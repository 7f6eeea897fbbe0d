"""Samples to windows, each resampled and filtered on its own: nothing outside a window changes it."""

import numpy as np

from ppglib.task import LENGTH, RATE, STEP_SECONDS
from ppglib.windows import BRIDGED, LARGEST, _bandpass

SLACK = 1e-6  # seconds by which a time stamp may be rounded
FLAT = 1e-9  # of the largest deviation of a window: what is left of it in the band is rounding


def finer(rate: float) -> int:
    """How many times 25 Hz the grid is on which samples at `rate` Hz are filtered: what is above would fold in."""
    return max(1, round(rate / RATE))


def ends(numbers: np.ndarray, rate: float) -> np.ndarray:
    """Seconds from which on the first sample completes each window: within a period of its last grid point."""
    return _grid(numbers, finer(rate))[:, -1] - 1 / rate + SLACK


def cut(time: np.ndarray, ppg: np.ndarray, numbers: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Windows `numbers` (N,) of samples `ppg` (n,): filtered at 25 Hz (N, 200) float32, and why there is none.

    Window i lies at [2 i, 2 i + 8) s. time: (n,) seconds, increasing, from the last sample at or before the
    first window to the one that completes the last. rate: Hz, nominal. Each window is interpolated to an even
    grid and filtered there as in `ppglib.windows`. Holes of up to 0.2 s are bridged, but at its ends, beyond which it
    must not look. The reason (N,) is "", "not finite", "gap" or "constant"."""
    fine = finer(rate)
    grid = _grid(numbers, fine)
    first = np.maximum(np.searchsorted(time, grid[:, 0], "right") - 1, 0)
    last = np.searchsorted(time, ends(numbers, rate))
    usable = np.abs(ppg) < LARGEST  # NaN is not
    at = np.flatnonzero(usable) if usable.any() else np.arange(len(ppg))
    rows = np.interp(np.minimum(grid, time[last, None]), time[at], np.where(usable, ppg, 0)[at])
    rows -= rows[:, :1]  # an offset of any size
    filtered = _bandpass(rows, RATE * fine)[:, ::fine]
    size = np.abs(filtered).max(axis=1)

    lost = ~usable[first] | ~usable[last] | _far(time, at, rate, first, last)
    gap = _far(time, np.arange(len(time)), rate, first, last)
    tests = [gap, lost, size <= FLAT * np.abs(rows).max(axis=1)]
    reasons = np.select(tests, ["gap", "not finite", "constant"], default="")
    return (filtered / np.where(size > 0, size, 1)[:, None]).astype(np.float32), reasons


def _grid(numbers, fine) -> np.ndarray:
    rate = RATE * fine  # whole numbers over a whole number: a sample at k / rate is met exactly
    return (np.asarray(numbers)[:, None] * round(STEP_SECONDS * rate) + np.arange(LENGTH * fine)) / rate


def _far(time, at, rate, first, last) -> np.ndarray:
    """Whether two neighbours of the samples `at` within [first, last] are further apart than a hole that is bridged."""
    far = np.zeros(len(time), int)
    far[at[1:]] = np.diff(time[at]) > BRIDGED + 1.25 / rate
    far = np.cumsum(far)
    return far[last] > far[first]
