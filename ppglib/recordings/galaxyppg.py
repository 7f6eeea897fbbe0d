"""GalaxyPPG (Park, Zheng & Lee 2025): 24 people, Galaxy Watch PPG, heart rate from a Polar H10's ECG.

CSV files of one folder per person, in GalaxyPPG.zip or unpacked. Three devices keep three clocks; the
wrist's, in ms UTC, is the one used here.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib.files import InputError
from ppglib.recordings import archives, ecg
from ppglib.recordings.base import window_count
from ppglib.task import STEP_SECONDS, WINDOW_SECONDS
from ppglib.windows import Recording

DATASET = "galaxyppg"
PPG_RATE, ECG_RATE = 24.897, 130.487  # Hz, as measured on the time stamps of the published files
RATE_TOLERANCE = 0.02
KST = 32_400_000  # ms: the phone that logged the Polar H10 kept Korean time
USABLE = (0, 500)  # status: ok, no status; -999 = the sensor was taken away
WITHOUT_WATCH = ("P01",)
LONGEST = 48.0  # hours; one damaged time stamp must not ask for years of signal
PERIODS = 2.5  # sampling periods between two stamps: beyond, samples are missing


def read(folder: Path) -> Iterator[Recording]:
    """Recordings of P02..P24 (P01 wore no watch), one at a time."""
    with archives.members(folder) as found:
        watch, heart, events = (
            archives.by_person(found, rf"(P\d+)/{name}")
            for name in ("GalaxyWatch/PPG.csv", "PolarH10/ECG.csv", "[Ee]vent.csv")
        )
        people = sorted(watch.keys() | heart.keys() | events.keys())
        if not people or set(people) <= set(WITHOUT_WATCH) - watch.keys():
            raise InputError(
                f"No P02/GalaxyWatch/PPG.csv and the like in {folder}: "
                "get the set with `python -m ppglib fetch paper --only galaxyppg`."
            )
        notes: tuple[str, ...] = ()
        for person in people:
            if person in WITHOUT_WATCH and person not in watch:
                notes += (f"{person} wore no Galaxy Watch and is left out.",)
                continue
            files = {"GalaxyWatch/PPG.csv": watch, "PolarH10/ECG.csv": heart, "Event.csv": events}
            for name, of_person in files.items():
                if person not in of_person:
                    raise InputError(
                        f"{folder}: {person} has no {name}: fetch the set again or leave {person} out."
                    )
            recording = _recording(person, watch[person], heart[person], events[person])
            yield replace(recording, notes=notes + recording.notes)
            del recording  # or it would stay while the next one is read
            notes = ()


def _recording(person: str, watch, heart, events) -> Recording:
    ppg = _table(watch, "timestamp", ["timestamp", "ppg", "status"])
    stamp = _stamps(watch.name, ppg["timestamp"])
    first = np.concatenate([[True], np.diff(stamp) > 0])  # a sample sent twice counts once
    ppg, stamp = ppg[first], stamp[first]
    _check_rate(watch.name, stamp, PPG_RATE)
    chest = _table(heart, "phoneTimestamp", ["phoneTimestamp", "ecg"])
    chest_stamp = _spread(_stamps(heart.name, chest["phoneTimestamp"] - KST))
    _check_rate(heart.name, chest_stamp, ECG_RATE)
    if chest_stamp[0] > stamp[-1] or stamp[0] > chest_stamp[-1]:
        raise InputError(
            f"{heart.name} and {watch.name} do not overlap in time once the ECG's clock, UTC+9, "
            "is set back by nine hours."
        )
    time, signal = stamp - stamp[0], chest["ecg"].to_numpy()
    windows = window_count(time[-1], 1.0)
    hr, vetoed = ecg.window_hr(signal, ECG_RATE, windows, heart.name, chest_stamp - stamp[0])
    bad, steps = ~ppg["status"].isin(USABLE).to_numpy(), np.diff(time)
    missing = steps[steps * PPG_RATE > PERIODS]
    faults = (
        f"{person}: {int((~first).sum())} repeated time stamps, {int(bad.sum())} samples with a bad status, "
        f"{len(missing)} gaps of {missing.sum():.1f} s."
    )
    labels = f"{person}: {int(np.isnan(hr).sum())} of {windows} windows without a heart rate, {vetoed} by the veto."
    return Recording(
        DATASET,
        person,
        person,
        -ppg["ppg"].to_numpy()[None],  # upside down against the other sets
        PPG_RATE,
        hr,
        time=time,
        gaps=_ranges(bad),
        activity=_sessions(events, stamp[0], windows),
        notes=(faults, labels),
    )


def _table(
    member: archives.Member, clock: str, numbers: list[str], texts: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Columns of a CSV file, numbers as float64; the column `clock` must be finite in every row."""
    kinds = dict.fromkeys(numbers, float) | dict.fromkeys(texts, str)
    with member.open() as stream:
        table = pd.read_csv(stream, usecols=lambda name: name in kinds, dtype=kinds)
    for column in kinds:
        if column not in table:
            raise InputError(f"{member.name} has no column {column!r}: it is not the published file.")
    if len(table) < 2:
        raise InputError(f"{member.name} holds {len(table)} rows, too few for one window.")
    if not np.isfinite(table[clock]).all():
        raise InputError(f"{member.name}: {clock!r} is empty or not finite in some row.")
    return table


def _stamps(name: str, milliseconds: pd.Series) -> np.ndarray:
    """Time stamps in seconds, checked to run forwards and over a span that a recording can have."""
    stamp = milliseconds.to_numpy() / 1000
    back = np.flatnonzero(np.diff(stamp) < 0)
    if len(back):
        raise InputError(
            f"{name}: the time stamps run backwards at row {back[0] + 3}, so no time is certain."
        )
    if stamp[-1] - stamp[0] > LONGEST * 3600:
        raise InputError(f"{name} spans {(stamp[-1] - stamp[0]) / 3600:.0f} h: a time stamp must be wrong.")
    return stamp


def _check_rate(name: str, stamp: np.ndarray, published: float) -> None:
    """The rate between gaps must be the published one within 2 %."""
    period = np.diff(stamp)
    period = period[period * published < PERIODS]
    rate = len(period) / period.sum() if period.sum() > 0 else 0.0
    if abs(rate - published) > RATE_TOLERANCE * published:
        raise InputError(f"{name} is sampled at {rate:.2f} Hz, published is {published} Hz.")


def _spread(stamp: np.ndarray) -> np.ndarray:
    """Samples that arrived together under one stamp, spread evenly until the next stamp."""
    first = np.flatnonzero(np.concatenate([[True], np.diff(stamp) > 0]))
    return np.interp(np.arange(len(stamp)), first, stamp[first])


def _ranges(mask: np.ndarray) -> tuple[tuple[int, int], ...]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return tuple(zip(edges[::2].tolist(), edges[1::2].tolist()))


def _sessions(events: archives.Member, origin: float, windows: int) -> np.ndarray:
    """The session that a window lies in from end to end, "" between sessions, (windows,) str."""
    table = _table(events, "timestamp", ["timestamp"], ("session", "status"))
    start = origin + STEP_SECONDS * np.arange(windows)
    names = np.full(windows, "", dtype=object)
    entered = {}
    for at, session, status in table[["timestamp", "session", "status"]].itertuples(index=False):
        if str(status).upper() == "ENTER":
            entered[session] = at / 1000
        elif str(status).upper() == "EXIT" and session in entered:
            names[(start >= entered.pop(session)) & (start + WINDOW_SECONDS <= at / 1000)] = session
        else:
            raise InputError(
                f"{events.name}: session {session!r} has status {status!r} without an ENTER before."
            )
    return names.astype(str)
