"""Files of a published set, in a folder or inside its zip archives, read without unpacking them."""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO

import numpy as np

from ppglib.files import InputError
from ppglib.windows import Recording

NESTED = "data.zip"  # the one archive inside an archive: PPG-DaLiA's
BUFFER = 1 << 20
# what to say of a file that no parser reads
PUBLISHED = "is damaged, truncated or not as published ({}): fetch it again"
OWN = "is damaged or no such table ({}): save it again as CSV (UTF-8) or Parquet"
END_RECORD = 22  # bytes at the end of a zip, before its comment


@dataclass(frozen=True)
class Member:
    """One file: `name` for messages, `path` within the set, and how to open its bytes."""

    name: str
    path: str
    opener: Callable[[], BinaryIO]
    damage: str = PUBLISHED

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file as a stream; whatever damage makes the body raise becomes one InputError."""
        with damaged(self.name, self.damage), io.BufferedReader(self.opener(), BUFFER) as stream:
            yield stream
            while stream.read(BUFFER):  # a zip checks its CRC at the end only
                pass

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


@contextmanager
def members(folder: Path, damage: str = PUBLISHED) -> Iterator[list[Member]]:
    """All files below `folder` and in the zips that lie directly in it but hidden ones, as Members that stay readable
    until the context ends. Raises InputError for a broken archive or a member path that leaves it."""
    with ExitStack() as stack:
        found = []
        for path in sorted(folder.rglob("*")):
            open_file, inside = partial(open, path, "rb"), path.relative_to(folder)
            if hidden(inside):
                continue
            if path.suffix == ".zip" and path.parent == folder:
                found += _archive(stack, str(path), open_file, damage)
            elif path.is_file():
                found.append(Member(str(path), inside.as_posix(), open_file, damage))
        yield found


def hidden(path: PurePath) -> bool:
    """Whether a file is none of the user's: hidden, or what a Mac puts beside a file or into an archive."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _archive(stack: ExitStack, name: str, opener, damage: str) -> list[Member]:
    with damaged(name, damage):
        stream = stack.enter_context(opener())
        archive = stack.enter_context(zipfile.ZipFile(stream))
        # zipfile itself lists what it finds and does not compare with the number that the archive states
        stream.seek(-END_RECORD - len(archive.comment), io.SEEK_END)
        stated = int.from_bytes(stream.read(END_RECORD)[10:12], "little")
        if stated not in (len(archive.infolist()), 0xFFFF):
            raise ValueError(f"it lists {len(archive.infolist())} of its {stated} files")
    found = []
    for info in archive.infolist():
        if re.search(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)", info.filename):
            raise InputError(f"{name} holds {info.filename!r}, a path outside the archive: do not use it.")
        inner = Member(f"{name}/{info.filename}", info.filename, partial(archive.open, info), damage)
        if info.is_dir() or hidden(PurePosixPath(info.filename)):
            continue
        if PurePosixPath(info.filename).name == NESTED:
            found += _archive(stack, inner.name, inner.opener, damage)  # a zip member can seek, so a zip opens in it
        else:
            found.append(inner)
    return found


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
