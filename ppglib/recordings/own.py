"""Your own recordings: for each person NAME a table NAME.ppg.csv and one with labels, NAME.hr.csv; see data/README.md.

Several recordings of one person are NAME.SESSION.ppg.csv, or files in a folder NAME."""

import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from ppglib.files import InputError
from ppglib.recordings import archives, columns, holes, labels, stamps
from ppglib.recordings.base import in_windows, window_count
from ppglib.task import STEP_SECONDS
from ppglib.windows import BRIDGED, Recording

DATASET = "own"
KINDS = ("hr", "beats", "rr", "ecg")  # of tables with labels
RATES = (16.0, 1000.0)  # Hz: twice the upper edge of the pass band, 4 Hz, and a margin; more carries nothing
PAUSE = 600.0  # seconds without signal, after which another recording begins
EVEN = 0.1  # sampling periods: stamps that stray less from an even grid are taken as even
SPARSE = 100  # points of the even grid for each sample
ACTIVITIES = 100  # different ones


def read(folder: Path) -> Iterator[Recording]:
    """The recordings of all people, one after the other, or the first InputError."""
    with sessions(folder) as (found, problems, notes):
        if problems:
            raise InputError(problems[0])
        for _, make in found:
            for recording in make(notes):
                yield recording
                notes = ()


@contextmanager
def sessions(folder: Path) -> Iterator[tuple[list[tuple[str, Callable]], list[str], tuple[str, ...]]]:
    """What is in the folder: (person, function of notes that yields recordings) of each session, sentences about
    what is wrong with the files as a whole, and notes about files that are not used."""
    with archives.members(folder, archives.OWN) as found:
        tables, problems, unused, names = {}, [], [], {}
        for member in found:
            top = member.path.split("/")[0]  # the folder that was packed is nobody's name
            packed = top == DATASET or f"{top}.zip/" in member.name
            *who, kind = _parts(member.path.removeprefix(f"{top}/") if packed else member.path) or (None,)
            if kind is None:
                unused.append(member.path)
                continue
            person = names.setdefault(who[0].casefold(), who[0])  # one person, however the name is typed
            slot = tables.setdefault((person, who[1].casefold()), {"name": f"{person}.{who[1]}".strip(".")})
            other = slot.setdefault("ppg" if kind == "ppg" else "hr", (member, kind))
            if other[0] is not member:
                copies = f"{member.name} and {other[0].name} are two copies of participant {slot['name']}"
                problems.append(f"{copies}: keep one.")
        for slot in tables.values():
            if lacking := [kind for kind in ("ppg", "hr") if kind not in slot]:
                needed = f"both {slot['name']}.ppg and {slot['name']}.hr are needed"
                problems.append(f"{folder}: {slot['name']} has no .{lacking[0]} table: {needed}.")
        if not any("ppg" in slot for slot in tables.values()):
            problems = [f"No NAME.ppg.csv or NAME.ppg.parquet in {folder}: each person needs one."]
        whole = {key: slot for key, slot in tables.items() if "ppg" in slot and "hr" in slot}
        order = sorted(whole, key=lambda key: [archives.by_number(part.casefold()) for part in key])
        more = f" and {len(unused) - 20} more" if len(unused) > 20 else ""
        notes = (f"Not used: {', '.join(unused[:20])}{more}.",) if unused else ()
        yield [(key[0], partial(_recordings, key[0], whole[key])) for key in order], problems, notes


def _parts(path: str) -> tuple[str, str, str] | None:
    """Person, session ("" = the only one) and kind of a table, None for any other file."""
    *folders, file = PurePosixPath(unicodedata.normalize("NFC", path)).parts
    words = file.split(".")
    ending = {"csv": 1, "parquet": 1, "gz": 2}.get(words[-1].lower(), 0)
    if not ending or (ending == 2 and words[-2].lower() != "csv"):
        return None
    *words, kind = words[:-ending] or [""]
    if kind.lower() not in ("ppg", *KINDS):
        return None
    who = [word.strip() for word in (*folders, *words) if word.strip()]
    return (who[0], ".".join(who[1:]), kind.lower()) if who else None


def _recordings(person: str, files: dict, notes: tuple[str, ...]) -> Iterator[Recording]:
    name, (ppg_file, _), (hr_file, kind) = files["name"], files["ppg"], files["hr"]
    table = columns.read(ppg_file, "time", "ppg", "activity")
    columns.need(ppg_file, table, "time", "ppg")
    time, rate, told = stamps.of_samples(ppg_file.name, table.time.to_numpy(), *RATES)
    ppg, good, lost = holes.find(table.ppg.to_numpy(), rate)
    said = table.attrs["notes"] + [told] * bool(told) + [f"{seconds:.1f} s left out ({cause})." for cause, seconds in lost.items()]
    if not good.any():
        raise InputError(f"{ppg_file.name} holds no signal ({' '.join(said)}): check the column `ppg`.")
    rows, label, phase, more = labels.read(hr_file, kind == "beats", time[0])
    said += rows.attrs["notes"]
    if "start" in rows or "time" in rows:
        clocks = table.attrs["clock"], rows.attrs["clock"]
        if clocks[0] != clocks[1]:
            counts = f"{ppg_file.name} counts time in {clocks[0]}, {hr_file.name} in {clocks[1]}"
            raise InputError(f"{counts}: use one clock.")
    active = next((t for t in (table, rows) if "activity" in t and ("time" in t or "start" in t)), None)
    keep = np.flatnonzero(good)
    pieces = np.split(keep, np.flatnonzero(np.diff(time[keep]) > PAUSE) + 1)
    said = tuple(f"{name}: {sentence}" for sentence in (*said, *more))
    made, unlabelled = [], True
    for number, piece in enumerate(pieces, 1):
        span = slice(piece[0], piece[-1] + 1)
        origin = time[span.start]
        while phase is not None and span.stop - span.start > 1:  # windows begin where the labelled ones do
            origin = phase + STEP_SECONDS * np.ceil((time[span.start] - phase - BRIDGED) / STEP_SECONDS)
            span = slice(span.start + int(np.searchsorted(time[span], origin)), span.stop)
            if span.stop == span.start or time[span.start] - origin <= BRIDGED:
                break  # else a hole is there
        if span.stop - span.start < 2:
            continue
        origin = time[span.start]
        even, at = _placed(ppg_file.name, time[span] - origin, ppg[span], good[span], rate)
        hr = label(origin, window_count(time[span.stop - 1] - origin + 1 / rate, 1.0))
        unlabelled &= np.isnan(hr).all()
        does = None if active is None else _activities(hr_file.name, active, origin, len(hr))
        part = name if len(pieces) == 1 else f"{name} part {number}"
        told = () if made else (*notes, *said)
        made.append(Recording(DATASET, person, part, even, hr=hr, activity=does, notes=told, **at))
    if unlabelled:
        why = f" ({' '.join(more)})" if more else ""
        raise InputError(f"{hr_file.name} has no heart rate within the 8-s windows of {ppg_file.name}{why}.")
    yield from made


def _placed(name: str, time, ppg, good, rate: float) -> tuple[np.ndarray, dict]:
    """Samples on an even grid with gaps, if the stamps are even, or those that are signal with their stamps."""
    mean_rate = (len(time) - 1) / time[-1]
    if time[-1] * rate > SPARSE * len(time):
        raise InputError(f"{name} has {len(time)} samples over {time[-1]:.0f} s at {rate:.3g} Hz: that is no signal.")
    at = np.flatnonzero(good)
    longest = BRIDGED + 1.25 / rate
    if np.abs(time - np.arange(len(time)) / mean_rate).max() * mean_rate >= EVEN:
        return ppg[None, at], {"rate": rate, "time": time[at], "bridged": longest}
    ppg = np.interp(np.arange(len(ppg)), at, ppg[at])
    before = np.append(-1, at[:-1])
    gaps = tuple((int(a) + 1, int(b)) for a, b in zip(before, at) if b - a > longest * mean_rate)
    return ppg[None], {"rate": mean_rate, "gaps": gaps}


def _activities(name: str, table: pd.DataFrame, origin: float, windows: int) -> np.ndarray:
    """What most rows of each window say, "" where none does, (windows,) str."""
    time = table["time" if "time" in table else "start"].to_numpy() - origin
    names = np.append("", sorted(set(table.activity) - {""}))
    if len(names) > ACTIVITIES:
        raise InputError(f"{name}: `activity` has {len(names) - 1} different texts, more than {ACTIVITIES}.")
    counts = [in_windows(time, np.where(table.activity == one, 1.0, np.nan), windows)[0] for one in names[1:]]
    counts = np.array([np.zeros(windows, int), *counts])
    return names[counts.argmax(axis=0)]
