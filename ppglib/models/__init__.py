"""Trained networks as files: weights and, in the same file, all that a reader needs to use and to judge them."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as packed

from ppglib import files
from ppglib.files import InputError, instead_of
from ppglib.resnet1d import Design, ResNet1D
from ppglib.task import BAND, BINS, LENGTH, LOWEST, RATE, STEP_SECONDS
from ppglib.tracking import HOW, Model

FOLDER = Path(__file__).parent  # of the models that come with the library, found by name
FIXED = {  # what this library does before and after a network; a file that says otherwise is for another one
    "format": 1, "architecture": "ResNet1D", "rate": RATE, "samples": LENGTH, "step": STEP_SECONDS, "band": list(BAND),
    "filter": "Butterworth, order 4, forwards and backwards over each window",
    "normalization": "z-score of each window", "bins": BINS, "lowest": LOWEST, "decoder": "median",
}  # fmt: skip
GIVEN = {  # what only the one who trained it knows; the last four are what `ppglib.models.about.held_out` returns
    "strategy": "how it was trained", "teacher": 'what taught it, or ""', "datasets": "names of its training sets",
    "licence": "what their licences allow", "windows": "digest of its training windows",
    "error": "of people whom it was not trained on", "range": "of 99 % of their heart rates, BPM",
    "interval": "for each tracking, see `ppglib.models.predict.calibrate`", "tracking": "scale, jump and weight",
}  # fmt: skip
FOUND = ("design", "library", "weights")  # what `save` adds


def names() -> list[str]:
    """The models that come with the library."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def save(network: ResNet1D, path: str | Path, about: dict) -> None:
    """Write a network to one .safetensors file, whole or not at all.

    about: everything in GIVEN, as JSON can hold it; what else is there is kept too. Raises InputError for
    missing entries, weights that are not finite, and a path that cannot be written."""
    weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    found = {"design": vars(network.design), "library": files.library_version(), "weights": _digest(weights)}
    about = about | FIXED | found
    _check(path, about, weights)
    files.write(path, packed(weights, {key: json.dumps(value) for key, value in about.items()}))


def load(model: str | Path) -> ResNet1D:
    """A network in eval mode, from its name or the path of its file; what the file says is its `about`, a dict.

    Nothing in the file is executed. Raises InputError for an unknown name, a damaged file, one without all that
    `save` writes, and one for another architecture, rate or number of bins."""
    path = FOLDER / f"{model}.safetensors" if model in names() else Path(model)
    if not path.is_file():
        raise InputError(f"There is no model {str(model)!r}, by name or as a file: {instead_of(str(model), names())}")
    try:
        with safe_open(path, "pt") as file:
            about = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged or no model of this library ({error}): get it again.") from None
    _check(path, about, weights)
    try:
        network = ResNet1D(**about["design"])
        network.load_state_dict(weights)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{path}: its weights do not fit its design {about['design']}: get it again.") from None
    network.about = about
    return network.eval()


def tracking_model(about: dict) -> Model:
    """How heart rates move, as `ppglib.tracking` takes it, from what a model's file says."""
    return Model(**about["tracking"])


def _check(path, about, weights) -> None:
    if missing := [key for key in (*FIXED, *GIVEN, *FOUND) if key not in about]:
        raise InputError(f"{path} does not say its {', '.join(missing)}: give what `ppglib.models.GIVEN` lists.")
    for key, needed in FIXED.items():
        if about[key] != needed:
            raise InputError(f"{path} has {key} {about[key]!r}, not {needed!r}: this library cannot use it.")
    if not all(torch.isfinite(value).all() for value in weights.values()):
        raise InputError(f"{path} has weights that are not finite: train or get it again.")
    if about["weights"] != _digest(weights):
        raise InputError(f"{path} is damaged, its weights are not those that were saved: get it again.")
    band, moves = about["interval"], about["tracking"]
    if not (_has(band, HOW) and _has(moves, Model._fields)):
        raise InputError(f"{path} says nothing usable about interval or tracking: save it anew.")


def _has(value, keys) -> bool:
    return isinstance(value, dict) and set(keys) <= set(value)


def _digest(weights) -> str:
    sha = hashlib.sha256()
    for name, value in sorted(weights.items()):
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.contiguous().numpy().tobytes())
    return sha.hexdigest()
