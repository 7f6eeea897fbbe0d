"""Figure 2's tables: the law of every teacher, its rivals, and what small students forecast of large ones.

All take `mae`, the draws of one recipe and split: index (strategy, student, teacher), column 0
observed, then bootstrap draws; the paper's printed tables have the same shape with column 0 alone.
"""

import numpy as np
import pandas as pd

from ppglib import scaling
from ppglib.results.bootstrap import interval

TRIED = ["law", "x", "formula", "n", "r2", "aicc", "left_out", "left_out_low", "left_out_high", "note"]
LAW = ["a", "b", "c", "a_se", "b_se", "c_se", "r2", "n", "note"]  # of the exponential
SMALL, UNIT = 5, 1e5  # students to fit on for a forecast of the larger ones; parameters are counted in UNIT


def parameters(blocks) -> np.ndarray:
    """(n,) live parameters in UNITs: the other x axis of a law."""
    from ppglib.resnet1d import live_parameters  # with torch, which a table of results does not need

    return np.array([live_parameters(int(b)) for b in blocks]) / UNIT


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
    for teacher in sorted(set(mae.loc[mae.index.get_level_values(0) == strategy].index.get_level_values(2))):
        blocks, y = curve(mae, strategy, teacher)
        if len(blocks):
            law = scaling.fit_exponential(blocks, y[:, 0], weights(y))
            rows.append(dict(strategy=strategy, teacher=teacher) | {k: getattr(law, k) for k in LAW})
    return pd.DataFrame(rows, columns=["strategy", "teacher", *LAW])


def rivals(mae: pd.DataFrame, strategy: str, teacher: int) -> pd.DataFrame:
    """Every law in blocks and in live parameters on one curve: R2, AICc, leave-one-size-out error (BPM)."""
    blocks, y = curve(mae, strategy, teacher)
    rows = []
    for axis, x in (("blocks", blocks), ("parameters", parameters(blocks))):
        for name, form in scaling.FORMS.items():
            law = scaling.fit(form, x, y[:, 0], weights(y))
            rows.append((name, axis, *_tried(form, x, y, law)))
    return pd.DataFrame(rows, columns=TRIED)


def grid_rivals(mae: pd.DataFrame, strategy: str = "soft") -> pd.DataFrame:
    """Laws over the whole grid of students and teachers (student below teacher), in blocks and parameters.

    With fewer than three teachers nothing can be said of what a teacher's size does: a note says so.
    """
    index = mae.index.to_frame(index=False, name=["strategy", "student", "teacher"])
    keep = ((index.strategy == strategy) & (index.student < index.teacher)).to_numpy()
    size, y, rows = index[keep][["student", "teacher"]].to_numpy(float).T, mae[keep].to_numpy(float), []
    few = "" if len(set(size[1])) >= 3 else f"needs three teachers, has {len(set(size[1]))}"
    for axis, x in (("blocks", size), ("parameters", np.array([parameters(s) for s in size]))):
        for name, form in scaling.GRID_FORMS.items():
            law = scaling.fit(form, x, []) if few else scaling.fit(form, x, y[:, 0], weights(y))
            law = law._replace(n=len(y), note=few or law.note)
            rows.append((name, axis, *_tried(form, x, y, law, groups=size[0])))
    return pd.DataFrame(rows, columns=TRIED)


def _tried(form: scaling.Form, x, y: np.ndarray, law: scaling.Fit, groups=None) -> tuple:
    """The columns of TRIED after law and x: what the law says, and how it does at sizes left out."""
    error = [np.nan] * 3
    if not law.note:
        error = map(float, interval(scaling.leave_one_out(form, x, y, weights(y), groups)))
    return form.text, law.n, law.r2, law.aicc, *error, law.note


def forecast(mae: pd.DataFrame, strategy: str, teacher: int) -> tuple[pd.DataFrame, np.ndarray, str]:
    """The exponential of students up to SMALL blocks on larger ones: (table, gap (n, draws), note).

    predicted has the 95 % prediction interval of the weighted fit, observed its interval over people.
    gap = observed - predicted, fit and observation from the same draw of people. Empty
    without a law, and then the note says why.
    """
    columns = ["student", "predicted", "low", "high", "observed", "observed_low", "observed_high"]
    columns += ["gap", "gap_low", "gap_high", "inside"]
    blocks, y = curve(mae, strategy, teacher)
    small = blocks <= SMALL
    law = scaling.fit_exponential(blocks[small], y[small, 0], weights(y)[small])
    note = law.note or ("no larger student to forecast" if small.all() else "")
    if note:
        return pd.DataFrame(columns=columns), np.empty((0, y.shape[1])), note
    relative = weights(y) / weights(y)[small].mean()
    predicted = scaling.prediction_interval(law, blocks[~small], relative[~small])
    draws = scaling.fit_draws(law.form, blocks[small], y[small], relative[small])
    gap = y[~small] - scaling.predict(law.form, draws, blocks[~small])
    inside = (predicted[1] <= y[~small, 0]) & (y[~small, 0] <= predicted[2])
    values = [blocks[~small].astype(int), *predicted, *interval(y[~small]), *interval(gap), inside]
    return pd.DataFrame(dict(zip(columns, values))), gap, ""
