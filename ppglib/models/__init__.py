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
CURVES = ("near", "wider", "within")  # of an interval
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
    _check_words(path, about)
    _check_weights(path, about, weights)
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
            about = {key: files.from_json(value) for key, value in (file.metadata() or {}).items()}
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is damaged or no model of this library ({error}): get it again.") from None
    _check_words(path, about)
    network = _network(path, about["design"], weights)
    _check_weights(path, about, weights)
    network.about = about
    return network.eval()


def _network(path, design, weights: dict) -> ResNet1D:
    """The network of a design with these weights; looked at without memory first, as a design may ask for any size."""
    try:
        blocks = sum(name.endswith("conv1.weight") for name in weights)
        if design["blocks"] != blocks or max(np.atleast_1d(design.get("dilations", 1))) > LENGTH:
            raise ValueError
        with torch.device("meta"):
            needed = ResNet1D(**design).state_dict()
        needed = {name: (value.shape, value.dtype) for name, value in needed.items()}
        if needed != {name: (value.shape, value.dtype) for name, value in weights.items()}:
            raise ValueError
        network = ResNet1D(**design)
        network.load_state_dict(weights)
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError, OverflowError):
        raise InputError(f"{path}: its weights do not fit its design {str(design)[:200]}: get it again.") from None
    return network


def tracking_model(about: dict) -> Model:
    """How heart rates move, as `ppglib.tracking` takes it, from what a model's file says."""
    return Model(**about["tracking"])


def _check_words(path, about: dict) -> None:
    if missing := [key for key in (*FIXED, *GIVEN, *FOUND) if key not in about]:
        raise InputError(f"{path} does not say its {', '.join(missing)}: give what `ppglib.models.GIVEN` lists.")
    for key, needed in FIXED.items():
        if about[key] != needed:
            raise InputError(f"{path} has {key} {repr(about[key])[:80]}, not {needed!r}: this library cannot use it.")
    band, moves = about["interval"], about["tracking"]
    curves = _has(band, HOW) and all(_has(band[how], CURVES) and _alike(*(band[how][c] for c in CURVES)) for how in HOW)
    if not (curves and _has(moves, Model._fields) and _numbers(moves.values()) and len(moves) == len(Model._fields)):
        raise InputError(f"{path} says nothing usable about interval or tracking: save it anew.")
    if not (_alike(about["range"]) and len(about["range"]) == 2):
        raise InputError(f"{path} has range {str(about['range'])[:80]}, not two heart rates: save it anew.")


def _check_weights(path, about: dict, weights: dict) -> None:
    if not all(torch.isfinite(value).all() for value in weights.values()):
        raise InputError(f"{path} has weights that are not finite: train or get it again.")
    if about["weights"] != _digest(weights):
        raise InputError(f"{path} is damaged, its weights are not those that were saved: get it again.")


def _has(value, keys) -> bool:
    return isinstance(value, dict) and set(keys) <= set(value)


def _numbers(values) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e300 for v in values)


def _alike(*lists) -> bool:
    """Whether they are lists of numbers, of one length."""
    return all(isinstance(one, list | tuple) and len(one) and _numbers(one) for one in lists) and len({*map(len, lists)}) == 1


def _digest(weights) -> str:
    sha = hashlib.sha256()
    for name, value in sorted(weights.items()):
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.contiguous().numpy().tobytes())
    return sha.hexdigest()
