"""The C code on this machine: compiled by its own compiler, and called."""

import ctypes
import tempfile
from pathlib import Path

import numpy as np

from ppglib.edge.extra import program, run
from ppglib.task import BINS

FLAGS = ("-std=gnu11", "-O3", "-Wall", "-Wextra", "-Werror")  # with -O2 int8 takes 2.5 times as long


def compiled(files: dict[str, str], folder: Path) -> ctypes.CDLL:
    """The C files (name -> content) as a library, in `folder`. InputError where there is no compiler, or it complains."""
    for name, content in files.items():
        (folder / name).write_text(content)
    sources = [str(folder / name) for name in files if name.endswith(".c")]
    path = folder / "library.so"
    run([program("cc"), *FLAGS, "-shared", "-fPIC", "-o", str(path), *sources, "-lm"])
    return ctypes.CDLL(str(path))


def predict(files: dict[str, str], windows: np.ndarray) -> np.ndarray:
    """Logits (N, 180) of windows (N, 200) by the C code on this machine."""
    found = np.empty((len(windows), BINS), np.float32)
    pointer = ctypes.POINTER(ctypes.c_float)
    with tempfile.TemporaryDirectory() as folder:
        logits = compiled(files, Path(folder)).ppg_logits
        logits.argtypes, logits.restype = [pointer, pointer], None
        for window, row in zip(np.ascontiguousarray(windows, np.float32), found):
            logits(window.ctypes.data_as(pointer), row.ctypes.data_as(pointer))
    return found
