"""What every reader yields, and the checks that readers share."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.io

from ppglib.errors import InputError

WINDOW_SECONDS = 8.0
STEP_SECONDS = 2.0


@dataclass(frozen=True)
class Recording:
    """One continuous recording of one person, as published, before any processing.

    dataset, person, name: who and which; `person` is unique within `dataset`, and two
        recordings of one person carry the same `person`, so that a split can keep them together.
    ppg: (channels, samples) float64 at the native rate, NaN and all, as published.
    rate: sampling rate in Hz (nominal if `time` is given).
    hr: (windows,) float64 BPM of the window [i * step, i * step + 8) s; NaN = no valid label.
    step: seconds between two labels (2 in every set but WildPPG's Hugging Face file, 8).
    time: (samples,) float64 seconds since the start of window 0, increasing, only where the
        rate is not constant; None means that sample k was taken at k / rate.
    gaps: sample ranges [start, stop) in which the device recorded nothing (a constant fill, say).
    breaks: sample indices at which the signal starts anew (not continuous with what is before).
    activity: (windows,) str, or None where none is published.
    simulated: True if the files were written by `ppglib.simulate`.
    notes: what the reader found worth telling (faults, gaps, guesses), one sentence each.
    """

    dataset: str
    person: str
    name: str
    ppg: np.ndarray
    rate: float
    hr: np.ndarray
    step: float = STEP_SECONDS
    time: np.ndarray | None = None
    gaps: tuple[tuple[int, int], ...] = ()
    breaks: tuple[int, ...] = ()
    activity: np.ndarray | None = None
    simulated: bool = False
    notes: tuple[str, ...] = field(default=())


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
