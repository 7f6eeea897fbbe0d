"""Recordings as published: `load(dataset, root)` yields one `Recording` after the other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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

    Raises InputError at once if the set is unknown or its folder missing, and later, at the
    recording concerned, if a file is damaged or not as published.
    """
    if dataset not in READERS:
        raise InputError(f"Unknown dataset {dataset!r}: choose from {', '.join(READERS)}.")
    folder = Path(root) / dataset
    if not folder.is_dir():
        group = "open" if READERS[dataset].__module__ == open_sets.__name__ else "paper"
        raise InputError(
            f"There is no folder {folder}: get the set with `python -m ppglib fetch {group} --only {dataset}` "
            f"or name with --data the folder that holds {dataset}/."
        )
    simulated = (Path(root) / SIMULATED).exists()
    return (replace(recording, simulated=simulated) for recording in READERS[dataset](folder))


__all__ = ["READERS", "SIMULATED", "Recording", "load"]
