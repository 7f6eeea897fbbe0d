"""Simulated recordings in the published formats of SPC 2015, BAMI-1 and BAMI-2.

Variable names, types, shapes and label counts are those of the published files, so that the demo
goes through the readers of the real ones. Signals, people and heart rates are simulated.
"""

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy.io import savemat

from ppglib import simulate
from ppglib.files import InputError
from ppglib.recordings import SIMULATED
from ppglib.recordings.base import window_count

SPC_ACTIVITIES = ("rest", "run", "recover", "run", "rest")
NOTICE = "These recordings are simulated by ppglib.simulate. No person was measured.\n"


def write(
    root: str | Path,
    datasets: Mapping[str, int],
    minutes: float = 6.0,
    seed: int = 0,
    spc_test: bool = False,
) -> None:
    """Write simulated people into `root`, e.g. datasets={"spc2015": 12, "bami1": 24}, all or nothing.

    `minutes` is the length of each recording. With `spc_test`, SPC also gets its extra and its test
    part, of two more people. A `root` that this function wrote before is replaced; any other that
    is not empty is refused with InputError.
    """
    for dataset, people in datasets.items():
        if dataset not in WRITERS:
            raise InputError(f"No simulated form of {dataset!r}: choose from {', '.join(WRITERS)}.")
        if people < 1:
            raise InputError(f"{people} people in {dataset}: there must be at least 1.")
    if minutes * 60 < 12:
        raise InputError(f"{minutes} minutes of recording are too short: there must be at least 0.2.")
    with simulated_root(root) as folder:
        for number, dataset in enumerate(sorted(datasets)):
            first = 100_000 * seed + 1_000 * number  # no two people of one root are alike
            options = {"test": spc_test} if dataset == "spc2015" else {}
            WRITERS[dataset](folder / dataset, datasets[dataset], minutes, first, **options)


@contextmanager
def simulated_root(root: str | Path) -> Iterator[Path]:
    """A folder to write simulated sets into, which takes the place of `root` only if all went well.

    A `root` of simulated recordings is replaced; any other that is not empty is refused with InputError.
    """
    root = Path(root)
    if root.exists() and not (root.is_dir() and ((root / SIMULATED).exists() or not any(root.iterdir()))):
        raise InputError(f"{root} holds something else than simulated recordings: choose another folder.")
    beside = root.with_name(f".{root.name}.{uuid.uuid4().hex[:8]}")
    try:
        beside.mkdir(parents=True)
        yield beside
        (beside / SIMULATED).write_text(NOTICE)
        if root.exists():
            shutil.rmtree(root)
        os.replace(beside, root)
    except OSError as error:
        raise InputError(f"Cannot write {root} ({error.strerror}): choose another folder.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def spc2015(folder: Path, people: int, minutes: float, seed: int, test: bool = False) -> None:
    """Training part: `sig` 6 x n float64 at 125 Hz (ECG, 2 PPG, 3 acceleration), `BPM0` (windows, 1).

    With `test` also S04 of the extra part, and S04 and S05 of the test part, whose `sig` lacks the ECG.
    """
    for n in range(1, people + 1):
        person = simulate.person(seed + n, minutes, SPC_ACTIVITIES)
        stem = f"Training_data/DATA_{n:02d}_TYPE{1 if n == 1 else 2:02d}"
        _spc_files(folder, person, f"{stem}.mat", f"{stem}_BPMtrace.mat", with_ecg=True)
    if test:
        extra, *tests = (simulate.person(seed + 500 + n, minutes, SPC_ACTIVITIES) for n in range(3))
        names = "Extra_TrainingData/DATA_S04_T01.mat", "Extra_TrainingData/BPM_S04_T01.mat"
        _spc_files(folder, extra, *names, with_ecg=True)
        for person, tail in zip(tests, ("S04_T02", "S05_T02")):
            names = f"TestData/TEST_{tail}.mat", f"TrueBPM/True_{tail}.mat"
            _spc_files(folder, person, *names, with_ecg=False)


def bami1(folder: Path, people: int, minutes: float, seed: int) -> None:
    """`sigPPG`, `sigAcc`, `sigGyro` 3 x n uint16 at 50 Hz; `timeECG` (s), `bpmECG` (beats, 1)."""
    for n in range(1, people + 1):
        person = simulate.person(seed + n, minutes)
        beats, acc = person.r_peaks[1:, None], simulate.acceleration(person, 50)
        content = {
            "sigPPG": _uint16(40_000 + 1_500 * simulate.ppg(person, 50, 3)),
            "sigAcc": _uint16(32_768 + 8_192 * acc),
            "sigGyro": _uint16(32_768 + 4_096 * np.gradient(acc, axis=1)),
            "timeECG": beats,
            "bpmECG": 60 / np.diff(person.r_peaks)[:, None],
        }
        _save(folder / f"Subject_{n}.mat", content)


def bami2(folder: Path, people: int, minutes: float, seed: int) -> None:
    """`rawPPG`, `rawAcc` 3 x n uint16 at 50 Hz, PPG of 12 bits; `bpm_ecg`, `bpm_proposed` (windows - 1, 1).

    As published, the first label of files 7 to 12 is an edge artefact.
    """
    for n in range(1, people + 1):
        person = simulate.person(seed + n, minutes)
        ppg = np.clip(2_048 + 250 * simulate.ppg(person, 50, 3), 0, 4_095)
        hr = _labels(person, ppg.shape[1], 50)[:-1]
        if 7 <= n <= 12:
            hr[0] = 37.0 + n - 7
        content = {
            "rawPPG": _uint16(ppg),
            "rawAcc": _uint16(32_768 + 8_192 * simulate.acceleration(person, 50)),
            "bpm_ecg": hr,
            "bpm_proposed": np.zeros_like(hr),
        }
        _save(folder / f"BAMI2_{n}.mat", content)


WRITERS = {"spc2015": spc2015, "bami1": bami1, "bami2": bami2}


def _spc_files(folder: Path, person: simulate.Person, signal: str, labels: str, with_ecg: bool) -> None:
    rows = [100 * simulate.ppg(person, 125, 2), simulate.acceleration(person, 125)]
    if with_ecg:
        rows.insert(0, 200 * simulate.ecg(person, 125)[None])
    sig = np.concatenate(rows)
    _save(folder / signal, {"sig": sig})
    _save(folder / labels, {"BPM0": _labels(person, sig.shape[1], 125)})


def _labels(person: simulate.Person, samples: int, rate: float) -> np.ndarray:
    """One heart rate a window as a column, as MATLAB would have it."""
    return simulate.window_hr(person, window_count(samples, rate))[:, None]


def _uint16(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 65_535).astype(np.uint16)


def _save(path: Path, content: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content, do_compression=True)
