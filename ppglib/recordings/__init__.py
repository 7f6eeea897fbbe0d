"""Recordings as published: `load(dataset, root)` yields one `Recording` after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path

from ppglib.files import InputError, instead_of
from ppglib.recordings import sources
from ppglib.recordings.archives import refuse_copies
from ppglib.windows import Recording, Windows, build

READERS = {  # module and function, imported at first use
    "spc2015": "open_sets.spc2015",
    "spc2015_test": "open_sets.spc2015_test",
    "bami1": "open_sets.bami1",
    "bami2": "open_sets.bami2",
    "ppg_dalia": "dalia.read",
    "dalia_s6_stairs": "dalia.excerpt",
    "wildppg": "wildppg.read",
    "wildppg_hf": "wildppg.read_hf",
    "galaxyppg": "galaxyppg.read",
    "own": "own.read",
}
SIMULATED = "SIMULATED"  # `ppglib.simulate` puts a file of this name into the root it writes


def load(dataset: str, root: str | Path) -> Iterator[Recording]:
    """Recordings of `dataset` in the folder `root`/`dataset`, one in memory at a time. Raises InputError at
    once if the set is unknown, its folder or a published file missing or altered, and later, at the recording
    concerned, if its content is wrong."""
    folder = locate(dataset, root)
    simulated = (Path(root) / SIMULATED).exists()
    if not simulated:
        sources.verify(dataset, root)
    module, function = READERS[dataset].split(".")
    reader = getattr(import_module(f"ppglib.recordings.{module}"), function)
    return map(partial(replace, simulated=simulated), refuse_copies(reader(folder)))


def locate(dataset: str, root: str | Path) -> Path:
    """The folder of `dataset` in `root`; InputError if the set is unknown or the folder missing."""
    if dataset not in READERS:
        raise InputError(f"Unknown dataset {dataset!r}: {instead_of(dataset, READERS)}")
    folder = Path(root) / dataset
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: {sources.how_to_get(dataset)}.")
    return folder


def windows_of(datasets: str | Sequence[str], root: str | Path) -> Windows:
    """Windows of one dataset or of several, read from `root`/DATASET and built anew: `ppglib.load`."""
    names = [datasets] if isinstance(datasets, str) else datasets
    return build(chain.from_iterable(load(name, root) for name in names))
