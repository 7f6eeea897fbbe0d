"""Heart rate of each window from a user's own table: heart rates at moments or of windows, beats, intervals, ECG."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ppglib.files import InputError
from ppglib.recordings import columns, ecg, stamps
from ppglib.recordings.archives import Member
from ppglib.recordings.base import check_forwards, mean_in_windows
from ppglib.task import STEP_SECONDS, WINDOW_SECONDS

KNOWN = ("time", "start", "stop", "hr", "rr", "ecg", "activity")
LOWEST, HIGHEST = 25.0, 250.0  # BPM; sentinels such as 0, -1 and 255 lie outside
BESIDE, SECONDS = 11, 15.0  # rows and seconds around a heart rate that show a missed or doubled beat
MISSED, DOUBLED = 0.6, 1.6  # times the median of those rows
OFF = 0.5  # seconds by which a labelled window may be longer, or begin beside one of 8 s every 2 s
ECG_RATES = (100.0, 5000.0)  # Hz
AROUND = 20.0  # seconds of ECG before and after the windows


def read(member: Member, beats: bool, begin: float) -> tuple[pd.DataFrame, Callable, float | None, list[str]]:
    """The table, a function of (origin in s, number of windows) to their BPM (NaN = no label), the moment at which a
    window should start (None = any), and notes. beats: `time` alone is that of beats; begin: start of the PPG, s.

    Raises InputError for a table of none of these forms and if more than half of what it holds cannot be."""
    table = columns.read(member, *KNOWN)
    for forwards in {"time", "start"} & set(table):
        check_forwards(member.name, table[forwards].to_numpy())
    if "rr" in table:
        return table, *_intervals(member, table, begin)
    if "ecg" in table:
        columns.need(member, table, "time")
        return table, *_ecg(member, table)
    if beats and "hr" not in table:
        columns.need(member, table, "time")
        time = table.time.to_numpy()
        return table, lambda origin, windows: ecg.from_beats(time - origin, windows), None, []
    columns.need(member, table, "hr")
    if "start" in table:
        return table, *_windows(member, table)
    columns.need(member, table, "time")
    time, hr = table.time.to_numpy(), table.hr.to_numpy()
    hr, notes = _possible(member, time, hr)
    return table, lambda origin, windows: mean_in_windows(time - origin, hr, windows, fewest=1), None, notes


def _possible(member: Member, time, hr: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Heart rates with NaN for those that cannot be; time None: without a look at their neighbours."""
    outside = np.isfinite(hr) & ~((hr >= LOWEST) & (hr <= HIGHEST)) | np.isinf(hr)
    kept = pd.Series(np.where(outside, np.nan, hr))
    jump = np.zeros(len(hr), bool)
    if time is not None and len(hr) >= BESIDE:
        ratio = kept / kept.rolling(BESIDE, center=True, min_periods=BESIDE // 2).median()
        row, half = np.arange(len(hr)), BESIDE // 2
        near = time[np.minimum(row + half, len(hr) - 1)] - time[np.maximum(row - half, 0)] <= SECONDS
        jump = (((ratio < MISSED) | (ratio > DOUBLED)) & near).to_numpy()
    total, bad = int((np.isfinite(hr) | outside).sum()), int((outside | jump).sum())
    kinds = f"{outside.sum()} outside {LOWEST:g}-{HIGHEST:g} BPM, {jump.sum()} jumps of a missed or doubled beat"
    _refuse(member, bad, total, "heart rates", kinds)
    notes = [f"{bad} of {total} heart rates cannot be and are left out: {kinds}."]
    return kept.mask(jump).to_numpy(), notes * bool(bad)


def _refuse(member: Member, bad: int, total: int, what: str, kinds: str) -> None:
    if 2 * bad > total:
        raise InputError(f"{member.name}: {bad} of {total} {what} cannot be ({kinds}): check the device or its unit.")


def _windows(member: Member, table: pd.DataFrame):
    start, stop = table.start.to_numpy(), table.get("stop", table.start + WINDOW_SECONDS).to_numpy()
    hr, notes = _possible(member, None, table.hr.to_numpy())
    if len(wrong := np.flatnonzero(np.abs(stop - start - WINDOW_SECONDS) > OFF)):
        found = f"a window of {stop[wrong[0]] - start[wrong[0]]:.3g} s in row {table.index[wrong[0]]}"
        why = f"windows are {WINDOW_SECONDS:g} s long: give such `hr` with `time`"
        raise InputError(f"{member.name} has {found}, and {why}.")
    labelled = start[np.isfinite(hr)]
    phases = (labelled - start[0] + 1) % STEP_SECONDS - 1 + start[0]
    phase = float(np.quantile(phases, 0.5, method="lower")) if len(labelled) else None  # always one of them

    def at(origin: float, windows: int) -> np.ndarray:
        found, nearest = np.full(windows, np.nan), np.round((start - origin) / STEP_SECONDS)
        off = np.abs(start - origin - STEP_SECONDS * nearest)
        fits = np.flatnonzero((off <= OFF) & (nearest >= 0) & (nearest < windows) & np.isfinite(hr))
        fits = fits[np.argsort(-off[fits], kind="stable")]  # the nearest is written last
        found[nearest[fits].astype(int)] = hr[fits]
        return found

    between = 0 if phase is None else int((np.abs((labelled - phase + 1) % STEP_SECONDS - 1) > OFF).sum())
    notes += [f"{between} of {len(hr)} labels start between two windows and are left out."] * bool(between)
    return at, phase, notes


def _intervals(member: Member, table: pd.DataFrame, begin: float):
    rr = table.rr.to_numpy() / 1000
    known = rr[np.isfinite(rr)]
    total, bad = len(known), int(((known < 60 / HIGHEST) | (known > 60 / LOWEST)).sum())
    kinds = f"outside {60_000 / HIGHEST:g}-{60_000 / LOWEST:g} ms"
    _refuse(member, bad, total, "intervals", f"{kinds}, and `rr` must be in ms")
    notes = [f"{bad} of {total} intervals cannot be and are left out: {kinds}."] * bool(bad)
    if "time" not in table:
        notes.append("Intervals without `time` are taken to begin with the PPG.")
    time = table.time.to_numpy() if "time" in table else begin + np.nancumsum(rr)
    middle = np.fmax.accumulate(time - rr / 2)  # several may arrive under one time
    return lambda origin, windows: ecg.from_intervals(rr, middle - origin, windows), None, notes


def _ecg(member: Member, table: pd.DataFrame):
    stamp, signal = table.time.to_numpy(), table.ecg.to_numpy()
    time, rate, note = stamps.of_samples(member.name, stamp, *ECG_RATES)

    def at(origin: float, windows: int) -> np.ndarray:
        near = slice(*np.searchsorted(time, [origin - AROUND, origin + STEP_SECONDS * windows + AROUND]))
        try:
            return ecg.window_hr(signal[near], rate, windows, member.name, time[near] - origin)[0]
        except InputError:  # no beats in this part; if there are none in any, the reader says so
            return np.full(windows, np.nan)

    return at, None, ["Heart rates are from the ECG.", *[f"{member.name}: {note}"] * bool(note)]
