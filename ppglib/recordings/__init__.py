"""Recordings as published: `load(dataset, root)` yields one `Recording` after the other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ppglib import sources
from ppglib.errors import InputError
from ppglib.recordings import open_sets
from ppglib.recordings.base import Recording

READERS = {
    "spc2015": open_sets.spc2015,
    "bami1": open_sets.bami1,
    "bami2": open_sets.bami2,
}
SIMULATED = "SIMULATED"  # `ppglib.simulate` puts a file of this name into the root it writes


def load(dataset: str, root: str | Path) -> Iterator[Recording]:
    """Recordings of `dataset` in the folder `root`/`dataset`, one in memory at a time.

    Raises InputError at once if the set is unknown, its folder or a published file is missing or
    a file is not the published one, and later, at the recording concerned, if its content is wrong.
    """
    folder = locate(dataset, root)
    simulated = (Path(root) / SIMULATED).exists()
    if not simulated:
        sources.verify(dataset, root)
    return (replace(recording, simulated=simulated) for recording in READERS[dataset](folder))


def locate(dataset: str, root: str | Path) -> Path:
    """The folder of `dataset` in `root`; InputError if the set is unknown or the folder missing."""
    if dataset not in READERS:
        raise InputError(f"Unknown dataset {dataset!r}: choose from {', '.join(READERS)}.")
    folder = Path(root) / dataset
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: {sources.how_to_get(dataset)}.")
    return folder


__all__ = ["READERS", "SIMULATED", "Recording", "load", "locate"]
