"""Download the published files: `fetch("open", root)`, `fetch("open_all", root)`, `fetch("paper", root)`."""

import logging
import os
import shutil
import sys
from pathlib import Path

import pooch
from pooch.hashes import hash_matches
from requests.exceptions import RequestException

from ppglib.files import InputError, instead_of, sha256, write
from ppglib.recordings import SIMULATED
from ppglib.recordings.sources import Source, published

TIMEOUT = 30  # seconds without a byte from the server
ASK_ABOVE = 100e6  # bytes: more than this starts only after a yes
SHORT = 0.99  # where no hash is published, the listed size is rounded: less than this share of it is short
RECORD = ".sha256"  # ends the name of the file that holds the hash of a first download if none is published
PARTIAL = ".partial"  # folder in the root where files grow; none is moved out before it is whole


def fetch(group: str, root: str | Path, only: str | None = None, yes: bool = False) -> None:
    """Download what `root` lacks of a group of sets (`open`, `open_all`, `paper`), or of the set `only`. Each file is
    checked (published hash, else the hash of the first download, else the size), tried twice, and moved into
    place only when it is whole. Shows size and licence; above 100 MB it asks in a terminal, or needs `yes`.
    Raises InputError if a file cannot be had; the ones before it are kept."""
    root = Path(root)
    sources = [source for source in published(group) if only in (None, source.dataset)]
    if not sources:
        names = dict.fromkeys(source.dataset for source in published(group))
        raise InputError(f"There is no set {only!r} in {group!r}: {instead_of(only, names)}")
    if (root / SIMULATED).exists():
        raise InputError(f"{root} holds simulated recordings: choose another folder for published ones.")
    wanted = [source for source in sources if not _whole(source, root)]
    if not wanted:
        return _say(f"All {len(sources)} files are there.")
    _announce(wanted, root, yes)
    try:
        for number, source in enumerate(wanted, 1):
            _say(f"[{number}/{len(wanted)}] {source.dataset}/{source.file} {_size(source.bytes)}")
            _download(source, root)
    finally:
        shutil.rmtree(root / PARTIAL, ignore_errors=True)
    _say(f"{len(wanted)} files fetched into {root}, {len(sources) - len(wanted)} were there.")


def _announce(wanted: list[Source], root: Path, yes: bool) -> None:
    total = sum(source.bytes for source in wanted)
    for name in dict.fromkeys(source.dataset for source in wanted):
        own = [source for source in wanted if source.dataset == name]
        size = _size(sum(source.bytes for source in own))
        _say(f"{name}: {len(own)} files, {size}, licence: {own[0].licence}")
    free = shutil.disk_usage(next(path for path in (root, *root.absolute().parents) if path.exists())).free
    if total > free:
        raise InputError(f"{root} has {_size(free)} free for {_size(total)}: choose another folder.")
    if total <= ASK_ABOVE or yes:
        return
    if not sys.stdin.isatty():
        raise InputError(f"{_size(total)} to download: add --yes to start, or --only for one set.")
    if input(f"Download {_size(total)} into {root}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise InputError("Nothing was downloaded.")


def _whole(source: Source, root: Path) -> bool:
    """Whether the file is there and as published; where no hash is, that of a first download is recorded."""
    path, known = root / source.dataset / source.file, _known_hash(source, root)
    if not path.is_file():
        return False
    whole = hash_matches(path, known) and (known or path.stat().st_size >= SHORT * source.bytes)
    if not whole:
        _say(f"{path} is damaged or incomplete: it will be fetched again.")
    elif not known:
        write(f"{path}{RECORD}", sha256(path).encode())
        _say(f"No hash of {source.file} is published: its SHA-256 is now in {path}{RECORD}.")
    return bool(whole)


def _download(source: Source, root: Path) -> None:
    """One file by pooch: to a temporary name, checked, tried twice, then moved into place."""
    partial, path, known = root / PARTIAL, root / source.dataset / source.file, _known_hash(source, root)
    pooch.get_logger().setLevel(logging.ERROR)  # the lines of this module say the same
    try:
        partial.mkdir(parents=True, exist_ok=True)
        urls, hashes = {path.name: source.url}, {path.name: known}
        fetcher = pooch.create(partial, "", urls=urls, registry=hashes, retry_if_failed=1)
        fetched = fetcher.fetch(path.name, downloader=lambda *where: _get(source, *where))
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(fetched, path)
    except (RequestException, ValueError) as error:  # ValueError: pooch found another hash
        reason, name = " ".join(str(error).split()).rstrip("."), f"{source.dataset}/{source.file}"
        raise InputError(f"Could not fetch {name} from {source.url}: {reason}.") from error
    except OSError as error:
        raise InputError(f"Cannot write {path} ({error.strerror}): choose another folder.") from error
    if known is None:
        _whole(source, root)


def _get(source: Source, url: str, output: str, pooch_) -> None:
    bar = sys.stderr.isatty()
    pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 20, timeout=TIMEOUT)(url, output, pooch_)
    size = Path(output).stat().st_size
    if size < SHORT * source.bytes:
        raise ValueError(f"the server sent {size} of {source.bytes} bytes")


def _known_hash(source: Source, root: Path) -> str | None:
    """algorithm:hash as published, else as recorded at the first download, else None."""
    record = root / source.dataset / (source.file + RECORD)
    recorded = f"sha256:{record.read_text()}" if record.is_file() else None
    return f"{source.algorithm}:{source.hash}" if source.hash else recorded


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
