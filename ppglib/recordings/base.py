"""Checks that readers share."""

from pathlib import Path

import numpy as np
import scipy.io

from ppglib.files import InputError
from ppglib.task import STEP_SECONDS, WINDOW_SECONDS


def read_mat(path: Path, shapes: dict[str, tuple]) -> dict[str, np.ndarray]:
    """Variables of a MAT v5 file, each checked against its shape; None in a shape is any length > 0.

    Raises InputError if the file is unreadable or truncated, lacks a variable, or has another shape.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: fetch it again or name the right data folder.")
    try:
        content = scipy.io.loadmat(path, variable_names=list(shapes))
    except NotImplementedError:
        raise InputError(
            f"{path} is a MATLAB 7.3 (HDF5) file, but a v5 file was published: fetch the original."
        ) from None
    except Exception as error:  # scipy raises many types on damaged bytes, struct.error to TypeError
        raise InputError(f"{path} is no readable MAT file ({error}): fetch it again.") from error
    for name, shape in shapes.items():
        if name not in content:
            raise InputError(f"{path} has no variable {name!r}: it is not the published file.")
        value = content[name]
        if not _fits(value, shape):
            found = getattr(value, "shape", type(value).__name__)
            raise InputError(f"{path}: {name!r} has shape {found}, expected {_spell(shape)} numbers.")
    return {name: np.asarray(content[name], dtype=np.float64) for name in shapes}


def _fits(value, shape: tuple) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype.kind in "fiu"
        and value.ndim == len(shape)
        and all(have > 0 and want in (None, have) for have, want in zip(value.shape, shape))
    )


def _spell(shape: tuple) -> str:
    return " x ".join("n" if want is None else str(want) for want in shape)


def window_count(samples: int, rate: float, step: float = STEP_SECONDS) -> int:
    """Number of whole 8-s windows that start every `step` seconds in `samples` samples."""
    # Rounded first: 8 s of a signal at 130.487 Hz is not a whole number of samples.
    return max(0, int(np.floor(round((samples / rate - WINDOW_SECONDS) / step, 6))) + 1)
