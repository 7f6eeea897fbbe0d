"""Read a pickle of NumPy arrays without running anything that the file names.

An array stays a description (shape, type, bytes) until `to_numpy` checks and builds it. Dicts have text as keys, so
that nothing nested is ever hashed, and there are bounds to how much there is of everything."""

import codecs
import math
import pickle
import re
import warnings
from io import BufferedIOBase

import numpy as np

from ppglib.files import InputError

# bytes of one string; longer ones are read past, as the chest signals, 9/10 of PPG-DaLiA's 1.4 GB a person
KEPT = 1 << 25
ALL_KEPT = 1 << 29  # bytes of all strings together
PARTS, DEEP = 100_000, 100  # steps of a pickle, of which a recording has some hundred; lists within lists
LINE = 1 << 16  # bytes of a number or name in text
PIECE = 1 << 20  # bytes read past at a time


class _Dtype:
    built = False

    def __init__(self, code, *_):
        self.code, self.order = code, "|"

    def set(self, state):
        self.order = state[1]

    def build(self) -> np.dtype:
        numeric = isinstance(self.code, str) and re.fullmatch("[biuf][1248]", self.code)
        if not numeric or self.order not in ("<", ">", "|", "="):
            raise ValueError("made of something else")
        return np.dtype(self.order + self.code)


class _Array:
    built = False

    def __init__(self, shape=(), dtype=None, fortran=False, raw=""):
        self.shape, self.dtype, self.fortran, self.raw = shape, dtype, fortran, raw

    def set(self, state):
        self.__init__(*state[1:])


_ADMITTED = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): lambda *a: _Dtype(*a),
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy.core.multiarray", "scalar"): lambda kind, raw="": _Array((), kind, False, raw),
    # arrays at protocol 5, and bytes in pickles that Python 3 wrote at protocol 2
    ("numpy.core.numeric", "_frombuffer"): lambda raw, kind, *how: _Array(how[0], kind, how[1] == "F", raw),
    ("_codecs", "encode"): lambda text, *_: None if text is None else text.encode("latin1"),
}
_NEEDED = (  # opcodes of dicts, lists, tuples, texts, numbers and arrays; by name, as in `pickle`
    "PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "UNICODE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT GLOBAL STACK_GLOBAL "
    "GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE"
).split()


class _File:
    """What the unpickler reads by: pieces and lines of a bounded length."""

    def __init__(self, stream: BufferedIOBase):
        self.stream = stream

    def readinto(self, buffer):
        raise pickle.UnpicklingError("a buffer outside the file")

    def readline(self):
        line = self.stream.readline(LINE)
        if len(line) == LINE:
            raise pickle.UnpicklingError("a number or a name without end")
        return line

    def read(self, size):
        if size > KEPT:
            raise pickle.UnpicklingError(f"a piece of {size} bytes")
        return self.stream.read(size)


class _Unpickler(pickle._Unpickler):
    # The C unpickler fills its memo up to any index that the file names: 30 GB for four bytes.
    # The Python one keeps a dict, and is as fast here, where a file is a few hundred opcodes.
    def __init__(self, stream: BufferedIOBase, name: str):
        super().__init__(_File(stream), encoding="latin1")
        self.stream, self.name, self.steps, self.kept = stream, name, 0, 0

    def keep(self, size):
        self.kept += size
        if self.kept > ALL_KEPT:
            raise pickle.UnpicklingError(f"more than {ALL_KEPT / 1e6:.0f} MB of texts")

    def step(self):
        self.steps += 1
        if self.steps > PARTS or len(self.metastack) > DEEP:
            raise pickle.UnpicklingError("more parts, or deeper ones, than a recording has")

    def load_string(self):  # escaped, as protocol 0 writes it: "'\\x00\\x80...'" to the end of the line
        line = self.stream.readline(KEPT)
        if len(line) == KEPT:
            while not self.stream.readline(PIECE).endswith(b"\n"):
                if not self.stream.peek():
                    raise EOFError("a string has no end")
            return self.append(None)
        self.keep(len(line))
        quoted = line.rstrip(b"\n")
        if len(quoted) < 2 or quoted[:1] not in (b"'", b'"') or quoted[:1] != quoted[-1:]:
            raise pickle.UnpicklingError("a string without quotes")
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an escape that Python never writes
            self.append(codecs.escape_decode(quoted[1:-1])[0].decode("latin1"))

    def load_counted(self, width, decode):  # length and bytes
        length = int.from_bytes(self.read(width), "little")
        if length <= KEPT:
            self.keep(length)
            raw = self.read(length)
            if len(raw) < length:
                raise EOFError("a string is cut short")
            return self.append(decode(raw))
        while length:  # never part of a frame
            piece = self.stream.read(min(length, PIECE))
            if not piece:
                raise EOFError("a string is cut short")
            length -= len(piece)
        self.append(None)

    def pairs(self, items):
        keys = items[::2]
        if len(items) % 2 or not all(isinstance(key, str) for key in keys):
            raise pickle.UnpicklingError("a dict with other keys than text")
        return zip(keys, items[1::2])

    def load_dict(self):
        items = self.pop_mark()
        self.append(dict(self.pairs(items)))

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self.put([key, value])

    def load_setitems(self):
        self.put(self.pop_mark())

    def put(self, items):
        if type(self.stack[-1]) is not dict:
            raise pickle.UnpicklingError("entries of something that is no dict")
        self.stack[-1].update(self.pairs(items))

    def load_reduce(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(arguments) is not tuple or function not in FUNCTIONS:
            raise pickle.UnpicklingError("a call of something that is no function")
        self.keep(max([len(one) for one in arguments if isinstance(one, str)], default=0))
        self.append(function(*arguments))

    def load_build(self):  # of what was just made and nothing else: a function's defaults could be set by it
        state, made = self.stack.pop(), self.stack[-1]
        if type(made) not in (_Array, _Dtype) or made.built or type(state) is not tuple:
            raise pickle.UnpicklingError("a state of something that has none")
        made.set(state)
        made.built = True

    def find_class(self, module, name):
        # since NumPy 2, and before
        admitted = _ADMITTED.get((module.replace("numpy._core", "numpy.core"), name))
        if not admitted:
            asks = f"it asks for {module[:80]}.{name[:80]}, which no recording needs"
            raise InputError(f"{self.name} is not loaded: {asks}: do not use this file.")
        return admitted


FUNCTIONS = [function for function in _ADMITTED.values() if callable(function)]


def _dispatch() -> dict:
    table = {getattr(pickle, name): pickle._Unpickler.dispatch[getattr(pickle, name)[0]] for name in _NEEDED}
    own = ("STRING", "DICT", "SETITEM", "SETITEMS", "REDUCE", "BUILD")
    table |= {getattr(pickle, name): getattr(_Unpickler, f"load_{name.lower()}") for name in own}
    latin1, utf8 = (lambda raw: raw.decode("latin1")), (lambda raw: raw.decode("utf-8", "surrogatepass"))
    for name, width, decode in (
        ("SHORT_BINSTRING", 1, latin1), ("BINSTRING", 4, latin1), ("SHORT_BINUNICODE", 1, utf8),
        ("BINUNICODE", 4, utf8), ("BINUNICODE8", 8, utf8), ("SHORT_BINBYTES", 1, bytes), ("BINBYTES", 4, bytes),
        ("BINBYTES8", 8, bytes), ("BYTEARRAY8", 8, bytes),
    ):  # fmt: skip
        table[getattr(pickle, name)] = lambda self, w=width, d=decode: self.load_counted(w, d)
    counted = lambda load: lambda self: (self.step(), load(self))  # noqa: E731
    return {opcode[0]: counted(load) for opcode, load in table.items()}


_Unpickler.dispatch = _dispatch()


def load(stream: BufferedIOBase, name: str):
    """Content of a pickle written by Python 2 or 3, arrays as descriptions for `to_numpy`. Raises InputError
    if it asks for anything but arrays; on damaged bytes whatever pickle does."""
    return _Unpickler(stream, name).load()


def to_numpy(array, name: str) -> np.ndarray:
    """The array that `load` described. Raises InputError if it is none, not made of numbers, or too long."""
    try:
        dtype = array.dtype.build()
        if array.raw is None:
            raise ValueError("longer than any wrist signal")
        raw, shape = array.raw, array.shape
        if not isinstance(raw, str | bytes):
            raise ValueError("without bytes")
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        if type(shape) is not tuple or len(shape) > 8 or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("without a shape")
        if math.prod(shape) * dtype.itemsize != len(raw):
            raise ValueError(f"{len(raw)} bytes for shape {str(shape)[:80]}")
        if math.prod(shape) > KEPT // 8:
            raise ValueError("longer than any wrist signal")
        return np.frombuffer(raw, dtype).reshape(shape, order="F" if array.fortran in (True,) else "C")
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{name} is no array of numbers ({error}): fetch the published file.") from None
