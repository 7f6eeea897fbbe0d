"""What was published where: the files of every set, and whether those on disk are the published ones."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ppglib.files import ROOT, InputError, sha256

LISTS = {  # `open` is what the committed results are of; `open_all` is that and more people
    "open": ROOT / "data" / "sources.csv",
    "open_all": ROOT / "data" / "open_all_sources.csv",
    "paper": ROOT / "data" / "paper_sources.csv",
}
OPEN_TERMS = "free for your own academic research with citation, not to be redistributed"


class Source(NamedTuple):
    """One published file: where it belongs, its size in bytes, URL, hash ("" = none published), licence."""

    dataset: str
    file: str
    bytes: int
    url: str
    hash: str
    algorithm: str = "sha256"
    licence: str = OPEN_TERMS


def published(group: str) -> list[Source]:
    """The files of the sets `open`, `open_all` (which has those of `open` too) or `paper`, as listed in data/."""
    if group not in LISTS:
        raise InputError(f"Unknown group {group!r}: choose from {', '.join(LISTS)}.")
    lists = [LISTS[name] for name in (["open", group] if group == "open_all" else [group])]
    table = pd.concat([pd.read_csv(path, keep_default_na=False) for path in lists]).rename(columns={"sha256": "hash"})
    return [Source(**row) for row in table.to_dict("records")]


def how_to_get(dataset: str) -> str:
    """Half a sentence for error messages: the command that fetches `dataset`."""
    there = [group for group in LISTS if dataset in {source.dataset for source in published(group)}]
    commands = [f"get the set with `python -m ppglib fetch {group} --only {dataset}` or " for group in there]
    return f"{''.join(commands[:1])}name with --data the folder that holds {dataset}/"


def verify(dataset: str, root: str | Path) -> None:
    """Check that the files of an open set in `root`/`dataset` are the published ones, byte for byte. The paper's
    sets come in several forms, so not here. Raises InputError that names the missing files, or the altered one
    with both hashes."""
    folder = Path(root) / dataset
    sources = [source for source in published("open_all") if source.dataset == dataset]
    missing = [source.file for source in sources if not (folder / source.file).is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(f"{folder} lacks {', '.join(missing[:3])}{more}: {how_to_get(dataset)}.")
    for source in sources:
        path = folder / source.file
        if (found := sha256(path)) != source.hash:
            found += f" ({path.stat().st_size} of {source.bytes} bytes)"
            wrong = f"{path} is not the published file: expected SHA-256 {source.hash}, found {found}"
            raise InputError(f"{wrong}; remove it and {how_to_get(dataset)}.")
