"""Teachers on disk: their weights, and what they predict for training windows, computed once."""

import io
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from ppglib import files, training
from ppglib.beyond import dense
from ppglib.fast import device
from ppglib.files import InputError
from ppglib.gpu import ALONE
from ppglib.resnet1d import Design, ResNet1D
from ppglib.splits import split
from ppglib.strategies import STRATEGIES
from ppglib.study.grid import Run, teachers_of
from ppglib.task import BINS
from ppglib.windows import Windows


def outputs(run: Run, windows: Windows, digest: str, folder: Path) -> dict[str, np.ndarray]:
    """What the run's teacher predicts for every training sample: "logits", and if asked its "map"."""
    row = STRATEGIES[run.strategy]
    if row.teacher == "out of fold":
        return {"logits": out_of_fold(run, windows, digest, folder)}
    (teacher,) = teachers_of(run)
    kinds = {"logits": "dense" if row.dense else "logits"} | ({"map": "map"} if row.teacher == "map" else {})
    return {name: predicted(teacher, what, windows, digest, folder) for name, what in kinds.items()}


def out_of_fold(run: Run, windows: Windows, digest: str, folder: Path) -> np.ndarray:
    """(n, 180) logits, every person's from the teacher that was trained without them."""
    rows, _ = split(windows, run.fold, run.split)
    logits = np.full((len(windows.table), BINS), np.nan, np.float32)
    for teacher in teachers_of(run):
        _, left_out = split(windows, teacher.fold, teacher.split)
        logits[left_out] = predicted(teacher, "left_out", windows, digest, folder)
    return logits[rows]


def predicted(teacher: Run, what: str, windows: Windows, digest: str, folder: Path) -> np.ndarray:
    """What a teacher predicts, computed once and then read from a mapped file.

    what: "logits" (n, 180) or "map" (n, C, 1, L) of its fold's training windows, logits of their "dense"
    samples (n * OFFSETS, 180), or logits of the windows "left_out" of its training. All processes share
    the pages. The file is keyed by the teacher's run, and so by its windows."""
    teacher_id = teacher.id(digest)
    path = folder / "teachers" / f"{teacher_id}.{what}.npy"
    if (kept := _kept(path)) is not None:
        return kept
    with files.locked(folder / "locks" / f"{path.name}.lock"):
        if (kept := _kept(path)) is not None:  # made by who held the lock before
            return kept
        found = _predict(teacher, what, windows, weights_path(folder, teacher_id))
        content = io.BytesIO()
        np.save(content, found, allow_pickle=False)
        files.write(path, content.getvalue(), alone=True)
    return found


def _kept(path: Path) -> np.ndarray | None:
    """The array, mapped; None where it is not there yet, or cut short."""
    try:
        return np.load(path, mmap_mode="c", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None


def _predict(teacher: Run, what: str, windows: Windows, weights: Path) -> np.ndarray:
    network = load_network(teacher.network, weights).to(device())
    rows, left_out = split(windows, teacher.fold, teacher.split)
    starts = windows.table.start.to_numpy()[left_out if what == "left_out" else rows]
    starts = dense(windows, rows)[0] if what == "dense" else starts
    logits, maps = training.outputs(network, windows.signal, starts, maps=what == "map")
    return maps if what == "map" else logits


def load_network(design: Design, path: Path) -> ResNet1D:
    """The network of that design with the weights in `path`; InputError if they are damaged."""
    with ALONE:  # its first weights are drawn, though only to be replaced
        network = ResNet1D(**vars(design))
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        again = f"remove it and runs/{path.stem}.json, and a sweep trains that network again"
        raise InputError(f"{path} is damaged ({error}): {again}.") from None
    return network


def weights_path(folder: Path, run_id: str) -> Path:
    """Of a network that may teach: from scratch, seed 0."""
    return folder / "teachers" / f"{run_id}.safetensors"


def kept_path(run: Run, digest: str, folder: Path) -> Path:
    """Where a run's weights are kept, apart from others if it may teach."""
    may_teach = run.strategy == "scratch" and run.seed == 0
    path = weights_path(folder, run.id(digest))
    return path if may_teach else folder / "students" / path.name


def save_network(network: ResNet1D, path: Path) -> None:
    """Keep a network's weights, and drop what an earlier one of that name predicted. Under the lock of its run."""
    predicted = path.parent.parent / "predictions" / f"{path.stem}.parquet"
    for outdated in (predicted, *path.parent.glob(f"{path.stem}.*.npy")):
        outdated.unlink(missing_ok=True)
    files.write(path, save({k: v.cpu().contiguous() for k, v in network.state_dict().items()}), alone=True)
