"""Read a pickle of NumPy arrays without running anything that the file names.

Only what NumPy's array reconstruction needs is admitted, and even that is played by stand-ins: an array
stays a description (shape, type, bytes) until `to_numpy` checks and builds it. So the 700-Hz chest
signals, nine tenths of a PPG-DaLiA file, are never built.
"""

import codecs
import math
import pickle
import re
from typing import BinaryIO

import numpy as np

from ppglib.errors import InputError


class _Dtype:
    def __init__(self, code, *_):
        self.code, self.order = code, "|"

    def __setstate__(self, state):
        self.order = state[1]

    def build(self) -> np.dtype:
        if not (isinstance(self.code, str) and re.fullmatch("[biuf][1248]", self.code) and self.order in "<>|="):
            raise ValueError(f"an array of type {self.code!r}, expected numbers")
        return np.dtype(self.order + self.code)


class _Array:
    shape, dtype, fortran, raw = (), None, False, ""

    def __setstate__(self, state):
        _, self.shape, self.dtype, self.fortran, self.raw = state


def _reconstruct(*_):
    return _Array()


def _scalar(dtype, raw=""):
    array = _Array()
    array.dtype, array.raw = dtype, raw
    return array


def _frombuffer(raw, dtype, shape, order):  # arrays at protocol 5
    array = _Array()
    array.raw, array.dtype, array.shape, array.fortran = raw, dtype, shape, order == "F"
    return array


def _encode(text, encoding):
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"bytes encoded as {encoding!r}")
    return codecs.encode(text, "latin1")


_ADMITTED = {("numpy", "ndarray"): "ndarray", ("numpy", "dtype"): lambda *a: _Dtype(*a)}
_ADMITTED[("_codecs", "encode")] = _encode  # bytes in pickles that Python 3 wrote at protocol 2
for _core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    _ADMITTED[(f"{_core}.multiarray", "_reconstruct")] = _reconstruct
    _ADMITTED[(f"{_core}.multiarray", "scalar")] = _scalar
    _ADMITTED[(f"{_core}.numeric", "_frombuffer")] = _frombuffer


class _Unpickler(pickle._Unpickler):
    # The C unpickler fills its memo up to any index that the file names: 30 GB for four bytes.
    # The Python one keeps a dict, and is as fast here, where a file is a few hundred opcodes.
    def find_class(self, module, name):
        if (module, name) not in _ADMITTED:
            raise InputError(f"it asks for {module}.{name}, which no recording needs: do not use this file")
        return _ADMITTED[(module, name)]


def load(stream: BinaryIO, name: str):
    """Content of a pickle written by Python 2 or 3, arrays as descriptions for `to_numpy`.

    Raises InputError if it asks for any class or function but NumPy's for arrays; on damaged bytes
    raises whatever pickle does (see archives.Member.open, which turns that into an InputError).
    """
    try:
        return _Unpickler(stream, encoding="latin1").load()
    except InputError as error:
        raise InputError(f"{name} is not loaded: {error}.") from None


def to_numpy(array, name: str) -> np.ndarray:
    """The array that `load` described. Raises InputError if it is none, or not made of numbers."""
    try:
        dtype = array.dtype.build()
        raw = array.raw.encode("latin1") if isinstance(array.raw, str) else bytes(array.raw)
        shape = tuple(int(n) for n in array.shape)
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(raw):
            raise ValueError(f"{len(raw)} bytes for shape {shape}")
        return np.frombuffer(raw, dtype).reshape(shape, order="F" if array.fortran else "C")
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} is no array of numbers ({error}): fetch the published file.") from None
