"""Write pickles as Python 2 and its NumPy did: PPG-DaLiA's form, which Python 3 can read but not write."""

import struct
from typing import BinaryIO

import numpy as np


def dump(content, stream: BinaryIO, text: bool = False) -> None:
    """Write nested dicts of str, int, float, None and numeric arrays.

    Protocol 2 with byte strings; text=True escapes the strings as protocol 0 does, Python 2's default
    (three to four times the size).
    """
    stream.write(b"\x80\x02")
    _value(content, stream.write, text)
    stream.write(b".")


def _value(value, write, text: bool) -> None:
    if isinstance(value, dict):
        write(b"}(")
        for key, item in value.items():
            _string(key.encode("latin1"), write, text)
            _value(item, write, text)
        write(b"u")
    elif isinstance(value, np.ndarray):
        _array(value, write, text)
    elif isinstance(value, str):
        _string(value.encode("latin1"), write, text)
    elif isinstance(value, bool):
        write(b"\x88" if value else b"\x89")
    elif isinstance(value, int):
        write(b"J" + struct.pack("<i", value))
    elif isinstance(value, float):
        write(b"G" + struct.pack(">d", value))
    elif value is None:
        write(b"N")
    elif isinstance(value, tuple):
        write(b"(")
        for item in value:
            _value(item, write, text)
        write(b"t")
    else:
        raise TypeError(f"cannot write {type(value).__name__}")


def _string(raw: bytes, write, text: bool) -> None:
    if text:
        write(b"S" + repr(raw)[1:].encode("ascii") + b"\n")
    elif len(raw) < 256:
        write(b"U" + bytes([len(raw)]) + raw)
    else:
        write(b"T" + struct.pack("<i", len(raw)) + raw)


def _array(array: np.ndarray, write, text: bool) -> None:
    write(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n")
    _value((0,), write, text)
    _string(b"b", write, text)
    write(b"tR(K\x01")
    _value(tuple(array.shape), write, text)
    write(b"cnumpy\ndtype\n")
    _value((array.dtype.str[1:], 0, 1), write, text)
    order = "<" if array.dtype.itemsize > 1 else "|"
    write(b"R")
    _value((3, order, None, None, None, -1, -1, 0), write, text)
    write(b"b\x89")
    _string(np.ascontiguousarray(array).tobytes(), write, text)
    write(b"tb")
