"""MAT files (version 5): SciPy reads them, after a look at what it would be made to do.

SciPy's parser calls itself for each array in an array, so that a small file with thousands of them ends the whole
program, and it unpacks whatever a packed variable holds. So the tags of the variables that are wanted are gone
through first, in the order in which SciPy reads them (MathWorks, MAT-File Format, 2019)."""

import math
import struct
import zlib
from typing import BinaryIO

import scipy  # its parts are loaded when they are first used

from ppglib.recordings.archives import FREE, Member, in_proportion

NUMBERS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}  # type: bytes of one
MATRIX, PACKED = 14, 15  # types of elements
CELL, STRUCT, TEXT, NUMERIC = 1, 2, 4, range(6, 16)  # classes of arrays
COMPLEX = 0x800
MOST, DEEP = 10_000, 8  # arrays in a variable; arrays in arrays
TIMES = 8  # float64 for each byte on the disk: a set of 100 MB may have 100 million numbers
NAME = 1 << 12  # bytes of names
PIECE = 1 << 20


def load(member: Member, variables: list[str], simplify: bool = False) -> dict:
    """Those of the variables that a MAT file has; InputError if it is unreadable or out of proportion."""
    member.verify()
    with member.open() as stream:
        _look(member, stream, {name.encode() for name in variables})
    with member.open() as stream:
        return scipy.io.loadmat(stream, variable_names=variables, simplify_cells=simplify)


def _look(member: Member, stream: BinaryIO, wanted: set[bytes]) -> None:
    head = stream.read(128)
    if 0 in head[:4] or len(head) < 128:
        return  # version 4, whose parser has nothing to unpack and no depth, or none
    order = "<" if head[126:] == b"IM" else ">"
    walk = _Walk(member, order)
    while len(tag := stream.read(8)) == 8:
        kind, size = struct.unpack(f"{order}II", tag)
        start = stream.tell()
        walk.source = _Inflated(stream, size) if kind == PACKED else stream
        if kind in (PACKED, MATRIX):
            walk.variable(wanted, packed=kind == PACKED)
        stream.seek(start + size)


class _Inflated:
    """What the next `size` bytes of a stream hold, packed."""

    def __init__(self, stream: BinaryIO, size: int):
        self.stream, self.left, self.unpack, self.ready = stream, size, zlib.decompressobj(), b""

    def read(self, size: int) -> bytes:
        found = b""
        while size and not (self.unpack.eof and not self.ready):
            if not self.ready:
                piece = self.unpack.unconsumed_tail or self.stream.read(min(self.left, PIECE))
                if not self.unpack.unconsumed_tail:
                    self.left -= len(piece)
                self.ready = self.unpack.decompress(piece, PIECE)
                if not piece and not self.ready:
                    break
            found, self.ready, size = found + self.ready[:size], self.ready[size:], max(0, size - len(self.ready))
        return found


class _Walk:
    """Goes through the arrays of one file and counts."""

    def __init__(self, member: Member, order: str):
        self.name, self.stored, self.order = member.name, member.size(), order
        self.source, self.values, self.arrays = None, 0, 0

    def variable(self, wanted: set[bytes], packed: bool) -> None:
        if packed and self.tag()[0] != MATRIX:
            raise ValueError("a packed element that is no array")
        self.arrays = 0
        self.array(0, wanted)

    def read(self, size: int) -> bytes:
        found = self.source.read(size)
        if len(found) < size:
            raise EOFError("an array is cut short")
        return found

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.read(min(size, PIECE)))

    def tag(self) -> tuple[int, int, bytes]:
        """Type and bytes of the next element; the content of a small one, which is in its tag."""
        first, second = struct.unpack(f"{self.order}II", raw := self.read(8))
        if first >> 16:
            return first & 0xFFFF, first >> 16, raw[4:]
        return first, second, b""

    def small(self, most: int) -> bytes:
        """The content of an element of at most `most` bytes."""
        _, size, content = self.tag()
        if size > (4 if content else most):
            raise ValueError(f"{size} bytes where a name or shape is expected")
        return content[:size] if content else self.read(size + -size % 8)[:size]

    def numbers(self) -> int:
        kind, size, content = self.tag()
        self.values += size // NUMBERS.get(kind, 1)
        # as float64, which readers and filters compute with
        in_proportion(self.name, 8 * self.values, self.stored, FREE / 2, TIMES)
        if not content:
            self.skip(size + -size % 8)
        return size

    def array(self, depth: int, wanted: set[bytes] | None = None) -> None:
        if depth > DEEP:
            raise ValueError("arrays in arrays, deeper than a recording has")
        flags = struct.unpack(f"{self.order}I", self.small(8)[:4])[0]
        kind, raw = flags & 0xFF, self.small(64)
        shape = struct.unpack(f"{self.order}{len(raw) // 4}i", raw[: len(raw) // 4 * 4])
        name = self.small(NAME)
        if wanted is not None and name not in wanted:
            return
        cells = math.prod(shape) if min(shape, default=-1) >= 0 else -1
        if kind in NUMERIC or kind == TEXT:
            for _ in range(2 if flags & COMPLEX else 1):
                if self.numbers() < cells:
                    raise ValueError(f"an array of {cells} values in fewer bytes")
            return
        if kind not in (CELL, STRUCT) or not 0 <= cells <= MOST:
            raise ValueError(f"an array of class {kind} and shape {shape}")
        fields = 1
        if kind == STRUCT:
            length = struct.unpack(f"{self.order}I", self.small(4))[0]
            fields = len(self.small(NAME * 8)) // max(1, length)
        self.arrays += cells * fields
        if self.arrays > MOST:
            raise ValueError("more arrays than a recording has")
        for _ in range(cells * fields):
            kind, size, _ = self.tag()
            if kind != MATRIX:
                raise ValueError("no array where one is expected")
            if size:
                self.array(depth + 1)
