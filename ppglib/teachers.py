"""Teachers on disk: their weights, and what they say of training windows, computed once for all students."""

import io
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from ppglib import files
from ppglib.bins import BINS
from ppglib.errors import InputError
from ppglib.grid import Run, teachers_of
from ppglib.resnet1d import ResNet1D
from ppglib.splits import split
from ppglib.training import teach
from ppglib.windows import Windows


def outputs(run: Run, windows: Windows, digest: str, folder: Path) -> dict[str, np.ndarray]:
    """What the run's teacher says of every training sample: "logits", and for feature its "map"."""
    if run.strategy == "soft_oof":
        return {"logits": out_of_fold(run, windows, digest, folder)}
    (teacher,) = teachers_of(run)
    if run.strategy == "dense_soft":
        return {"logits": says(teacher, "dense", windows, digest, folder)}
    names = ("logits", "map") if run.strategy == "feature" else ("logits",)
    return {name: says(teacher, name, windows, digest, folder) for name in names}


def out_of_fold(run: Run, windows: Windows, digest: str, folder: Path) -> np.ndarray:
    """(n, 180) logits, every person's from the teacher that was trained without them."""
    rows, _ = split(windows, run.fold, run.split)
    logits = np.full((len(windows.table), BINS), np.nan, np.float32)
    for teacher in teachers_of(run):
        _, left_out = split(windows, teacher.fold, teacher.split)
        logits[left_out] = says(teacher, "left_out", windows, digest, folder)
    return logits[rows]


def says(teacher: Run, what: str, windows: Windows, digest: str, folder: Path) -> np.ndarray:
    """`training.teach`, computed once for a teacher and then read from a mapped file.

    All processes share the pages. The file is keyed by the teacher's run, and so by its windows.
    """
    teacher_id = teacher.id(digest)
    path = folder / "teachers" / f"{teacher_id}.{what}.npy"
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):  # not there yet, or cut short
        network = load_network(teacher.student, weights_path(folder, teacher_id))
    said = teach(network, teacher, windows, what)
    content = io.BytesIO()
    np.save(content, said, allow_pickle=False)
    files.write(path, content.getvalue())
    return said


def load_network(blocks: int, path: Path) -> ResNet1D:
    network = ResNet1D(blocks)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise InputError(
            f"{path} is damaged ({error}): remove it, and the teacher is trained again."
        ) from None
    return network


def weights_path(folder: Path, run_id: str) -> Path:
    return folder / "teachers" / f"{run_id}.safetensors"


def save_network(network: ResNet1D, path: Path) -> None:
    """Keep a teacher's weights, and drop what an earlier teacher of that name said."""
    for outdated in path.parent.glob(f"{path.stem}.*.npy"):
        outdated.unlink()
    files.write(path, save({k: v.cpu().contiguous() for k, v in network.state_dict().items()}))
