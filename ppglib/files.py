"""Files whole or not at all, and errors in one sentence."""

import hashlib
import io
import os
import uuid
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"


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


def library_version() -> str:
    """The version of ppglib that is installed."""
    try:
        return version("ppglib")
    except PackageNotFoundError:  # used from a folder that is not installed
        return "unknown"


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: str | Path, content: bytes) -> None:
    """Write the whole file or nothing: beside it first, then renamed over it. Makes its folder.

    Raises InputError where the file cannot be written."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
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


def write_parquet(path: str | Path, table) -> None:
    """Write a DataFrame as Parquet, whole or not at all."""
    table.to_parquet(content := io.BytesIO(), index=False)
    write(path, content.getvalue())


def write_table(path: str | Path, table) -> None:
    """Write a DataFrame as CSV, whole or not at all; numbers to six significant digits."""
    write(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
