"""The claims about sizes: what a larger student gains, what a larger teacher gives, and when it is too large."""

import numpy as np
import pandas as pd

from ppglib import scaling
from ppglib.evidence import LEVELS, Evidence, weighted
from ppglib.outcome import NO, YES, Outcome, cannot, surely, told


def size_helps(evidence: Evidence) -> Outcome:
    """Slope of MAE over log2(blocks) of the student, each strategy and teacher on its own level."""
    index = evidence.mae.index.to_frame(index=False)
    below_teacher = (index.teacher == 0) | (index.student < index.teacher)
    keep = (index.strategy.isin(["scratch", "soft"]) & below_teacher).to_numpy()
    index, y, seeds = (of[keep] for of in (index, evidence.mae.to_numpy(), evidence.seed_variance.to_numpy()))
    if index.student.nunique() < 3:
        return cannot(f"needs three sizes, has {index.student.nunique()}")
    groups = index.strategy + index.teacher.astype(str)
    (weight,) = scaling.slopes(np.log2(index.student), np.eye(len(index)), groups, 1)
    slope = weighted(weight, y, seeds)
    why = f"over {index.student.nunique()} sizes, scratch and soft"
    return Outcome(YES if surely(*slope) < 0 else NO, why, *slope)


def larger_teachers_help(evidence: Evidence) -> Outcome:
    """Slope of soft students' MAE over log2(blocks) of the teacher, each student on its own level."""
    rows, few = _by_teacher(evidence)
    if few:
        return few
    slope = _trend(evidence, rows)
    several = rows.groupby("student").teacher.transform("nunique") > 1
    best = rows[several].sort_values("mae").drop_duplicates("student")
    wins = (best.teacher == rows.teacher.max()).sum()
    why = f"the largest of {rows.teacher.nunique()} teachers is the best for {wins} of {len(best)} students"
    why += " that have several" + _without_one(evidence, rows, slope)
    return Outcome(YES if surely(*slope) < 0 else NO, why, *slope)


def too_large_teachers_harm(evidence: Evidence) -> Outcome:
    """A parabola over log2(blocks) of the teacher: effect is its slope at the largest, surely above 0.

    It must surely fall at the smallest teacher: where every larger teacher is worse, none is "too" large.
    """
    rows, few = _by_teacher(evidence)
    if few:
        return few
    ends = rows.teacher.min(), rows.teacher.max()
    smallest, largest = (_trend(evidence, rows, at=end) for end in ends)
    why = f"slope at the smallest teacher {told(*smallest)}"
    if surely(*largest) > 0 and smallest[0] >= 0:
        why += "; larger teachers are worse from the smallest on, so none is the best size"
    why += _without_one(evidence, rows, largest, at=ends[1])
    return Outcome(YES if surely(*largest) > 0 > surely(*smallest) else NO, why, *largest)


def _trend(evidence: Evidence, rows: pd.DataFrame, at: int | None = None) -> tuple:
    """Slope over log2(blocks) of the teacher, each student on its own level: a parabola's `at` a teacher, or a line's."""
    size, keys = np.log2(rows.teacher), pd.MultiIndex.from_frame(rows[LEVELS])
    weights = scaling.slopes(size, np.eye(len(rows)), rows.student, 2 if at else 1)
    weight = weights[0] + 2 * weights[1] * np.log2(at) if at else weights[0]
    return weighted(weight, evidence.mae.loc[keys].to_numpy(), evidence.seed_variance[keys].to_numpy())


def _without_one(evidence: Evidence, rows: pd.DataFrame, slope: tuple, at: int | None = None) -> str:
    """What is left of a slope of `_trend` without the student that moves it most."""
    rests = {student: rows[rows.student != student] for student in rows.student.unique()}
    slopes = {
        student: _trend(evidence, rest, at)
        for student, rest in rests.items()
        if (rest.groupby("student").size() > 2).any()
    }
    if not slopes:
        return ""
    most = max(slopes, key=lambda student: abs(slopes[student][0] - slope[0]))
    return f"; without the {most}-block student, which moves it most, {told(*slopes[most])}"


def _by_teacher(evidence: Evidence) -> tuple[pd.DataFrame, Outcome | None]:
    """Soft students below their teacher (LEVELS, mae), and why they cannot tell if they are too few."""
    rows = evidence.mae[0].rename("mae").reset_index()
    rows = rows[(rows.strategy == "soft") & (rows.student < rows.teacher)]
    if rows.teacher.nunique() < 3:
        return rows, cannot(f"needs soft students of three teachers, has {rows.teacher.nunique()}")
    return rows, None
