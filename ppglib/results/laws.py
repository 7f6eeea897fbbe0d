"""Figure 2's tables: the law of every teacher, its rivals, and what small students forecast of large ones.

All take `mae`, the draws of one recipe and split: index (strategy, student, teacher), column 0
observed, then bootstrap draws; the paper's printed tables have the same shape with column 0 alone."""

from functools import cache
from itertools import product

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ppglib import scaling
from ppglib.results.bootstrap import interval
from ppglib.scaling import Fit, Form, fit_draws, predict
from ppglib.task import LENGTH, RATE

TRIED = ["law", "x", "formula", "n", "r2", "aicc", "left_out", "left_out_low", "left_out_high", "note"]
LAW = ["a", "b", "c", "a_se", "b_se", "c_se", "r2", "n", "note"]  # of the exponential
SMALL = 5  # blocks: students up to here are fitted for a forecast of the larger ones
AXES = {"field": 1.0, "blocks": 1.0, "parameters": 1e5, "macs": 1e6}  # of a law, and the unit that it counts in
COARSE = scaling.RATES[::6, 0]  # for the law with two rates
# Over the whole grid x is (2, n): student and teacher. The teacher takes the place of Chinchilla's data.
GRID_FORMS = {
    "Chinchilla": Form(
        "A S^-b + B T^-g + E",
        ("A", "B", "E", "b", "g"),
        lambda x, b, g: [x[0] ** -b, x[1] ** -g, np.ones_like(x[0])],
        np.array(list(product(COARSE, COARSE))),
    ),
    "exponential in the student": Form(
        "a exp(-b S) + c", ("a", "c", "b"), lambda x, b: scaling.FORMS["exponential"].basis(x[0], b)
    ),
    "log-linear in both": Form(
        "a log(S) + d log(T) + c", (*"adc",), lambda x: [*np.log(x), np.ones_like(x[0])], scaling.NONE
    ),
}


@cache
def network(blocks: int) -> dict[str, float]:
    """What one of the paper's networks sees (s, ends with the window) and costs: a number for each of AXES."""
    from ppglib.resnet1d import Design, live_parameters  # with torch, which a table of results does not need

    design = Design(blocks)
    numbers = min(design.field, LENGTH) / RATE, blocks, live_parameters(blocks), design.macs
    return dict(zip(AXES, numbers))


def sizes(axis: str, blocks) -> np.ndarray:
    """The paper's networks along one of AXES, in its unit and in the shape of blocks."""
    return np.vectorize(lambda size: network(int(size))[axis] / AXES[axis], otypes=[float])(blocks)


def curve(mae: pd.DataFrame, strategy: str, teacher: int) -> tuple[np.ndarray, np.ndarray]:
    """Students below their teacher, ascending: blocks (n,) and MAE (n, draws). Teacher 0: from scratch."""
    rows = mae[(mae.index.get_level_values(0) == strategy) & (mae.index.get_level_values(2) == teacher)]
    rows = rows[(rows.index.get_level_values(1) < teacher) | (teacher == 0)].sort_index(level=1)
    return rows.index.get_level_values(1).to_numpy(float), rows.to_numpy(float)


def weights(y: np.ndarray) -> np.ndarray:
    """(n,) inverse variances of (n, draws) MAEs over people; all equal where there are no draws."""
    return np.ones(len(y)) if y.shape[1] == 1 else 1 / y[:, 1:].var(axis=1)


def table(mae: pd.DataFrame, strategy: str = "soft") -> pd.DataFrame:
    """One row a teacher: n and a, b, c of the paper's law with standard errors, or a note why not."""
    rows = []
    for teacher in sorted({teacher for name, _, teacher in mae.index if name == strategy}):
        blocks, y = curve(mae, strategy, teacher)
        if len(blocks):
            law = scaling.fit_exponential(blocks, y[:, 0], weights(y))
            rows.append((strategy, teacher, *(getattr(law, name) for name in LAW)))
    return pd.DataFrame(rows, columns=["strategy", "teacher", *LAW])


def rivals(mae: pd.DataFrame, strategy: str, teacher: int) -> pd.DataFrame:
    """Every law along each of AXES on one curve: R2, AICc, leave-one-size-out error (BPM)."""
    blocks, y = curve(mae, strategy, teacher)
    return _tried(scaling.FORMS, AXES, blocks, y, blocks)


def grid_rivals(mae: pd.DataFrame) -> pd.DataFrame:
    """Laws over the whole grid of soft students and their larger teachers, in blocks and parameters.

    With fewer than three teachers nothing can be said of what a teacher's size does: a note says so."""
    index = mae.index.to_frame(index=False, name=["strategy", "student", "teacher"])
    keep = ((index.strategy == "soft") & (index.student < index.teacher)).to_numpy()
    size, y = index[keep][["student", "teacher"]].to_numpy(float).T, mae[keep].to_numpy(float)
    few = f"needs three teachers, has {n}" if (n := len(set(size[1]))) < 3 else ""
    return _tried(GRID_FORMS, ("blocks", "parameters"), size, y, size[0], few)


def _tried(forms: dict[str, Form], axes, size, y: np.ndarray, groups, few: str = "") -> pd.DataFrame:
    """Each law along each axis: what it says, and how it does at groups of sizes left out. size: in blocks."""
    rows = []
    for axis in axes:
        x = sizes(axis, size)
        for name, form in forms.items():
            law = scaling.fit(form, x[..., :0], []) if few else scaling.fit(form, x, y[:, 0], weights(y))
            note, error = few or law.note, [np.nan] * 3
            if not note:
                error = interval(leave_one_out(form, x, y, weights(y), groups))
            rows.append((name, axis, form.text, len(y), law.r2, law.aicc, *error, note))
    return pd.DataFrame(rows, columns=TRIED)


def forecast(mae: pd.DataFrame, strategy: str, teacher: int) -> tuple[pd.DataFrame, np.ndarray, str]:
    """The exponential of students up to SMALL blocks on larger ones: (table, gap (n, draws), note).

    predicted has the 95 % prediction interval of the weighted fit, observed its interval over people.
    gap = observed - predicted, fit and observation from the same draw of people. Empty
    without a law, and then the note says why."""
    columns = ["student", "predicted", "low", "high", "observed", "observed_low", "observed_high"]
    columns += ["gap", "gap_low", "gap_high", "inside"]
    blocks, y = curve(mae, strategy, teacher)
    small = blocks <= SMALL
    law = scaling.fit_exponential(blocks[small], y[small, 0], weights(y)[small])
    note = law.note or ("no larger student to forecast" if small.all() else "")
    if note:
        return pd.DataFrame(columns=columns), np.empty((0, y.shape[1])), note
    relative = weights(y) / weights(y)[small].mean()
    predicted = prediction_interval(law, blocks[~small], relative[~small])
    draws = fit_draws(law.form, blocks[small], y[small], relative[small])
    gap = y[~small] - predict(law.form, draws, blocks[~small])
    inside = (predicted[1] <= y[~small, 0]) & (y[~small, 0] <= predicted[2])
    values = [blocks[~small].astype(int), *predicted, *interval(y[~small]), *interval(gap), inside]
    return pd.DataFrame(dict(zip(columns, values))), gap, ""


def prediction_interval(law: Fit, x, weights=1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted (n,), low, high in BPM: 95 % for a new point, from the fit's covariance and its noise.

    weights: of the new points, (n,) or one for all, where the mean weight of the fitted points is 1."""
    x, value = np.asarray(x, float), predict(law.form, law.values, x)
    steps = np.diag(1e-6 * np.maximum(np.abs(law.values), 1e-3))
    slope = np.stack([(predict(law.form, law.values + s, x) - value) / s.sum() for s in steps], -1)  # (n, p)
    variance = np.einsum("ni,ij,nj->n", slope, law.covariance, slope) + law.noise**2 / np.asarray(weights)
    half = stdtrit(law.n - len(law.values), 0.975) * np.sqrt(variance)
    return value, value - half, value + half


def leave_one_out(form: Form, x, y, weights, groups=None) -> np.ndarray:
    """(draws,) mean absolute error of y (n, draws) at each size that is predicted from all the others.

    groups (n,) of points are left out whole, by default every point alone."""
    groups, errors = np.arange(len(y)) if groups is None else groups, np.empty_like(y)
    for group in np.unique(groups):
        out = groups == group
        values = fit_draws(form, x[..., ~out], y[~out], weights[~out])
        errors[out] = np.abs(predict(form, values, x[..., out]) - y[out])
    return errors.mean(0)
