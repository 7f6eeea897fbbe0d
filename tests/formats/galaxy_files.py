"""Simulated GalaxyPPG: CSV files of three devices with three clocks, in GalaxyPPG.zip or as a tree."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from formats import body
from ppglib import simulate

PPG_RATE, ECG_RATE = 24.897, 130.487  # Hz
START = 1_700_000_000_000  # ms UTC of the first ECG sample
KST = 32_400_000  # ms: the phone that logs the ECG keeps UTC+9
LEAD = 12.345  # seconds by which the ECG starts before the watch
WITHOUT_HR = ("P07", "P08")
SESSIONS = {"rest": "baseline", "walk": "walking", "run": "running", "recover": "rest"}
PAUSE = 6.0  # seconds between two sessions


def people(count: int, minutes: float, seed: int = 0) -> dict[str, simulate.Person | None]:
    """P01, who wore no watch, and `count` people who did."""
    worn = {f"P{number:02d}": simulate.person(seed + number, minutes) for number in range(2, count + 2)}
    return {"P01": None} | worn


def write(folder: Path, people: dict[str, simulate.Person | None], zipped: bool = True) -> dict[str, dict]:
    """Write the set; returns per person the faults of the watch's PPG: `repeated` stamps, `bad` samples
    (status -999), `gaps` and `gap_seconds` of missing rows, and the `sessions` as (name, start, stop) s."""
    folder.mkdir(parents=True, exist_ok=True)
    faults, files = {}, {"Dataset/Meta.csv": pd.DataFrame({"UID": list(people), "AGE": 24, "GENDER": "F"})}
    for name, person in people.items():
        files |= {f"Dataset/{name}/{path}": table for path, table in _phone(name, person).items()}
        if person is not None:
            watch, faults[name] = _watch(name, person)
            files |= {f"Dataset/{name}/GalaxyWatch/{path}": table for path, table in watch.items()}
    if zipped:
        with zipfile.ZipFile(folder / "GalaxyPPG.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path, table in files.items():
                archive.writestr(path, table.to_csv(index=False))
    else:
        for path, table in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            table.to_csv(folder / path, index=False)
    return faults


def shifted(person: simulate.Person) -> np.ndarray:
    """R-peaks in seconds since the watch's first sample, the start of window 0."""
    return person.r_peaks - LEAD


def _watch(name: str, person: simulate.Person) -> tuple[dict[str, pd.DataFrame], dict]:
    rng = np.random.default_rng([8, person.seed])
    time = np.arange(int((person.seconds - LEAD) * PPG_RATE)) / PPG_RATE  # since the watch's first sample
    light = np.interp(time + LEAD, np.arange(round(person.seconds * 50)) / 50, simulate.ppg(person, 50)[0])
    table = pd.DataFrame(
        {
            "dataReceived": np.round(START + LEAD * 1000 + np.ceil(time / 10) * 10_000).astype(np.int64),
            "timestamp": np.round(START + (LEAD + time) * 1000).astype(np.int64),
            "ppg": np.round(2_000_000 - 20_000 * light).astype(np.int64),  # inverted
            "status": np.where(rng.random(len(time)) < 0.02, 500, 0),
        }
    )
    third = len(time) // 3
    first, second = (int(min(third - 1, rng.uniform(100, 300))) for _ in range(2))
    taken = slice(third, third + first)  # samples that a sensor of higher priority took
    table.loc[taken.start : taken.stop - 1, ["ppg", "status"]] = (0, -999)
    lost = slice(2 * third, 2 * third + second)  # rows that are not there
    repeated = rng.choice(third, 5, replace=False)
    rows = np.sort(np.concatenate([np.delete(np.arange(len(time)), np.r_[lost]), repeated]))
    stamp = table["timestamp"].to_numpy()
    faults = {
        "repeated": len(repeated),
        "bad": taken.stop - taken.start,
        "gaps": 1,
        "gap_seconds": (stamp[lost.stop] - stamp[lost.start - 1]) / 1000,
    }
    files = {
        "PPG.csv": table.iloc[rows],
        "ACC.csv": pd.DataFrame({"timestamp": stamp, "x": 0.0, "y": 0.0, "z": 4096.0}),
    }
    if name not in WITHOUT_HR:
        files["HR.csv"] = pd.DataFrame({"timestamp": stamp[::25], "hr": 80, "hrStatus": 1})
    return files, faults | {"sessions": tuple(_sessions(person))}


def _sessions(person: simulate.Person):
    """(name, start s, stop s) since the watch's first sample, a pause between any two."""
    for number, (start, stop, activity) in enumerate(person.spans):
        yield f"{SESSIONS[activity]}-{number + 1}", max(start, LEAD) - LEAD + PAUSE, stop - LEAD - PAUSE


def _phone(name: str, person: simulate.Person | None) -> dict[str, pd.DataFrame]:
    """Files of the chest strap, the Empatica E4 and the protocol, which P01 has too."""
    person = person or simulate.person(0, 1.0)
    ecg = np.round(1000 * body.ecg(person, ECG_RATE)).astype(np.int64)
    time = np.arange(len(ecg)) / ECG_RATE
    phone = np.round(START + KST + 1000 * time).astype(np.int64)
    bvp = simulate.ppg(person, 64)[0]
    e4 = np.round(1000 * (START + 1000 * np.arange(len(bvp)) / 64)).astype(np.int64)  # microseconds
    beats = np.round(START + KST + 1000 * person.r_peaks[1:]).astype(np.int64)
    rr = np.round(1000 * np.diff(person.r_peaks)).astype(np.int64)
    events = [
        (round(START + 1000 * (LEAD + at)), session, status)
        for session, start, stop in _sessions(person)
        for at, status in ((start, "ENTER"), (stop, "EXIT"))
    ]
    return {
        "PolarH10/ECG.csv": pd.DataFrame(
            {"phoneTimestamp": phone, "sensorTimestamp": np.round(time * 1e9).astype(np.int64), "ecg": ecg}
        ),
        "PolarH10/HR.csv": pd.DataFrame({"phoneTimestamp": beats, "hr": np.round(60_000 / rr).astype(int)}),
        "PolarH10/IBI.csv": pd.DataFrame({"phoneTimestamp": beats, "duration": rr}),
        "PolarH10/ACC.csv": pd.DataFrame({"phoneTimestamp": phone[:1], "X": 0, "Y": 0, "Z": 1000}),
        "E4/BVP.csv": pd.DataFrame({"value": np.round(50 * bvp, 2), "timestamp": e4}),
        "Event.csv": pd.DataFrame(events, columns=["timestamp", "session", "status"]),
    }
