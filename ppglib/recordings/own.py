"""Your own recordings: for each person NAME a table NAME.ppg.csv and a table NAME.hr.csv (or .parquet).

NAME.ppg has the columns `time` (seconds) and `ppg`; NAME.hr the columns `time` (the same clock) and `hr`
(BPM, from an ECG or a chest strap, at any spacing).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib.files import InputError
from ppglib.recordings import archives
from ppglib.recordings.base import window_count
from ppglib.task import STEP_SECONDS, WINDOW_SECONDS
from ppglib.windows import Recording

DATASET = "own"
LOWEST_RATE = 16.0  # Hz: twice the upper edge of the pass band, 4 Hz, and a margin
LONGEST = 31 * 24.0  # hours
EVEN = 0.1  # sampling periods: stamps that stray less from an even grid are taken as even


def read(folder: Path) -> Iterator[Recording]:
    """One recording per person. The heart rate of a window is the mean of the `hr` rows in it."""
    with archives.members(folder) as found:
        ppg, hr = (archives.by_person(found, rf"([^/]+)\.{kind}\.(?:csv|parquet)") for kind in ("ppg", "hr"))
        if not ppg:
            raise InputError(
                f"No NAME.ppg.csv or NAME.ppg.parquet in {folder}: one for each person is needed."
            )
        lonely = sorted(ppg.keys() ^ hr.keys())
        if lonely:
            raise InputError(
                f"{folder}: {lonely[0]} has {'no .hr' if lonely[0] in ppg else 'no .ppg'} table: "
                f"both {lonely[0]}.ppg and {lonely[0]}.hr are needed."
            )
        for person, member in ppg.items():
            yield _recording(person, member, hr[person])


def _recording(person: str, ppg_file: archives.Member, hr_file: archives.Member) -> Recording:
    time, ppg = _table(ppg_file, "ppg")
    hr_time, hr = _table(hr_file, "hr")
    if len(time) < 2 or not np.all(np.diff(time) > 0):
        row = int(np.argmax(np.diff(time) <= 0)) + 3 if len(time) > 1 else 2
        raise InputError(f"{ppg_file.name}: time must increase from row to row, and does not at row {row}.")
    if np.any(np.diff(hr_time) < 0):
        raise InputError(f"{hr_file.name}: time runs backwards.")
    hours = (time[-1] - time[0]) / 3600
    rate = float(1 / np.median(np.diff(time)))
    if rate < LOWEST_RATE or hours > LONGEST:
        raise InputError(
            f"{ppg_file.name} has {rate:.3g} samples a second over {hours:.3g} h: at least {LOWEST_RATE:g} are "
            "needed and `time` must be in seconds."
        )
    origin, time = time[0], time - time[0]
    if hr_time.size and (hr_time[0] > origin + time[-1] or hr_time[-1] < origin):
        raise InputError(f"{hr_file.name} and {ppg_file.name} do not overlap in time.")
    mean_rate = (len(time) - 1) / time[-1]
    even = np.abs(time - np.arange(len(time)) / mean_rate).max() * mean_rate < EVEN
    windows = window_count(time[-1] + 1 / rate, 1.0)
    labels = mean_hr(hr_time - origin, hr, windows)
    if np.isnan(labels).all():
        raise InputError(f"{hr_file.name} has no heart rate within the 8-s windows of {ppg_file.name}.")
    return Recording(
        DATASET, person, person, ppg[None], mean_rate if even else rate, labels, time=None if even else time
    )


def mean_hr(time: np.ndarray, hr: np.ndarray, windows: int) -> np.ndarray:
    """Mean of the heart rates whose time lies in [2 i, 2 i + 8) s, NaN where there is none: (windows,)."""
    time, hr = time[np.isfinite(hr)], hr[np.isfinite(hr)]
    start = STEP_SECONDS * np.arange(windows)
    first, last = np.searchsorted(time, start), np.searchsorted(time, start + WINDOW_SECONDS)
    total = np.concatenate([[0.0], np.cumsum(hr)])
    with np.errstate(invalid="ignore"):
        return np.where(last > first, (total[last] - total[first]) / (last - first), np.nan)


def _table(member: archives.Member, value: str) -> tuple[np.ndarray, np.ndarray]:
    with member.open() as stream:
        table = pd.read_parquet(stream) if member.path.endswith(".parquet") else pd.read_csv(stream)
    for column in ("time", value):
        if column not in table:
            raise InputError(
                f"{member.name} has no column {column!r}: it has {', '.join(map(str, table.columns))}."
            )
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise InputError(f"{member.name}: column {column!r} holds text, expected numbers.")
    time = table["time"].to_numpy(np.float64)
    if not np.isfinite(time).all():
        raise InputError(f"{member.name}: column 'time' has an empty or infinite row.")
    return time, table[value].to_numpy(np.float64, na_value=np.nan)
