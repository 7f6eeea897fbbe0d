"""Heart rate over consecutive windows: a hidden Markov model over what is predicted for each of them.

Between two windows a heart rate moves little or, rarely, to anywhere. The two passes are in Rabiner (1989, section
III). On PPG such models are in BeliefPPG (Bieri et al. 2023, its moves too are Laplace) and, by Viterbi, in Temko
(2017). What is predicted is not divided by how frequent each heart rate is (Bourlard & Morgan 1994): on the tuning
people that made errors larger, for what is learned from labels that are a Gaussian wide is no posterior."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from ppglib.files import InputError
from ppglib.task import BINS, STEP_SECONDS, decode

HOW = ("none", "online", "smooth")
# What `fit` tries. The tuning people alone were looked at: the best scales for networks and for the spectrum lie inside,
# jumps below the smallest change nothing, and a weight above 1 would count a window more than once. Scales may be
# wider than the steps of labels (Laplace, 1.2 BPM), because errors of windows that share 6 of 8 s last.
SCALES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0)
JUMPS, WEIGHTS = (1e-4, 1e-3, 1e-2), (0.4, 0.7, 1.0)


class Model(NamedTuple):
    """How heart rates move, and how far to trust one window."""

    scale: float  # BPM, of the Laplace distribution of the moves between two windows
    jump: float  # probability that the next heart rate is anywhere instead, in (0, 1): it finds a lost track again
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


def transition(model: Model, bins: int) -> np.ndarray:
    """(bins, bins) probabilities of the next bin (column) after each bin (row); bins are 1 BPM wide."""
    distance = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins)))
    near = _normalized(np.exp(-distance / model.scale))  # nothing leaves the range
    return (1 - model.jump) * near + model.jump / bins


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
    moves, evidence = transition(model, np.shape(probabilities)[1]), _evidence(probabilities, model)
    online, expected = np.empty(evidence.shape), np.ones((len(runs), len(moves)))  # at first anything
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
    moves, expected = transition(model, BINS), np.ones((1, BINS))

    def step(probabilities):
        nonlocal expected
        if probabilities is None:
            expected = np.ones((1, BINS))
            return None
        now, expected = _step(expected, _evidence(probabilities[None], model), moves)
        return now[0]

    return step


def _evidence(probabilities, model) -> np.ndarray:
    evidence = np.asarray(probabilities, float) ** model.weight
    return evidence / evidence.max(1, keepdims=True)


def _step(expected, evidence, moves) -> tuple[np.ndarray, np.ndarray]:
    now = _normalized(expected * evidence)
    return now, now @ moves


def fit(predictions: Sequence[np.ndarray], table: pd.DataFrame) -> pd.DataFrame:
    """Every model that is tried: scale, jump, weight, MAE in BPM of the median (none, online, smooth), and `chosen`.

    predictions: (N, 180) probabilities of one network or several for the windows of `table`; its columns as in
    `evaluate`. The least sum of online and smooth, means over networks, is chosen. Give it training people, and
    networks that never saw them: a network is too sure of its own people. Raises InputError as `track` does, and
    if no window follows another."""
    if max(map(len, segments(table))) < 2:
        raise InputError("No window follows another 2 s later: tracking needs consecutive windows.")
    models = [Model(*values) for values in product(SCALES, JUMPS, WEIGHTS)]
    maes = [pd.DataFrame([evaluate(p, table, model) for model in models]) for p in predictions]
    tried = pd.DataFrame(models).join(sum(maes) / len(maes))
    return tried.assign(chosen=tried.index == (tried.online + tried.smooth).idxmin())


def evaluate(probabilities: np.ndarray, table: pd.DataFrame, model: Model) -> dict[str, float]:
    """MAE in BPM of the median of (N, 180) probabilities, tracked in each way: {"none", "online", "smooth"}.

    table: of their windows, with hr besides the columns of `segments`. Raises InputError as `track` does."""
    hr, tracked = table.hr.to_numpy(), _passes(probabilities, segments(table), model)
    return {how: float(np.abs(decode(found, "median") - hr).mean()) for how, found in zip(HOW, tracked)}


def _normalized(weights: np.ndarray) -> np.ndarray:
    # In `track` no sum vanishes: a jump leads to every bin, also to that of the largest evidence, which is 1.
    return weights / weights.sum(-1, keepdims=True)


def _check(probabilities, segments, model) -> None:
    (scale, jump, weight), rows = model, np.concatenate([*segments, []])
    if not (scale > 0 and 0 < jump < 1 and 0 < weight <= 1):
        raise InputError(f"Scale {scale}, jump {jump} or weight {weight} is not as Model says.")
    shape, whole = np.shape(probabilities), (np.sort(rows) == np.arange(len(rows))).all()
    if len(shape) != 2 or shape[0] != len(rows) or not whole:
        what = f"Probabilities of shape {shape} do not fit segments of {len(rows)} windows"
        raise InputError(f"{what}: give what belongs to the same windows.")
    if not ((probabilities >= 0).all() and np.isfinite(total := probabilities.sum(1)).all() and total.all()):
        raise InputError("Every window needs probabilities that are finite, not negative and not all zero.")
