"""What readers share: MAT files, nested content, tables, and what lies in each window."""

from pathlib import Path

import numpy as np
import pandas as pd

from ppglib.files import InputError
from ppglib.recordings import archives, columns, mat
from ppglib.task import STEP_SECONDS, WINDOW_SECONDS

RATE_TOLERANCE = 0.02  # a rate that is further from the published one is refused


def read_mat(path: Path, shapes: dict[str, tuple]) -> list[np.ndarray]:
    """Variables of a MAT v5 file as float64, each checked against its shape; None in a shape is any length > 0."""
    if not path.is_file():
        raise InputError(f"{path} is missing: fetch it again or name the right data folder.")
    content = mat.load(archives.file(path), list(shapes))
    for name, shape in shapes.items():
        value = nested(content, path, name)
        fits = is_numeric(value) and value.ndim == len(shape) and all(value.shape)
        if not fits or any(want not in (None, have) for have, want in zip(value.shape, shape)):
            found = getattr(value, "shape", type(value).__name__)
            wanted = " x ".join(str(want or "n") for want in shape)
            raise InputError(f"{path}: {name!r} has shape {found}, expected {wanted} numbers.")
    return [content[name].astype(np.float64) for name in shapes]


def is_numeric(value) -> bool:
    """Whether an array, or what can become one, is made of numbers."""
    return np.asarray(value).dtype.kind in "fiu"


def nested(content, name, *keys: str):
    """content[keys[0]][keys[1]]..., or an InputError that says which is missing in the file `name`."""
    for depth, key in enumerate(keys, 1):
        if not isinstance(content, dict) or key not in content:
            raise InputError(f"{name} has no {'/'.join(keys[:depth])!r}: it is not the published file.")
        content = content[key]
    return content


def read_table(member: archives.Member, clock: str, *numbers: str, texts: tuple[str, ...] = ()) -> pd.DataFrame:
    """Columns of a published CSV: `clock`, finite in every row, and `numbers` as float64, `texts` as str; no others."""
    table = columns.raw(member, (clock, *numbers, *texts), texts)
    columns.need(member, table, clock, *numbers, *texts)
    for column in (clock, *numbers):
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise InputError(f"{member.name}: column {column!r} holds text, expected numbers.")
        table[column] = table[column].to_numpy(np.float64, na_value=np.nan)
    if not np.isfinite(table[clock]).all():
        raise InputError(f"{member.name}: column {clock!r} is empty or not finite in some row.")
    return table


def check_forwards(name: str, time: np.ndarray) -> None:
    """InputError with the row of a table where `time` falls."""
    back = np.flatnonzero(np.diff(time) < 0)
    if len(back):
        raise InputError(f"{name}: time runs backwards at row {back[0] + 3}.")


def constant_runs(values: np.ndarray, shortest: int = 1) -> tuple[tuple[int, int], ...]:
    """Ranges [start, stop) in which at least `shortest` samples have one and the same value."""
    edges = np.flatnonzero(np.diff(values) != 0) + 1
    start, stop = np.append(0, edges), np.append(edges, len(values))
    long = stop - start >= shortest
    return tuple(zip(start[long].tolist(), stop[long].tolist()))


def window_count(samples: int, rate: float, step: float = STEP_SECONDS) -> int:
    """Number of whole 8-s windows that start every `step` seconds in `samples` samples."""
    # Rounded first: 8 s of a signal at 130.487 Hz is not a whole number of samples.
    return max(0, int(np.floor(round((samples / rate - WINDOW_SECONDS) / step, 6))) + 1)


def in_windows(time: np.ndarray, value: np.ndarray, windows: int) -> tuple[np.ndarray, np.ndarray]:
    """Number and sum of the finite values whose increasing time lies in [2 i, 2 i + 8) s: 2 x (windows,)."""
    usable = np.isfinite(time) & np.isfinite(value)
    start = STEP_SECONDS * np.arange(windows)
    first, last = np.searchsorted(time[usable], [start, start + WINDOW_SECONDS])
    total = np.append(0.0, np.cumsum(value[usable]))
    return last - first, total[last] - total[first]


def mean_in_windows(time: np.ndarray, value: np.ndarray, windows: int, fewest: int) -> np.ndarray:
    """Their mean, (windows,); NaN where there are fewer than `fewest` values."""
    count, total = in_windows(time, value, windows)
    return np.where(count >= fewest, total / np.maximum(count, 1), np.nan)
