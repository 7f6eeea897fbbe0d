"""Read a pickle of NumPy arrays without running anything that the file names.

An array stays a description (shape, type, bytes) until `to_numpy` checks and builds it."""

import codecs
import math
import pickle
import re
import warnings
from typing import BinaryIO

import numpy as np

from ppglib.files import InputError

KEPT = (
    1 << 26
)  # bytes: longer strings are read past, as the chest signals, 9/10 of PPG-DaLiA's 1.4 GB a person
PIECE = 1 << 20  # bytes read past at a time


class _Dtype:
    def __init__(self, code, *_):
        self.code, self.order = code, "|"

    def __setstate__(self, state):
        self.order = state[1]

    def build(self) -> np.dtype:
        numeric = isinstance(self.code, str) and re.fullmatch("[biuf][1248]", self.code)
        if not numeric or self.order not in "<>|=":
            raise ValueError(f"an array of type {self.code!r}, expected numbers")
        return np.dtype(self.order + self.code)


class _Array:
    def __init__(self, shape=(), dtype=None, fortran=False, raw=""):
        self.shape, self.dtype, self.fortran, self.raw = shape, dtype, fortran, raw

    def __setstate__(self, state):
        self.__init__(*state[1:])


_ADMITTED = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): lambda *a: _Dtype(*a),
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy.core.multiarray", "scalar"): lambda kind, raw="": _Array((), kind, False, raw),
    # arrays at protocol 5, and bytes in pickles that Python 3 wrote at protocol 2
    ("numpy.core.numeric", "_frombuffer"): lambda raw, kind, *how: _Array(how[0], kind, how[1] == "F", raw),
    ("_codecs", "encode"): lambda text, *_: text.encode("latin1"),
}


class _Unpickler(pickle._Unpickler):
    # The C unpickler fills its memo up to any index that the file names: 30 GB for four bytes.
    # The Python one keeps a dict, and is as fast here, where a file is a few hundred opcodes.
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: BinaryIO, name: str):
        super().__init__(stream, encoding="latin1")
        self.stream, self.name = stream, name

    def load_string(self):  # escaped, as protocol 0 writes it: "'\\x00\\x80...'" to the end of the line
        line = self.stream.readline(KEPT)
        if len(line) == KEPT:
            while not self.stream.readline(PIECE).endswith(b"\n"):
                if not self.stream.peek():
                    raise EOFError("a string has no end")
            return self.append(None)
        quoted = line.rstrip(b"\n")
        if len(quoted) < 2 or quoted[:1] not in (b"'", b'"') or quoted[:1] != quoted[-1:]:
            raise pickle.UnpicklingError("a string without quotes")
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an escape that Python never writes
            self.append(codecs.escape_decode(quoted[1:-1])[0].decode("latin1"))

    def load_binstring(self):  # length and bytes, as protocol 2 writes it
        length = int.from_bytes(self.read(4), "little")
        if length <= KEPT:
            return self.append(self.read(length).decode("latin1"))
        while length:
            piece = self.stream.read(min(length, PIECE))
            if not piece:
                raise EOFError("a string is cut short")
            length -= len(piece)
        self.append(None)

    dispatch[pickle.STRING[0]] = load_string
    dispatch[pickle.BINSTRING[0]] = load_binstring

    def find_class(self, module, name):
        admitted = _ADMITTED.get(
            (module.replace("numpy._core", "numpy.core"), name)
        )  # since NumPy 2, and before
        if not admitted:
            asks = f"it asks for {module}.{name}, which no recording needs"
            raise InputError(f"{self.name} is not loaded: {asks}: do not use this file.")
        return admitted


def load(stream: BinaryIO, name: str):
    """Content of a pickle written by Python 2 or 3, arrays as descriptions for `to_numpy`. Raises InputError
    if it asks for anything but arrays; on damaged bytes whatever pickle does."""
    return _Unpickler(stream, name).load()


def to_numpy(array, name: str) -> np.ndarray:
    """The array that `load` described. Raises InputError if it is none, or not made of numbers."""
    try:
        dtype = array.dtype.build()
        if array.raw is None:
            raise ValueError("longer than any wrist signal")
        raw = array.raw.encode("latin1") if isinstance(array.raw, str) else bytes(array.raw)
        shape = tuple(int(n) for n in array.shape)
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(raw):
            raise ValueError(f"{len(raw)} bytes for shape {shape}")
        return np.frombuffer(raw, dtype).reshape(shape, order="F" if array.fortran else "C")
    except (AttributeError, TypeError, ValueError, OverflowError, pickle.UnpicklingError) as error:
        raise InputError(f"{name} is no array of numbers ({error}): fetch the published file.") from None
