"""A PPG alone, without labels, from a CSV or Parquet file: columns `ppg`, or `ppg1`, `ppg2`..., and `time`.

Files are read, samples placed in time and holes found as in `ppglib.recordings.own`."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ppglib.files import InputError
from ppglib.models.predict import HIGHEST_RATE, LOWEST_RATE
from ppglib.recordings import archives, columns, holes, stamps
from ppglib.recordings.archives import hidden

ENDING = re.compile(r"\.(csv|csv\.gz|parquet)$", re.I)
NO_PPG = re.compile(r"(.*\.)?(hr|beats|rr|ecg|heart_rate)\.\w+(\.gz)?", re.I)  # labels, and what `predict` writes
CHANNELS = ["ppg", *(f"ppg{number}" for number in range(100))]


class Signal(NamedTuple):
    """ppg: (n,), the mean of the channels, NaN where it is empty. time: (n,) seconds, without what is no signal.

    rate: Hz. clock: "seconds", or "dates" with or without a time zone; then `time` counts from 1970."""

    ppg: np.ndarray
    time: np.ndarray
    rate: float
    clock: str
    notes: list[str]


def files_in(path: Path) -> list[Path]:
    """The file itself, or the tables in a folder but for labels (NAME.hr.csv and so on) and what was predicted."""
    if path.is_file():
        return [path]
    tables = [p for p in sorted(path.glob("*")) if ENDING.search(p.name) and p.is_file() and not hidden(Path(p.name))]
    found = [p for p in tables if not NO_PPG.fullmatch(p.name)]
    if not found:
        raise InputError(f"There is no file {path} and no folder of that name with CSV or Parquet files: name one.")
    return found


def read(path: Path, rate: float | None = None, ppg: str = "", time: str = "") -> Signal:
    """The PPG of a file; rate: Hz, for one without a column `time`. ppg, time: columns that have other names there.

    Raises InputError for what is no table, lacks a column or holds text, and for times that place no samples."""
    file = archives.file(path, damage=archives.OWN)
    others = ({ppg: "ppg"} if ppg else {}) | ({time: "time"} if time else {})
    table = columns.read(file, *(["ppg"] if ppg else CHANNELS), "time", others=others)
    if lacking := [given for given, name in others.items() if name not in table]:
        columns.need(file, table, *lacking)
    channels = [name for name in table if name in CHANNELS]
    if not channels:
        has = ", ".join(table.attrs["all"][:20])
        raise InputError(f"{path} has no column 'ppg': name the one that is, with --ppg; it has {has}.")
    channels, notes = ["ppg"] if "ppg" in channels else channels, table.attrs["notes"]
    notes += [f"The mean of {', '.join(channels)} (--ppg names one)."] * (len(channels) > 1)
    if "time" in table:
        notes += ["--rate is not used, for the file has times."] * (rate is not None)
        time, rate, told = stamps.of_samples(str(path), table.time.to_numpy(), LOWEST_RATE, HIGHEST_RATE)
        notes += [told] * bool(told)
    elif rate is None:
        raise InputError(f"{path} has no column 'time': name it with --time, or give the samples a second with --rate.")
    elif not 0 < rate < np.inf:
        raise InputError(f"--rate {rate:g} is no number of samples a second.")
    else:
        table = table.reindex(range(2, table.index[-1] + 1))  # rows that hold nothing are samples too
        time = np.arange(len(table)) / rate
    ppg = sum(table[name].to_numpy() for name in channels) / len(channels)
    level, good, lost = holes.find(ppg, rate)
    if not good.any():
        raise InputError(f"{path} holds no signal ({', '.join(lost)}): check the column `{channels[0]}`.")
    notes += [f"{seconds:.1f} s left out ({cause})." for cause, seconds in lost.items()]
    there = good | ~np.isfinite(ppg)
    return Signal(np.where(good, level, np.nan)[there], time[there], rate, table.attrs["clock"], notes)
