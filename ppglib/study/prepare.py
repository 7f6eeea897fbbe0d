"""From a study to its windows: simulated recordings if it says so, then one kept `.npz` a dataset."""

import hashlib
import io
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib import files, task
from ppglib import windows as w
from ppglib.files import InputError, sha256, write
from ppglib.recordings import SIMULATED, load, locate
from ppglib.simulate import open_formats
from ppglib.study.studies import Study

FORMAT = 2  # raise it when the readers or the windows change in a way that the parameters do not show
FRAMES = ("table", "dropped", "recordings")
log = logging.getLogger(__name__)


def recordings_folder(study: Study, data: Path | str | None, out: Path) -> Path:
    """The data folder of a study: `data`, or for a simulated study a folder in `out`, written if need be."""
    if not study.simulate_people:
        if not data:
            folders = ", ".join(f"{dataset}/" for dataset in study.datasets)
            where = f"name with --data (DATA= for make) the folder that holds {folders}"
            raise InputError(f"Study {study.name} needs recordings: {where}.")
        return Path(data)
    if data:
        raise InputError(f"Study {study.name} simulates its people and has no use for --data: choose another --study.")
    people = dict(zip(study.datasets, study.simulate_people))
    # The name says all that decides the content, and the writer leaves a whole folder or none.
    name = "-".join(f"{d}-{n}" for d, n in people.items())
    root = out / "recordings" / f"{name}-{study.simulate_minutes:g}min"
    with files.locked(out / "recordings" / "lock"):  # two sweeps that start together write it once
        text = b"Simulated recordings, one folder for each size.\n"
        files.write(out / "recordings" / "README.txt", text, alone=True)
        for left in root.parent.glob(f".{root.name}.*"):  # by a writer that was killed
            shutil.rmtree(left)
        if not root.is_dir():
            open_formats.write(root, people, study.simulate_minutes)
    return root


def study_windows(study: Study, data: Path | str | None, out: Path) -> w.Windows:
    """Windows of all datasets of the study, kept in `out`/windows.

    Raises InputError for missing or damaged recordings, and a folder that is another study's or cannot be written."""
    files.claim(out, f"study {study.name}", check_only=True)
    windows = prepare(study.datasets, recordings_folder(study, data, out), out / "windows")
    files.claim(out, f"study {study.name}")
    return windows


def kept(datasets: Sequence[str], folder: Path) -> w.Windows | None:
    """The windows of the datasets as they lie in `folder`, whatever recordings they were built of; None if one lacks."""
    parts = []
    for dataset in datasets:
        manifest = folder / f"{dataset}.json"
        try:
            source = {key: value for key, value in json.loads(manifest.read_bytes()).items() if key != "npz"}
        except (FileNotFoundError, ValueError, AttributeError):
            return None
        parts.append(_read(dataset, source, folder))
    return None if any(part is None for part in parts) else _join(parts)


def prepare(datasets: Sequence[str], root: str | Path, folder: str | Path) -> w.Windows:
    """Windows of `datasets` in the data folder `root`, built once and then read from `folder`.

    A set is built anew when one of its files, a parameter or the kept copy itself has changed.
    Raises InputError for what `ppglib.recordings.load` and `ppglib.windows.build` refuse, and if
    `folder` cannot be written."""
    if not datasets:
        raise InputError("No datasets to prepare: name at least one.")
    return _join([_one(dataset, Path(root), Path(folder)) for dataset in datasets])


def summary(windows: w.Windows) -> pd.DataFrame:
    """One row per dataset: people, recordings, hours of signal, windows kept, and dropped by reason."""
    rows = windows.recordings.assign(signal=lambda t: t.samples - t.missing)
    read = rows.groupby("dataset", sort=False)
    table = read.agg(people=("person", "nunique"), recordings=("person", "size"), hours=("signal", "sum"))
    table["hours"] /= task.RATE * 3600
    table["kept"] = windows.table.groupby("dataset").size()
    lost = windows.dropped.groupby(["dataset", "reason"]).windows.sum().unstack()
    table = table.join(lost.reindex(columns=w.REASONS)).fillna(0)
    return table.astype(dict.fromkeys(["kept", *w.REASONS], int)).reset_index()


def _one(dataset: str, root: Path, folder: Path) -> w.Windows:
    source = {"parameters": _parameters(root), "inputs": _inputs(locate(dataset, root))}
    kept = _read(dataset, source, folder)
    if kept is not None:
        return kept
    windows = w.build(load(dataset, root))
    for row in windows.recordings.itertuples():
        if row.notes:
            log.info("%s %s: %s", dataset, row.recording, row.notes)
    content = _pack(windows)
    manifest = {"npz": hashlib.sha256(content).hexdigest(), **source}
    with files.locked(folder / "lock"):
        write(folder / f"{dataset}.npz", content, alone=True)
        write(folder / f"{dataset}.json", json.dumps(manifest, indent=1).encode(), alone=True)
    return windows


def _parameters(root: Path) -> dict:
    names = ("RATE", "LENGTH", "WINDOW_SECONDS", "STEP_SECONDS", "BAND", "HR_RANGE")
    numbers = {name.lower(): getattr(task, name) for name in names}
    about = {"format": FORMAT, "max_stamp_gap": w.MAX_STAMP_GAP, "simulated": (root / SIMULATED).exists()}
    return json.loads(json.dumps(numbers | about))  # tuples as lists, as in a manifest


def _inputs(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file of the set. Hidden files are no part of it."""
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {path.relative_to(folder).as_posix(): sha256(path) for path in found}


def _read(dataset: str, source: dict, folder: Path) -> w.Windows | None:
    """The kept windows, or None where there are none that can be used."""
    path, manifest_path = folder / f"{dataset}.npz", folder / f"{dataset}.json"
    if not path.is_file() or not manifest_path.is_file():
        return None
    try:
        manifest = files.from_json(manifest_path.read_bytes())
        expected = manifest.pop("npz")
    except (ValueError, KeyError, AttributeError, TypeError):  # no JSON, or not a manifest
        log.warning("%s is damaged: building the windows of %s again.", manifest_path, dataset)
        return None
    if manifest != source:
        log.info("The files or parameters of %s have changed: building its windows again.", dataset)
        return None
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        log.warning("%s is damaged: building the windows of %s again.", path, dataset)
        return None
    try:
        return _unpack(content)
    except Exception as error:  # NumPy raises many types, at an array of objects first of all
        log.warning("%s holds no windows (%s): building those of %s again.", path, type(error).__name__, dataset)
        return None


def _pack(windows: w.Windows) -> bytes:
    arrays = {"signal": windows.signal}
    for name in FRAMES:
        for column, values in getattr(windows, name).items():
            # Text as fixed-width unicode, because an object array would need a pickle.
            arrays[f"{name}.{column}"] = values.to_numpy(str if values.dtype.kind == "O" else None)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _unpack(content: bytes) -> w.Windows:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        frames = {name: {} for name in FRAMES}
        for key in archive.files:
            name, _, column = key.partition(".")
            if column:
                values = archive[key]
                frames[name][column] = values.astype(object) if values.dtype.kind == "U" else values
        return w.Windows(archive["signal"], **{name: pd.DataFrame(c) for name, c in frames.items()})


def _join(parts: list[w.Windows]) -> w.Windows:
    offsets = np.cumsum([0, *(len(part.signal) for part in parts)])
    tables = [part.table.assign(start=part.table.start + at) for part, at in zip(parts, offsets)]
    dropped = [part.dropped for part in parts if len(part.dropped)] or [parts[0].dropped]
    frames = (tables, dropped, [part.recordings for part in parts])
    signal = np.concatenate([part.signal for part in parts])
    return w.Windows(signal, *(pd.concat(frame, ignore_index=True) for frame in frames))
