"""Simulated PPG-DaLiA: pickles of Python 2, in the zip inside the zip, in the inner zip or as a tree."""

import zipfile
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from formats import body, python2_pickle
from ppglib import simulate
from ppglib.recordings.base import window_count

CODES = {"rest": 1, "run": 4, "walk": 7, "recover": 0}  # sitting, cycling, walking, transient
SHORT = "S6"  # stopped early: no lunch, walking or working
REPEATED_PEAKS = {"S6": 3, "S14": 1}  # R-peaks that are listed twice


def people(count: int, minutes: float, seed: int = 0) -> dict[str, simulate.Person]:
    """S1, S2, ...: `count` people; S6 stops at half time, before anyone walks."""
    return {
        name: simulate.person(seed + number, *((minutes / 2, ("rest", "run", "recover")) if name == SHORT else (minutes,)))
        for number, name in ((number, f"S{number}") for number in range(1, count + 1))
    }  # fmt: skip


def write(folder: Path, people: dict[str, simulate.Person], form: str = "outer", text: bool = False) -> None:
    """Write the set as `form`: "outer" (ppg+dalia.zip), "inner" (data.zip) or "tree"; text as in
    python2_pickle.dump."""
    folder.mkdir(parents=True, exist_ok=True)
    with _target(folder, form) as create:
        create("PPG_FieldStudy/PPG_FieldStudy_readme.pdf", lambda file: file.write(b"%PDF-1.4\n"))
        for name, person in people.items():
            content = participant(name, person)
            create(f"PPG_FieldStudy/{name}/{name}.pkl", lambda file: python2_pickle.dump(content, file, text))
            create(f"PPG_FieldStudy/{name}/{name}_E4.zip", lambda file: file.write(b"PK\x05\x06" + bytes(18)))
            create(f"PPG_FieldStudy/{name}/{name}_quest.csv", lambda file: file.write(b"# AGE,34\n"))


def participant(name: str, person: simulate.Person) -> dict:
    """Content of one pickle: nesting, keys, shapes and types as published."""
    rng = np.random.default_rng([5, person.seed])
    seconds = int(person.seconds)

    def column(rate, width=1, scale=0.0):
        # 16-bit steps, as the converters of the devices make
        return np.round(rng.normal(0, 3000, (seconds * rate, width))) * scale / 2**15

    ecg = body.ecg(person, 700)[: seconds * 700, None]
    chest = {"ACC": column(700, 3, 1.0), "ECG": np.round(ecg * 2**14) / 2**14, "EMG": column(700),
             "EDA": column(700), "Temp": column(700), "Resp": column(700, 1, 5.0)}  # fmt: skip
    wrist = {
        "ACC": np.zeros((seconds * 32, 3)),
        "BVP": 50 * simulate.ppg(person, 64).T[: seconds * 64],
        "EDA": column(4, 1, 1.0) + 1,
        "TEMP": column(4, 1, 1.0) + 33,
    }
    at = np.arange(seconds * 4) / 4
    code = np.array([CODES[activity] for activity in body.activity_at(person, at)], float)[:, None]
    peaks = np.round(person.r_peaks * 700).astype(np.int64)
    again = REPEATED_PEAKS.get(name, 0)
    return {
        "rpeaks": np.sort(np.concatenate([peaks, peaks[10 : 10 + again]])),
        "signal": {"chest": chest, "wrist": wrist},
        "label": simulate.window_hr(person, window_count(seconds * 64, 64)),
        "activity": code,
        "questionnaire": {"AGE": 34, "Gender": " m", "HEIGHT": 182.0, "SKIN": 3, "SPORT": 6, "WEIGHT": 78.0},
        "subject": name,
    }


@contextmanager
def _target(folder: Path, form: str):
    """A function create(path, fill) that makes one file of the set in the wanted form."""
    with ExitStack() as stack:
        if form == "tree":
            yield lambda path, fill: _create(folder / path, fill)
            return
        if form == "outer":
            outer = stack.enter_context(zipfile.ZipFile(folder / "ppg+dalia.zip", "w", zipfile.ZIP_STORED))
            outer.writestr("readme.pdf", b"%PDF-1.4\n")
            place = stack.enter_context(outer.open("data.zip", "w", force_zip64=True))
        else:
            place = folder / "data.zip"
        inner = stack.enter_context(zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=1))

        def create(path: str, fill: Callable[[BinaryIO], object]) -> None:
            with inner.open(path, "w", force_zip64=True) as file:
                fill(file)

        yield create


def _create(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        fill(file)
