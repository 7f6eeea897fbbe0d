"""A model as a file for the tools of a device, whole or not at all."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from ppglib import models
from ppglib.edge import c_code, onnx_file, signal, tflite
from ppglib.edge.graph import graph
from ppglib.files import InputError
from ppglib.task import RATE
from ppglib.windows import Windows, gather

KINDS = ("onnx", "onnx-int8", "tflite-int8", "c", "c-int8")
CALIBRATION = 256  # windows
TOLD = (  # of what a model's file says of it
    "architecture", "design", "rate", "samples", "step", "band", "filter", "normalization", "bins", "lowest", "decoder",
    "strategy", "teacher", "datasets", "licence", "windows", "weights", "library",
)  # fmt: skip


def about_of(about: dict) -> dict[str, str]:
    """What a file for a device says of the model in it, as texts; `tested` says who was held out, and how it erred."""
    told = {key: value if isinstance(value, str) else json.dumps(value) for key in TOLD if (value := about[key]) is not None}
    told["tested"] = about["error"]["protocol"]
    for row in about["error"]["rows"]:
        if (row["dataset"], row["track"]) == ("all", "none"):
            told["tested"] += " MAE {mae:.2f} [{low:.2f}, {high:.2f}] BPM in float32.".format(**row)
    return told


def calibration(windows: Windows, rows: np.ndarray) -> np.ndarray:
    """Windows (256, 200) drawn from those at `rows` (n,) of training people."""
    chosen = np.random.default_rng(0).choice(rows, min(CALIBRATION, len(rows)), replace=False)
    return gather(windows.signal, windows.table.start.to_numpy()[np.sort(chosen)])


def files_of(network, kind: str, about: dict[str, str], drawn: np.ndarray | None, rate: float = RATE) -> dict[str, bytes]:
    """Name -> content of the files for a network, of one of KINDS. drawn: see `calibration`, for int8."""
    ops = graph(network)
    if kind == "tflite-int8":
        return {"model.tflite": tflite.with_metadata(tflite.int8(ops, drawn), about)}
    model = None if kind == "c" else onnx_file.float32(ops, about)
    if kind.endswith("int8"):
        model = onnx_file.int8(model, drawn)
    if kind.startswith("onnx"):
        return {"model.onnx": model}
    found = c_code.files_of(ops, about, onnx_file.scales(model) if model else None) | signal.files_of(rate)
    return {name: content.encode() for name, content in found.items()}


def export(model: str | Path, kind: str, folder: Path, recordings=None, rate: float = RATE) -> list[Path]:
    """Write a model's files, of one of KINDS, into a new `folder`.

    model: as for `ppglib.models.load`. recordings: of its training people, for int8. rate: Hz of the sensor, for C.
    Raises InputError for a model that `load` refuses, a missing tool, and a folder that is there."""
    network = models.load(model)
    if folder.exists():
        raise InputError(f"There is a {folder} already: name another folder with --out.")
    drawn = None
    if kind.endswith("int8"):
        if recordings is None:
            sets = ", ".join(network.about["datasets"])
            raise InputError(f"int8 needs windows of training people: name with --data the folder that holds {sets}.")
        from ppglib.study.shipped import windows_of  # it trains, and loads what that needs

        windows = windows_of(recordings, (1, -1))
        drawn = calibration(windows, np.arange(len(windows.table)))
    content = files_of(network, kind, about_of(network.about), drawn, rate)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name, value in content.items():
                (beside / name).write_bytes(value)
            beside.chmod(0o755)
            os.replace(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise InputError(f"Cannot write {folder} ({error.strerror}): choose another folder.") from error
    return [folder / name for name in content]
