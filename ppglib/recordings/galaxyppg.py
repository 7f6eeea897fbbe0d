"""GalaxyPPG (Park, Zheng & Lee 2025): 24 people, Galaxy Watch PPG, heart rate from a Polar H10's ECG.

CSV files of one folder per person, in GalaxyPPG.zip or unpacked, on the clock of the watch (ms UTC)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib.files import InputError, short
from ppglib.recordings import archives, ecg
from ppglib.recordings.base import RATE_TOLERANCE, check_forwards, constant_runs, read_table, window_count
from ppglib.recordings.sources import how_to_get
from ppglib.task import STEP_SECONDS, WINDOW_SECONDS
from ppglib.windows import MAX_STAMP_GAP, Recording

DATASET = "galaxyppg"
PPG_RATE, ECG_RATE = 24.897, 130.487  # Hz, as measured on the time stamps of the published files
KST = 32_400_000  # ms: the phone that logged the Polar H10 kept Korean time
USABLE = (0, 500)  # status: ok, no status; -999 = the sensor was taken away
WITHOUT_WATCH = ("P01",)
FILES = ("GalaxyWatch/PPG.csv", "PolarH10/ECG.csv", "Event.csv")
LONGEST = 48.0  # hours; one damaged time stamp must not ask for years of signal


def read(folder: Path) -> Iterator[Recording]:
    """Recordings of P02..P24 (P01 wore no watch), one at a time."""
    with archives.members(folder) as found:
        files = {name: archives.by_person(found, rf"(P\d+)/(?i:{name})") for name in FILES}
        people = sorted(set().union(*files.values()))
        absent = [person for person in WITHOUT_WATCH if person in people and person not in files[FILES[0]]]
        if people == absent:
            raise InputError(f"No P02/GalaxyWatch/PPG.csv and the like in {folder}: {how_to_get(DATASET)}.")
        notes = tuple(f"{person} wore no Galaxy Watch and is left out." for person in absent)
        for person in sorted(set(people) - set(absent)):
            if lacking := [name for name in FILES if person not in files[name]]:
                lacks = f"{person} has no {lacking[0]}"
                raise InputError(f"{folder}: {lacks}: fetch it again or leave {person} out.")
            yield _recording(person, *(files[name][person] for name in FILES), notes)
            notes = ()


def _recording(person: str, watch, heart, events, notes: tuple[str, ...]) -> Recording:
    ppg = read_table(watch, "timestamp", "ppg", "status")
    stamp = _stamps(watch.name, ppg["timestamp"])
    first = np.diff(stamp, prepend=-np.inf) > 0  # a sample sent twice counts once
    ppg, stamp = ppg[first], stamp[first]
    _check_rate(watch.name, stamp, PPG_RATE)
    chest = read_table(heart, "phoneTimestamp", "ecg")
    chest_stamp = _spread(_stamps(heart.name, chest["phoneTimestamp"] - KST))
    _check_rate(heart.name, chest_stamp, ECG_RATE)
    if chest_stamp[0] > stamp[-1] or stamp[0] > chest_stamp[-1]:
        raise InputError(f"{heart.name} and {watch.name} do not overlap in time if the ECG's clock is UTC+9.")
    time, signal = stamp - stamp[0], chest["ecg"].to_numpy()
    windows = window_count(time[-1], 1.0)
    hr, vetoed = ecg.window_hr(signal, ECG_RATE, windows, heart.name, chest_stamp - stamp[0])
    bad, steps = ~ppg["status"].isin(USABLE).to_numpy(), np.diff(time)
    missing = steps[steps * PPG_RATE > MAX_STAMP_GAP]
    notes += (
        f"{person}: {int((~first).sum())} repeated time stamps, {int(bad.sum())} samples with a bad status, "
        f"{len(missing)} gaps of {missing.sum():.1f} s.",
        f"{person}: {int(np.isnan(hr).sum())} of {windows} windows without a heart rate, {vetoed} by the veto.",
    )
    signal = -ppg["ppg"].to_numpy()[None]  # it is upside down against the other sets
    more = {"gaps": tuple(run for run in constant_runs(bad) if bad[run[0]]), "notes": notes}
    activity = _sessions(events, stamp[0], windows)
    return Recording(DATASET, person, person, signal, PPG_RATE, hr, time=time, activity=activity, **more)


def _stamps(name: str, milliseconds: pd.Series) -> np.ndarray:
    """Time stamps in seconds, checked to run forwards and over a span that a recording can have."""
    stamp = milliseconds.to_numpy() / 1000
    if len(stamp) < 2:
        raise InputError(f"{name} holds {len(stamp)} rows, too few for one window.")
    check_forwards(name, stamp)
    if stamp[-1] - stamp[0] > LONGEST * 3600:
        raise InputError(f"{name} spans {(stamp[-1] - stamp[0]) / 3600:.0f} h: a time stamp must be wrong.")
    return stamp


def _check_rate(name: str, stamp: np.ndarray, published: float) -> None:
    """The rate between gaps must be the published one within 2 %."""
    period = np.diff(stamp)
    period = period[period * published < MAX_STAMP_GAP]
    rate = len(period) / period.sum() if period.sum() > 0 else 0.0
    if abs(rate - published) > RATE_TOLERANCE * published:
        raise InputError(f"{name} is sampled at {rate:.2f} Hz, published is {published} Hz.")


def _spread(stamp: np.ndarray) -> np.ndarray:
    """Samples that arrived together under one stamp, spread evenly until the next stamp."""
    first = np.flatnonzero(np.diff(stamp, prepend=-np.inf) > 0)
    return np.interp(np.arange(len(stamp)), first, stamp[first])


def _sessions(events: archives.Member, origin: float, windows: int) -> np.ndarray:
    """The session that a window lies in from end to end, "" between sessions, (windows,) str."""
    table = read_table(events, "timestamp", texts=("session", "status"))
    start = origin + STEP_SECONDS * np.arange(windows)
    names = np.full(windows, "", dtype=object)
    entered = {}
    for at, session, status in table[["timestamp", "session", "status"]].itertuples(index=False):
        if str(status).upper() == "ENTER":
            entered[session] = at / 1000
        elif str(status).upper() == "EXIT" and session in entered:
            names[(start >= entered.pop(session)) & (start + WINDOW_SECONDS <= at / 1000)] = session
        else:
            raise InputError(f"{events.name}: session {short(session)} is {short(status)} without an ENTER before.")
    return names.astype(str)
