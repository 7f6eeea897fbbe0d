"""Heart rate over consecutive windows: a hidden Markov model over what is predicted for each of them.

What a window says is its probabilities over the prior (Bourlard & Morgan 1994); between two windows a heart
rate moves little or, rarely, to anywhere. The two passes are in Rabiner (1989, section III). On PPG such
models are in BeliefPPG (Bieri et al. 2023, its moves too are Laplace) and, by Viterbi, in Temko (2017)."""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from ppglib.files import InputError
from ppglib.task import BINS, HR_RANGE, STEP_SECONDS, decode, to_bin

HOW = ("none", "online", "smooth")
SCALES = np.geomspace(0.1, 10, 93)  # BPM
JUMPS = np.geomspace(1e-4, 0.3, 40)  # never 0: only a jump finds a lost track again
# Windows share 6 of 8 s. So errors last for some steps, and one window counts less; and so do moves (in two
# of three sets the next step goes the same way, r = 0.8), and several go further than one alone tells.
WEIGHTS, WIDER = (0.1, 0.2, 0.4, 0.7, 1.0), (1, 2, 4, 8)
FLAT = (0.1, 1.0)  # share of the prior that all bins have alike: to divide by little magnifies noise
SMOOTHING = 3.0  # BPM, scale of the kernel over the histogram of labels


class Model(NamedTuple):
    """How heart rates move, how frequent they are, and how far to trust one window."""

    scale: float  # BPM, of the Laplace distribution of the moves between two windows
    jump: float  # probability that the next heart rate is drawn from the prior instead, in (0, 1)
    prior: np.ndarray  # (bins,) probabilities, all above 0
    weight: float  # power of what a window says, in (0, 1]


def segments(table: pd.DataFrame) -> list[np.ndarray]:
    """Row positions of each unbroken run of windows in the order of time; every row is in one run.

    table: columns dataset, person, recording, second. A run ends with its recording, and where the next
    window does not start exactly 2 s later. Raises InputError for a window that is there twice."""
    recording = table.groupby(["dataset", "person", "recording"], sort=False).ngroup().to_numpy()
    second = table.second.to_numpy(float)
    order = np.lexsort((second, recording))
    same, later = np.diff(recording[order]) == 0, np.diff(second[order])
    if (same & ~(later > 0)).any():
        raise InputError("Two windows of one recording start at the same second: give each window once.")
    return np.split(order, np.flatnonzero(~same | (later != STEP_SECONDS)) + 1)


def transition(model: Model) -> np.ndarray:
    """(bins, bins) probabilities of the next bin (column) after each bin (row); bins are 1 BPM wide."""
    return (1 - model.jump) * _kernel(model.scale, len(model.prior)) + model.jump * model.prior


def track(probabilities: np.ndarray, segments: list[np.ndarray], model: Model, how: str) -> np.ndarray:
    """Probabilities of each window's bins given its run: (N, bins) float64, in the order of the input.

    probabilities: (N, bins) of each window alone. segments: of the same N windows. how: "none", the input;
    "online", given the window and those before it; "smooth", given the whole run. Raises InputError for
    an unknown `how`, shapes that do not fit, and numbers that are no probabilities or no model."""
    if how not in HOW:
        raise InputError(f"There is no tracking {how!r}: choose from {', '.join(HOW)}.")
    return _passes(probabilities, segments, model)[HOW.index(how)]


def _passes(probabilities, segments, model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `track` returns for each of HOW."""
    _check(probabilities, segments, model)
    # A step of time has the rows of all runs that last so long, the longest run first: the rows of the
    # next step continue the first ones of this.
    runs = sorted(segments, key=len, reverse=True)
    time = np.concatenate([np.arange(len(run)) for run in runs])
    steps = np.split(np.concatenate(runs)[np.argsort(time, kind="stable")], np.cumsum(np.bincount(time))[:-1])
    moves, evidence = transition(model), _evidence(probabilities, model)
    online, expected = np.empty(evidence.shape), np.tile(model.prior, (len(runs), 1))
    for rows in steps:
        online[rows], expected = _step(expected[: len(rows)], evidence[rows], moves)
    smooth, after = online.copy(), np.empty((0, len(moves)))  # what later windows say about bins of `rows`
    for rows in reversed(steps):
        after = np.concatenate([after, np.ones((len(rows) - len(after), len(moves)))])
        smooth[rows] = _normalized(smooth[rows] * after)
        after = _normalized(evidence[rows] * after) @ moves.T
    return probabilities, online, smooth


def stepper(model: Model) -> Callable[[np.ndarray | None], np.ndarray | None]:
    """"online" for windows as they come: a function of the next window's (180,) probabilities, or of None where
    there are none, which ends the run. It returns what `track` does for that window."""
    moves, expected = transition(model), model.prior[None]

    def step(probabilities):
        nonlocal expected
        if probabilities is None:
            expected = model.prior[None]
            return None
        now, expected = _step(expected, _evidence(probabilities[None], model), moves)
        return now[0]

    return step


def _evidence(probabilities, model) -> np.ndarray:
    evidence = (probabilities / model.prior) ** model.weight
    return evidence / evidence.max(1, keepdims=True)


def _step(expected, evidence, moves) -> tuple[np.ndarray, np.ndarray]:
    now = _normalized(expected * evidence)
    return now, now @ moves


def fit(probabilities: np.ndarray, table: pd.DataFrame, hr: np.ndarray) -> Model:
    """The model of heart rates (N,) in BPM in the windows of `table` and of predictions (N, 180) for them.

    Scale and jump are the likeliest for the steps of `hr`, and the prior is its smoothed histogram; how much
    wider the scale, how flat the prior and which weight is decided by the mean MAE of "online" and "smooth".
    Give it training people, and predictions by networks that never saw them: a network is too sure of
    its own people. Raises InputError if nothing can be fitted."""
    hr, runs, models = np.asarray(hr, float), segments(table), []
    if hr.shape != (len(table),) or not ((hr >= HR_RANGE[0]) & (hr < HR_RANGE[1])).all():
        raise InputError("Every window needs one heart rate in [{:.0f}, {:.0f}) BPM.".format(*HR_RANGE))
    bins = to_bin(hr)
    steps = np.concatenate([np.stack([bins[run[:-1]], bins[run[1:]]]) for run in runs], axis=1)
    if not steps.size:
        raise InputError("No window follows another 2 s later: tracking needs consecutive windows.")
    (before, after), count = np.unique(steps, axis=1, return_counts=True)
    frequent = _normalized(np.bincount(bins, minlength=BINS) @ _kernel(SMOOTHING, BINS))
    near = np.stack([_kernel(scale, BINS)[before, after] for scale in SCALES])[:, None]
    for flat in FLAT:
        prior = flat / BINS + (1 - flat) * frequent
        likelihood = np.log((1 - JUMPS[:, None]) * near + JUMPS[:, None] * prior[after]) @ count
        i, k = np.unravel_index(likelihood.argmax(), likelihood.shape)
        models += [Model(float(s * SCALES[i]), float(JUMPS[k]), prior, w) for s, w in product(WIDER, WEIGHTS)]
    return min(models, key=lambda m: sum(_maes(probabilities, runs, m, hr)[1:]))


def evaluate(probabilities: np.ndarray, table: pd.DataFrame, model: Model) -> dict[str, float]:
    """MAE in BPM of the median of (N, 180) probabilities, tracked in each way: {"none", "online", "smooth"}.

    table: of their windows, with hr besides the columns of `segments`. Raises InputError as `track` does."""
    return dict(zip(HOW, _maes(probabilities, segments(table), model, table.hr.to_numpy())))


def _maes(probabilities, runs, model, hr) -> list[float]:
    tracked = _passes(probabilities, runs, model)
    return [float(np.abs(decode(found, "median") - hr).mean()) for found in tracked]


def _kernel(scale: float, bins: int) -> np.ndarray:
    distance = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins)))
    return _normalized(np.exp(-distance / scale))  # nothing leaves the range


def _normalized(weights: np.ndarray) -> np.ndarray:
    # In `track` no sum vanishes: a jump leads to every bin, also to that of the largest evidence, which is 1.
    return weights / weights.sum(-1, keepdims=True)


def _check(probabilities, segments, model) -> None:
    (scale, jump, prior, weight), rows = model, np.concatenate([*segments, []])
    if not (scale > 0 and 0 < jump < 1 and 0 < weight <= 1 and (prior > 0).all()):
        raise InputError(f"Scale {scale}, jump {jump}, weight {weight} or the prior is not as Model says.")
    shape, bins, whole = np.shape(probabilities), len(prior), (np.sort(rows) == np.arange(len(rows))).all()
    if shape != (len(rows), bins) or not whole:
        what = f"Probabilities of shape {shape} do not fit segments of {len(rows)} windows and {bins} bins"
        raise InputError(f"{what}: give what belongs to the same windows.")
    if not ((probabilities >= 0).all() and np.isfinite(total := probabilities.sum(1)).all() and total.all()):
        raise InputError("Every window needs probabilities that are finite, not negative and not all zero.")
