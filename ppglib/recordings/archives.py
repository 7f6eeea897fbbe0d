"""Files of a published set, in a folder or inside its zip archives, read without unpacking them."""

import hashlib
import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO

import numpy as np

from ppglib.files import LARGEST_GB, InputError, largest, opened, short
from ppglib.windows import Recording

NESTED = "data.zip"  # the one archive inside an archive: PPG-DaLiA's
BUFFER = 1 << 20
# what to say of a file that no parser reads
PUBLISHED = "is damaged, truncated or not as published ({}): fetch it again"
OWN = "is damaged or no such table ({}): save it again as CSV (UTF-8) or Parquet"
TIMES, FREE = 50, 100e6  # what is packed may hold so many times its bytes, or so many bytes in all
END_RECORD = 22  # bytes at the end of a zip, before its comment


@dataclass(frozen=True)
class Member:
    """One file: `name` for messages, `path` within the set, and how to open its bytes.

    stored: bytes that it takes on the disk, packed or not; None: as many as it has."""

    name: str
    path: str
    opener: Callable[[], BinaryIO]
    damage: str = PUBLISHED
    stored: int | None = None

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file as a stream; whatever damage makes the body raise becomes one InputError."""
        with damaged(self.name, self.damage), io.BufferedReader(self.opener(), BUFFER) as stream:
            yield stream
            while stream.read(BUFFER):  # a zip checks its CRC at the end only
                pass

    def size(self) -> int:
        """Bytes that it takes on the disk."""
        if self.stored is None:
            with damaged(self.name, self.damage), self.opener() as stream:
                return stream.seek(0, io.SEEK_END)
        return self.stored

    def verify(self) -> None:
        """Read the file once through, for readers that seek: seeking can switch a zip's CRC check off."""
        with self.open():
            pass


@contextmanager
def damaged(name, say: str = PUBLISHED) -> Iterator[None]:
    """Report any error of a parser as a damaged file: parsers raise many types on damaged bytes."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"{name} {say.format(why)}.") from error


def file(path: Path, inside: str | None = None, damage: str = PUBLISHED) -> Member:
    """A file on the disk as a Member; `inside`: its path within the set."""
    return Member(str(path), inside or path.name, partial(opened, path), damage)


@contextmanager
def members(folder: Path, damage: str = PUBLISHED) -> Iterator[list[Member]]:
    """All files below `folder` and in the zips that lie directly in it but hidden ones, as Members that stay readable
    until the context ends. Raises InputError for a broken archive or a member path that leaves it."""
    with ExitStack() as stack:
        found = []
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if hidden(inside) or path.is_dir():
                continue
            if path.suffix == ".zip" and path.parent == folder:
                found += _archive(stack, str(path), partial(opened, path), damage)
            elif path.is_file():
                found.append(file(path, inside.as_posix(), damage))
        yield found


def hidden(path: PurePath) -> bool:
    """Whether a file is none of the user's: hidden, or what a Mac puts beside a file or into an archive."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _archive(stack: ExitStack, name: str, opener, damage: str, nested: bool = False) -> list[Member]:
    with damaged(name, damage):
        stream = stack.enter_context(opener())
        archive = stack.enter_context(zipfile.ZipFile(stream))
        # zipfile itself lists what it finds and does not compare with the number that the archive states
        end = stream.seek(-END_RECORD - len(archive.comment), io.SEEK_END)
        stated, every = int.from_bytes(stream.read(END_RECORD)[10:12], "little"), archive.infolist()
        if stated not in (len(every), 0xFFFF):
            raise ValueError(f"it lists {len(every)} of its {stated} files")
        if sum(info.compress_size for info in every) > end:
            raise ValueError("its files lie upon each other")
    found = []
    for info in every:
        if re.search(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)", info.filename):
            raise InputError(f"{name} holds {short(info.filename)}, a path outside the archive: do not use it.")
        if info.is_dir() or hidden(PurePosixPath(info.filename)):
            continue
        inner = f"{name}/{info.filename}"
        opener = partial(_unpacked, archive, info, inner)
        if PurePosixPath(info.filename).name == NESTED and not nested:
            found += _archive(stack, inner, partial(_seekable, opener, info), damage, nested=True)
        else:
            found.append(Member(inner, info.filename, opener, damage, info.compress_size))
    return found


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> BinaryIO:
    in_proportion(name, info.file_size, info.compress_size)  # no more than this is ever unpacked
    return archive.open(info)


def _seekable(opener, info: zipfile.ZipInfo) -> BinaryIO:
    """A file in a zip, for many jumps in it: what is packed would be unpacked from its start for each."""
    if info.compress_type == zipfile.ZIP_STORED:
        return opener()
    with opener() as packed:
        whole = tempfile.TemporaryFile()
        shutil.copyfileobj(packed, whole, BUFFER)
    whole.seek(0)
    return whole


def in_proportion(name: str, size: int, stored: int, free: float = FREE, times: float = TIMES) -> None:
    """InputError if `size` bytes come out of the `stored` bytes of a file, and that is out of proportion."""
    if size > (most := largest(max(free, times * stored))):
        what = f"{name} has {size / 1e6:.0f} MB when read, out of proportion to the {stored / 1e6:.2g} MB that it takes"
        raise InputError(f"{what}: leave it out or, if you trust it, set {LARGEST_GB} above {most / 1e9:.2g} (GB).")


def by_person(found: list[Member], pattern: str) -> dict[str, Member]:
    """Members whose path ends in `pattern` (group 1 = the person), in order; InputError if one is there twice."""
    people: dict[str, Member] = {}
    for member in found:
        match = re.search(rf"(?:^|/){pattern}$", member.path)
        if match and people.setdefault(match[1], member) is not member:
            copies = f"{member.name} and {people[match[1]].name} are two copies"
            raise InputError(f"{copies} of participant {match[1]}: keep one.")
    return dict(sorted(people.items(), key=lambda item: by_number(item[0])))


def by_number(name: str) -> str:
    """What to sort names by: S2 before S10."""
    return re.sub(r"\d+", lambda n: n[0].zfill(9), name)


def refuse_copies(recordings: Iterable[Recording], problems: list[str] | None = None) -> Iterator[Recording]:
    """Pass recordings on; InputError if two hold the very same PPG: one person would be trained on and tested.
    With `problems` the sentence is added to them instead."""
    seen: dict[str, str] = {}
    for recording in recordings:
        digest = hashlib.sha256(np.ascontiguousarray(recording.ppg)).hexdigest()
        if digest in seen:
            copies = f"{recording.dataset}: {seen[digest]} and {recording.name}"
            if problems is None:
                raise InputError(f"{copies} have the very same PPG: remove one of the two.")
            problems.append(f"{copies} have the very same PPG: remove one of the two.")
        seen[digest] = recording.name
        yield recording
        del recording  # or it would stay while the reader makes the next one
