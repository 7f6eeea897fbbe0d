"""Windows: 8 s of filtered 25-Hz PPG every 2 s, each with one heart rate (paper, section 2)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are first used

from ppglib.files import InputError
from ppglib.task import BAND, HR_RANGE, LENGTH, RATE, STEP_SECONDS

REASONS = ("no label", "HR outside [{:.0f}, {:.0f})".format(*HR_RANGE), "non-finite", "gap", "zero variance")
LARGEST = 1e15  # beyond it the variance of a float32 window may overflow
BRIDGED = 0.2  # seconds: an interpolated hole of so long costs nothing, one of 0.3 s 0.1 BPM
MAX_STAMP_GAP = 2.5  # sampling periods between two time stamps; beyond it, signal is missing (see `bridged`)


@dataclass(frozen=True)
class Recording:
    """One continuous recording of one person, as published, before any processing.

    dataset, person, name: who and which; `person` is unique within `dataset`, and two
        recordings of one person carry the same `person`, so that a split can keep them together.
    ppg: (channels, samples) float64 at the native rate, NaN and all, as published.
    rate: sampling rate in Hz (nominal if `time` is given).
    hr: (windows,) float64 BPM of the window [i * step, i * step + 8) s; NaN = no valid label.
    step: seconds between two labels (2 in every set but WildPPG's Hugging Face file, 8).
    time: (samples,) float64 seconds since the start of window 0, increasing, only where the
        rate is not constant; None means that sample k was taken at k / rate.
    bridged: seconds between two time stamps, beyond which signal is missing; None = 2.5 sampling periods.
    gaps: sample ranges [start, stop) in which the device recorded nothing (a constant fill, say).
    breaks: sample indices at which the signal starts anew (not continuous with what is before).
    activity: (windows,) str, or None where none is published.
    simulated: True if the files were written by `ppglib.simulate`.
    notes: what the reader found worth telling (faults, gaps, guesses), one sentence each."""

    dataset: str
    person: str
    name: str
    ppg: np.ndarray
    rate: float
    hr: np.ndarray
    step: float = STEP_SECONDS
    time: np.ndarray | None = None
    bridged: float | None = None
    gaps: tuple[tuple[int, int], ...] = ()
    breaks: tuple[int, ...] = ()
    activity: np.ndarray | None = None
    simulated: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Windows:
    """Windows of one or more sets: continuous signals, and where each window starts in them.

    signal: (samples,) float32, the filtered 25-Hz signals of all recordings, end to end. table: one row a
    window: start (index into `signal`), hr (BPM), dataset, person, recording, activity ("" = none
    published), second (start within its recording), simulated.
    dropped: one row per recording and reason: dataset, person, recording, reason, windows.
    recordings: one row a recording: dataset, person, recording, simulated, samples (25 Hz), missing (of them in gaps),
    holes (number of gaps), rate (Hz, native), step (s), notes."""

    signal: np.ndarray
    table: pd.DataFrame
    dropped: pd.DataFrame
    recordings: pd.DataFrame

    def digest(self) -> str:
        """SHA-256 over everything that training sees: signal, starts, labels, people."""
        sha = hashlib.sha256(np.ascontiguousarray(self.signal))
        for column in ("start", "hr"):
            sha.update(np.ascontiguousarray(self.table[column].to_numpy()))
        sha.update("\n".join(self.table.dataset + "/" + self.table.person).encode())
        return sha.hexdigest()


def build(recordings: Iterable[Recording], everyone: bool = True) -> Windows:
    """Filter, resample, cut and label; drop and count what cannot be used (see REASONS).

    Raises InputError if a person ends up without a single valid window, unless `everyone` is False."""
    signals, tables, dropped, read, offset = [], [], [], [], 0
    for recording in recordings:
        signal, *masks = even_signal(recording)
        table, reasons = _cut(recording, signal, *masks)
        keep = reasons == ""
        tables.append(table[keep].assign(start=lambda t, offset=offset: t.start + offset))
        counts = pd.Series(reasons[~keep]).value_counts()
        who = (recording.dataset, recording.person, recording.name)
        dropped += [(*who, reason, n) for reason, n in counts.items()]
        missing = np.append(False, masks[0]).astype(int)
        about = len(signal), missing.sum(), (np.diff(missing) > 0).sum(), float(recording.rate), float(recording.step)
        read.append((*who, recording.simulated, *about, " ".join(recording.notes)))
        signals.append(signal.astype(np.float32))
        offset += len(signal)
    if not tables:
        raise InputError("No recordings to make windows of: check the data folder.")
    key = ["dataset", "person", "recording"]
    windows = Windows(
        np.concatenate(signals),
        pd.concat(tables, ignore_index=True),
        pd.DataFrame(dropped, columns=[*key, "reason", "windows"]),
        pd.DataFrame(read, columns=[*key, "simulated", "samples", "missing", "holes", "rate", "step", "notes"]),
    )
    if everyone:
        _check_people(windows)
    return windows


def even_signal(recording: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Signal at 25 Hz, filtered: (samples,) float64, masks of gap and non-finite, and how often it changed.

    Channels of one sensor head are averaged (the filter is linear). Missing stretches are bridged by a line
    so that the filter can run, and marked, so that no window uses them."""
    with np.errstate(invalid="ignore", over="ignore"):
        raw = recording.ppg.mean(axis=0)
        broken = ~(np.abs(raw) < LARGEST)  # NaN and infinity too
    gap = np.zeros(len(raw), bool)
    for start, stop in recording.gaps:
        gap[start:stop] = True
    usable = ~(broken | gap)
    moves = np.cumsum(np.append(False, raw[1:] != raw[:-1]))  # how often the value has changed so far
    if not usable.any():
        raw = np.zeros(len(raw))
    elif not usable.all():
        raw = np.interp(np.arange(len(raw)), np.flatnonzero(usable), raw[usable])
    time, thousandths = recording.time, round(recording.rate * 1000)
    drift = abs(thousandths / 1000 / recording.rate - 1) * len(raw) / recording.rate  # seconds at the end
    if time is None and drift > 0.5 / RATE and not recording.breaks:  # an uneven rate, for hours
        time = np.arange(len(raw)) / recording.rate
    if time is not None:
        return _from_stamps(recording, time, raw, gap, broken, moves)
    pieces = np.split(raw, list(recording.breaks))
    if len({len(piece) for piece in pieces}) == 1:  # thousands of equal ones are filtered in one go
        pieces = [np.stack(pieces)]
    filtered = [_bandpass(piece, recording.rate) for piece in pieces]
    if recording.rate != RATE:  # up / down is reduced by the common divisor
        filtered = [scipy.signal.resample_poly(piece, RATE * 1000, thousandths, axis=-1) for piece in filtered]
    signal = np.concatenate([piece.ravel() for piece in filtered])
    native = np.minimum(np.round(np.arange(len(signal)) * recording.rate / RATE).astype(int), len(raw) - 1)
    # The neighbours of a bad sample leak into the even grid, so masks are widened by one grid step.
    return signal, _widen(gap, native), _widen(broken, native), moves[native]


def _from_stamps(recording, time, raw, gap, broken, moves):
    finer = max(1, round(recording.rate / RATE))  # filtered before it is thinned, or noise would fold in
    grid = np.arange(int(np.floor(time[-1] * RATE)) * finer + 1) / (RATE * finer)
    signal = _bandpass(np.interp(grid, time, raw), RATE * finer)[::finer]
    grid = grid[::finer]
    after = np.clip(np.searchsorted(time, grid), 1, len(time) - 1)
    before = after - 1
    limit = MAX_STAMP_GAP if recording.bridged is None else recording.bridged * recording.rate
    far = (time[after] - time[before]) * recording.rate > limit
    outside = (grid < time[0]) | (grid > time[-1])
    missing = far | outside | gap[before] | gap[after]
    return signal, missing, broken[before] | broken[after], moves[before]


def _bandpass(signal: np.ndarray, rate: float) -> np.ndarray:
    """Forwards and backwards, as `scipy.signal.sosfiltfilt`, along the last axis."""
    sos, settled = _filter(rate)
    # odd padding of two periods of the lowest pass frequency, or what a short piece allows
    pad = min(signal.shape[-1] - 1, int(rate / BAND[0]) * 2)
    signal = np.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(pad, pad)], "reflect", reflect_type="odd")
    state = settled.reshape(len(sos), *[1] * (signal.ndim - 1), 2)
    for _ in range(2):
        signal = scipy.signal.sosfilt(sos, signal, zi=state * signal[..., :1])[0][..., ::-1]
    return signal[..., pad : signal.shape[-1] - pad]


@lru_cache(maxsize=32)
def _filter(rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Sections (n, 6) of the filter and their settled states: to design it takes longer than to filter a window."""
    sos = scipy.signal.butter(4, BAND, "bandpass", fs=rate, output="sos")
    return sos, _settled(sos)


def _settled(sos: np.ndarray) -> np.ndarray:
    """State of each section after a constant input of 1, (sections, 2), as `scipy.signal.sosfilt_zi`.

    That asks BLAS, whose last bits depend on the processor: of all windows then, of their digest, and of the ids
    of all records. Here are two equations with two unknowns, by elimination."""
    states, scale = [], 1.0
    for b0, b1, b2, _, a1, a2 in sos.tolist():
        rows = [(1 + a1, -1.0, b1 - a1 * b0), (a2, 1.0, b2 - a2 * b0)]
        (p, q, u), (r, t, v) = sorted(rows, key=lambda row: -abs(row[0]))
        share = r * (1 / p)
        second = (v - share * u) / (t - share * q)
        states.append((scale * ((u - q * second) / p), scale * second))
        scale *= (b0 + b1 + b2) / (1 + a1 + a2)
    return np.array(states)


def _widen(mask: np.ndarray, native: np.ndarray) -> np.ndarray:
    if not mask.any():
        return mask[native]
    count = np.concatenate([[0], np.cumsum(mask)])
    step = max(1, int(np.ceil(np.diff(native).max(initial=1))))
    return count[np.minimum(native + step + 1, len(mask))] > count[np.maximum(native - step, 0)]


def _cut(recording: Recording, signal, gap, broken, moves) -> tuple[pd.DataFrame, np.ndarray]:
    hr = np.asarray(recording.hr, float)
    start = np.round(np.arange(len(hr)) * recording.step * RATE).astype(np.int64)
    inside = start + LENGTH <= len(signal)
    stop = np.minimum(start + LENGTH, len(signal))

    def count(mask, skip=0):
        total = np.concatenate([[0], np.cumsum(mask)])
        return total[stop] - total[np.minimum(start + skip, stop)]

    breaks = np.zeros(len(signal), bool)
    for index in recording.breaks:
        breaks[round(index * RATE / recording.rate)] = True
    spans = count(breaks, skip=1) > 0  # a window may start at a break but not span one
    out_of_range = ~((hr >= HR_RANGE[0]) & (hr < HR_RANGE[1]))  # NaN too, which has a reason of its own
    tests = [np.isnan(hr), out_of_range, count(broken) > 0, ~inside | spans | (count(gap) > 0)]
    tests.append(count(np.diff(moves, prepend=moves[:1]) > 0, skip=1) == 0)  # constant in the native signal
    reasons = np.select(tests, REASONS, default="")
    activity = recording.activity if recording.activity is not None else np.full(len(hr), "")
    names = {"dataset": recording.dataset, "person": recording.person, "recording": recording.name}
    table = pd.DataFrame({"start": start, "hr": hr} | names)
    second = np.arange(len(hr)) * recording.step
    told = {"activity": np.asarray(activity, str), "second": second, "simulated": recording.simulated}
    return table.assign(**told), reasons


def _check_people(windows: Windows) -> None:
    read, kept = (dict.fromkeys(zip(t.dataset, t.person)) for t in (windows.recordings, windows.table))
    without = [someone for someone in read if someone not in kept]
    for dataset, person in without[:1]:
        rows = windows.dropped.query("dataset == @dataset and person == @person")
        lost = ", ".join(f"{n} x {r}" for r, n in rows.groupby("reason").windows.sum().items())
        why = f"has no valid window ({lost or 'shorter than 8 s'}): check or leave out that recording"
        raise InputError(f"Person {person} of {dataset} {why}.")


def gather(signal: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The windows that begin at `start`, each z-scored: (N, 200) float32."""
    windows = signal[np.asarray(start)[:, None] + np.arange(LENGTH)].astype(np.float32)
    windows -= windows.mean(axis=1, keepdims=True)
    return windows / windows.std(axis=1, keepdims=True)
