"""Download the published files: `fetch("open", root)`, `fetch("open_all", root)`, `fetch("paper", root)`."""

import logging
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pooch
import requests
from filelock import FileLock, Timeout
from pooch.hashes import hash_matches
from requests.exceptions import RequestException
from tqdm import tqdm

from ppglib.files import InputError, instead_of, sha256, write
from ppglib.recordings import SIMULATED
from ppglib.recordings.sources import Source, published

TIMEOUT = 30  # seconds without a byte from the server
MINUTE, LEAST = 60.0, 1e6  # seconds, in each of which so many bytes must come; a file may end earlier
HOPS = 5  # times that a server may send on to another address
STATED = "X-Linked-ETag"  # by which huggingface.co states the SHA-256 of a file that it sends on to another host for
CHUNK = 1 << 16  # bytes
ASK_ABOVE = 100e6  # bytes: more than this starts only after a yes
SHORT = 0.99  # where no hash is published, the listed size is rounded: less than this share of it is short
RECORD = ".sha256"  # ends the name of the file that holds the hash of a first download if none is published
PARTIAL = ".partial"  # begins the name of a folder in the root where files grow; none is moved out before it is whole


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
    with _partial(root) as partial:
        for number, source in enumerate(wanted, 1):
            _say(f"[{number}/{len(wanted)}] {source.dataset}/{source.file} {_size(source.bytes)}")
            _download(source, root, partial)
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


@contextmanager
def _partial(root: Path) -> Iterator[Path]:
    """A folder of this fetch alone, as two may work in one root; those of fetches that were killed are removed."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        for old in root.glob(f"{PARTIAL}-*"):
            with suppress(Timeout), FileLock(old / "lock", blocking=False):
                shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{PARTIAL}-", dir=root))
    except OSError as error:
        raise InputError(f"Cannot write {root} ({error.strerror}): choose another folder.") from error
    try:
        with FileLock(folder / "lock"):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(source: Source, root: Path, partial: Path) -> None:
    """One file by pooch: to a temporary name, checked, tried twice, then moved into place."""
    path, known = root / source.dataset / source.file, _known_hash(source, root)
    pooch.get_logger().setLevel(logging.ERROR)  # the lines of this module say the same
    try:
        urls, hashes = {path.name: source.url}, {path.name: known}
        fetcher = pooch.create(partial, "", urls=urls, registry=hashes, retry_if_failed=1)
        fetched = fetcher.fetch(path.name, downloader=lambda url, output, _: _get(source, url, output, known))
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(fetched, path)
    except (RequestException, ValueError) as error:  # ValueError: pooch found another hash
        reason, name = " ".join(str(error).split()).rstrip("."), f"{source.dataset}/{source.file}"
        raise InputError(f"Could not fetch {name} from {source.url}: {reason}.") from error
    except OSError as error:
        raise InputError(f"Cannot write {path} ({error.strerror}): choose another folder.") from error
    if known is None:
        _whole(source, root)


def _get(source: Source, url: str, output: str, known: str | None) -> None:
    """Download into `output`. A thread does it, so that nothing that a server does slowly, headers neither, holds us up."""
    got, stop, failed = [0], threading.Event(), []

    def work():
        try:
            _receive(source, url, output, known, got, stop)
        except Exception as error:  # raised again below, in the thread that waits
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            before = got[0]
            thread.join(MINUTE)
            if thread.is_alive() and got[0] - before < LEAST * MINUTE / 60:
                raise ValueError(f"the server sent {got[0] - before} bytes in {MINUTE:g} s, too few to go on")
    finally:
        stop.set()
    if failed:
        raise failed[0]


def _receive(source: Source, url: str, output: str, known: str | None, got: list[int], stop: threading.Event) -> None:
    most, bar = source.bytes / SHORT + 1, tqdm(total=source.bytes, unit="B", unit_scale=True, disable=not sys.stderr.isatty())
    response, stated = _ask(url, known)
    with response, bar, open(output, "wb") as file:
        if response.headers.get("Content-Encoding", "identity") != "identity":  # it was asked not to
            raise ValueError("the server sent it packed")
        for piece in response.iter_content(CHUNK):
            got[0] += len(piece)
            if got[0] > most:
                raise ValueError(f"the server sent more than the {source.bytes} bytes that are published")
            if stop.is_set():
                return
            file.write(piece)
            bar.update(len(piece))
    if got[0] < SHORT * source.bytes:
        raise ValueError(f"the server sent {got[0]} of {source.bytes} bytes")
    if stated and (found := sha256(output)) != stated:
        raise ValueError(f"expected SHA-256 {stated}, as the server says, found {found}")


def _ask(url: str, known: str | None) -> tuple[requests.Response, str | None]:
    """The answer that holds the file, and its SHA-256 where only the first server states one.

    To another host it goes on only where a hash protects, published or stated; never from https to http."""
    first, stated = urlsplit(url), None
    for _ in range(HOPS + 1):
        headers = {"Accept-Encoding": "identity"}
        response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False)
        response.raise_for_status()
        if not response.is_redirect:
            return response, stated
        etag, here = response.headers.get(STATED, "").strip('"'), urlsplit(url)
        if here.netloc == first.netloc and re.fullmatch("[0-9a-f]{64}", etag):
            stated = etag
        url = urljoin(url, response.headers["Location"])
        response.close()
        there = urlsplit(url)
        if there.scheme != "https" and there.scheme != here.scheme:
            raise ValueError(f"the server sends on to {there.scheme}://{there.netloc}, which is not safe")
        if there.netloc != first.netloc and not (known or stated):
            raise ValueError(f"the server sends on to {there.netloc}, and no hash says what the file is: fetch it by hand")
    raise ValueError(f"the server sent on more than {HOPS} times")


def _known_hash(source: Source, root: Path) -> str | None:
    """algorithm:hash as published, else as recorded at the first download, else None."""
    record = root / source.dataset / (source.file + RECORD)
    recorded = f"sha256:{record.read_text()}" if record.is_file() else None
    return f"{source.algorithm}:{source.hash}" if source.hash else recorded


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
