"""What was published where: the files of every set, and whether those on disk are the published ones."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ppglib.files import ROOT, InputError, sha256

LISTS = {"open": ROOT / "data" / "sources.csv", "paper": ROOT / "data" / "paper_sources.csv"}
OPEN_TERMS = "free for your own academic research with citation, not to be redistributed"
# Parts of a set that add people but that the set can do without.
OPTIONAL = {"spc2015": ("Extra_TrainingData/", "TestData/", "TrueBPM/")}


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
    """The files of the `open` or the `paper` sets, in the order of the list in data/."""
    if group not in LISTS:
        raise InputError(f"Unknown group {group!r}: choose from {', '.join(LISTS)}.")
    table = pd.read_csv(LISTS[group], keep_default_na=False).rename(columns={"sha256": "hash"})
    return [Source(**row) for row in table.to_dict("records")]


def how_to_get(dataset: str) -> str:
    """Half a sentence for error messages: the command that fetches `dataset`."""
    there = [group for group in LISTS if dataset in {source.dataset for source in published(group)}]
    commands = [f"get the set with `python -m ppglib fetch {group} --only {dataset}` or " for group in there]
    return f"{''.join(commands)}name with --data the folder that holds {dataset}/"


def verify(dataset: str, root: str | Path) -> None:
    """Check that the files of an open set in `root`/`dataset` are the published ones, byte for byte. Optional
    parts are checked where they are there; the paper's sets come in several forms, so not here. Raises
    InputError that names the missing files, or the altered one with both hashes."""
    folder = Path(root) / dataset
    sources = [source for source in published("open") if source.dataset == dataset]
    needed = [s.file for s in sources if not s.file.startswith(OPTIONAL.get(dataset, ()))]
    missing = [file for file in needed if not (folder / file).is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(f"{folder} lacks {', '.join(missing[:3])}{more}: {how_to_get(dataset)}.")
    for source in sources:
        path = folder / source.file
        if path.is_file() and (found := sha256(path)) != source.hash:
            found += f" ({path.stat().st_size} of {source.bytes} bytes)"
            wrong = f"{path} is not the published file: expected SHA-256 {source.hash}, found {found}"
            raise InputError(f"{wrong}; remove it and {how_to_get(dataset)}.")
