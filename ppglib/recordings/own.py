"""Your own recordings: for each person NAME a table NAME.ppg.csv and a table NAME.hr.csv (or .parquet).

NAME.ppg has the columns `time` (seconds) and `ppg`; NAME.hr the columns `time` (the same clock) and `hr`
(BPM, from an ECG or a chest strap, at any spacing)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ppglib.files import InputError
from ppglib.recordings import archives
from ppglib.recordings.base import check_forwards, mean_in_windows, read_table, window_count
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
            raise InputError(f"No NAME.ppg.csv or NAME.ppg.parquet in {folder}: each person needs one.")
        for name in sorted(ppg.keys() ^ hr.keys()):
            lacks = "no .hr" if name in ppg else "no .ppg"
            raise InputError(f"{folder}: {name} has {lacks} table: both {name}.ppg and {name}.hr are needed.")
        for person, member in ppg.items():
            yield _recording(person, member, hr[person])


def _recording(person: str, ppg_file: archives.Member, hr_file: archives.Member) -> Recording:
    time, ppg = read_table(ppg_file, "time", "ppg")[["time", "ppg"]].to_numpy().T
    hr_time, hr = read_table(hr_file, "time", "hr")[["time", "hr"]].to_numpy().T
    check_forwards(ppg_file.name, time, strict=True)
    check_forwards(hr_file.name, hr_time)
    if len(time) < 2:
        raise InputError(f"{ppg_file.name} holds {len(time)} rows, too few for one window.")
    hours = (time[-1] - time[0]) / 3600
    rate = float(1 / np.median(np.diff(time)))
    if rate < LOWEST_RATE or hours > LONGEST:
        found = f"{rate:.3g} samples a second over {hours:.3g} h"
        needed = f"at least {LOWEST_RATE:g} are needed and `time` must be in seconds"
        raise InputError(f"{ppg_file.name} has {found}: {needed}.")
    origin, time, mean_rate = time[0], time - time[0], (len(time) - 1) / (time[-1] - time[0])
    even = np.abs(time - np.arange(len(time)) / mean_rate).max() * mean_rate < EVEN
    windows = window_count(time[-1] + 1 / rate, 1.0)
    labels = mean_in_windows(hr_time - origin, hr, windows, fewest=1)
    if np.isnan(labels).all():
        raise InputError(f"{hr_file.name} has no heart rate within the 8-s windows of {ppg_file.name}.")
    rate, time = (mean_rate, None) if even else (rate, time)
    return Recording(DATASET, person, person, ppg[None], rate, labels, time=time)
