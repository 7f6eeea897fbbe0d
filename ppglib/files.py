"""Files whole or not at all, and errors in one sentence."""

import hashlib
import io
import json
import math
import os
import re
import stat
import uuid
from collections.abc import Iterable
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
LARGEST_GB = "PPGLIB_LARGEST_GB"  # the environment variable by which a user raises the bounds of sizes


class InputError(ValueError):
    """The input is wrong, not the program. One sentence: what is wrong, where, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the sentence, without the way through the library that led there."""
        return [f"{type(self).__name__}: {self}"]


def instead_of(word: str, known: Iterable[str]) -> str:
    """For the end of a sentence: the known word that is most like this one, or where none is, all of them."""
    known = list(known)
    alike = get_close_matches(word, known, 1)
    return f"do you mean {alike[0]!r}?" if alike else f"choose from {', '.join(known)}."


def resolve(path: str | Path) -> Path:
    """An absolute path; a relative one is meant from the root of the repository, wherever a notebook runs."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else ROOT / path


def name(text: str, what: str) -> str:
    """The text, if it may be a part of file names and of pages: letters, digits, _ - and single dots inside.

    what: it names, for the sentence of the InputError: "recipe of mine.toml"."""
    if not re.fullmatch(r"\w[\w-]*(\.[\w-]+)*", text) or len(text) > 60:  # no part of it can match in two ways
        rule = "a name has up to 60 letters, digits, _ and -, and single dots inside"
        raise InputError(f"The {what} cannot be {text[:60]!r}: {rule}.")
    return text


def opened(path: str | Path) -> BinaryIO:
    """A regular file, open for reading as bytes; whether it is one is decided before, as a pipe would wait for ever.

    Raises InputError for anything else, and for what cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"{path} is no regular file: move it away, or name another.")
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): name a file that can.") from None


def read(path: str | Path, most: float) -> bytes:
    """The content of a regular file of at most `most` bytes; InputError for any other."""
    with opened(path) as file:
        content = file.read(int(most) + 1)
    if len(content) > most:
        raise InputError(f"{path} has more than {most:g} bytes: that is no file of this kind.")
    return content


def largest(default: float) -> float:
    """Bytes that one file may take when it is read: `default`, or more where the user allows it by PPGLIB_LARGEST_GB."""
    given = os.environ.get(LARGEST_GB)
    try:
        number = float(given or default / 1e9)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"{LARGEST_GB} is {given!r}: set it to a number of GB, such as 8.")
    return max(default, number * 1e9)


def from_json(text: str | bytes):
    """What a JSON text says. Raises ValueError if it is none, nests too deep, or holds what is no finite number."""
    whole = lambda text: int(text) if len(text) < 300 else _no_number(text[:20])  # noqa: E731, a float64 must hold it
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=whole)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def short(value, most: int = 100) -> str:
    """A value as it is written in a sentence: its first characters, or its type where it cannot be written."""
    try:
        said = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; nested too deep
        return f"a {type(value).__name__}"
    return said if len(said) <= most else f"{said[:most]}..."


def _no_number(text: str):
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text[:20])


def library_version() -> str:
    """The version of ppglib that is installed."""
    try:
        return version("ppglib")
    except PackageNotFoundError:  # used from a folder that is not installed
        return "unknown"


def sha256(path: str | Path) -> str:
    """SHA-256 of a regular file, in hexadecimal; InputError where it cannot be read."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: str | Path, content: bytes, alone: bool = False) -> None:
    """Write the whole file or nothing: beside it first, then renamed over it. Makes its folder.

    alone: nobody else writes it now, because a lock is held. The file beside then has one name, so that what a
    killed process left there goes with the next one that writes.
    Raises InputError where the file cannot be written."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{'part' if alone else uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(content)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"Cannot write {path} ({error.strerror}): choose another folder.") from error


def claim(folder: str | Path, owner: str, check_only: bool = False) -> None:
    """Keep a folder of tables for one owner, such as "study demo", because another's would have the same names.

    Raises InputError if it is another's."""
    mark = Path(folder) / "made_from.txt"
    holder = mark.read_text(encoding="utf-8").strip() if mark.is_file() else ""
    if holder and holder != owner:
        raise InputError(f"{folder} holds the tables of {holder}, so choose another folder for those of {owner}.")
    if not (holder or check_only):
        write(mark, f"{owner}\n".encode())


def write_parquet(path: str | Path, table, alone: bool = False) -> None:
    """Write a DataFrame as Parquet, whole or not at all. alone: see `write`."""
    table.to_parquet(content := io.BytesIO(), index=False)
    write(path, content.getvalue(), alone)


def write_table(path: str | Path, table, alone: bool = False) -> None:
    """Write a DataFrame as CSV, whole or not at all; numbers to six significant digits. alone: see `write`."""
    write(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode(), alone)


@contextmanager
def locked(path: str | Path, blocking: bool = True):
    """Hold the lock at `path`, which the system takes back from a process that dies; InputError if it cannot be made.

    blocking: wait for it; else `filelock.Timeout` says that another holds it."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire(blocking=blocking)
    except Timeout:  # which is an OSError
        raise
    except OSError as error:
        raise InputError(f"Cannot write {path} ({error.strerror}): choose another folder.") from error
    try:
        yield
    finally:
        lock.release()
