"""The claims about sizes: what a larger student gains, what a larger teacher gives, when it is too large."""

import numpy as np
import pandas as pd

from ppglib.results.evidence import Evidence, slope_weights, weighted
from ppglib.results.outcome import NO, YES, Outcome, cannot, effect_text, finding, significant

UNIT = "BPM per doubling"
FEW = "A slope needs soft students of three teachers (here {})."


def size_helps(evidence: Evidence) -> Outcome:
    """Slope of MAE over log2(blocks) of the student, each strategy and teacher on its own level."""
    rows = evidence.mae.index.to_frame()
    below_teacher = (rows.teacher == 0) | (rows.student < rows.teacher)
    rows = rows[rows.strategy.isin(["scratch", "soft"]) & below_teacher]
    if (sizes := rows.student.nunique()) < 3:
        return cannot(f"A slope needs students of three sizes (here {sizes}).")
    (weight,) = slope_weights(np.log2(rows.student), rows.strategy + rows.teacher.astype(str), 1)
    slope = weighted(evidence, rows.index, weight)
    why = f"Over {sizes} sizes of scratch and soft networks the slope is {finding(*slope, unit=UNIT)}."
    return Outcome(YES if significant(*slope) < 0 else NO, why, *slope)


def larger_teachers_help(evidence: Evidence) -> Outcome:
    """Slope of soft students' MAE over log2(blocks) of the teacher, each student on its own level."""
    rows = _by_teacher(evidence)
    if (teachers := rows.teacher.nunique()) < 3:
        return cannot(FEW.format(teachers))
    slope = _trend(evidence, rows)
    several = rows[rows.groupby(rows.student).teacher.transform("size") > 1]
    best = several.assign(mae=evidence.mae[0]).sort_values("mae").drop_duplicates("student")
    wins = (best.teacher == rows.teacher.max()).sum()
    why = f"The largest of {teachers} teachers is the best for {wins} of {len(best)} students that have "
    why += f"several; the slope is {finding(*slope, unit=UNIT)}." + _without_one(evidence, rows, slope)
    return Outcome(YES if significant(*slope) < 0 else NO, why, *slope)


def too_large_teachers_harm(evidence: Evidence) -> Outcome:
    """A parabola over log2(blocks) of the teacher: effect is its slope at the largest, significantly above 0.

    It must significantly fall at the smallest: where every larger teacher is worse, none is "too" large."""
    rows = _by_teacher(evidence)
    if (teachers := rows.teacher.nunique()) < 3:
        return cannot(FEW.format(teachers))
    ends = rows.teacher.min(), rows.teacher.max()
    smallest, largest = (_trend(evidence, rows, at=end) for end in ends)
    why = f"The slope is {effect_text(*smallest)} at the smallest teacher and, at the largest, "
    why += finding(*largest, unit=UNIT, side=1)
    if significant(*largest) > 0 and smallest[0] >= 0:
        why += ": larger teachers are worse from the smallest on, so none is the best size"
    why += "." + _without_one(evidence, rows, largest, at=ends[1])
    return Outcome(YES if significant(*largest) > 0 > significant(*smallest) else NO, why, *largest)


def _trend(evidence: Evidence, rows: pd.DataFrame, at: int | None = None) -> tuple:
    """Slope over log2(blocks) of the teacher, each student on its own level; `at` one: of a parabola."""
    weights = slope_weights(np.log2(rows.teacher), rows.student, 2 if at else 1)
    weight = weights[0] + 2 * weights[1] * np.log2(at) if at else weights[0]
    return weighted(evidence, rows.index, weight)


def _without_one(evidence: Evidence, rows: pd.DataFrame, slope: tuple, at: int | None = None) -> str:
    """A sentence on a slope of `_trend` without the student that moves it most."""
    rests = {student: rows[rows.student != student] for student in rows.student.unique()}
    several = {student: rest for student, rest in rests.items() if (rest.student.value_counts() > 2).any()}
    slopes = {student: _trend(evidence, rest, at) for student, rest in several.items()}
    if not slopes:
        return ""
    most = max(slopes, key=lambda student: abs(slopes[student][0] - slope[0]))
    return f" Without the {most}-block student, which moves it most, it is {effect_text(*slopes[most])}."


def _by_teacher(evidence: Evidence) -> pd.DataFrame:
    """Soft students below their teacher."""
    return evidence.mae.index.to_frame().query("strategy == 'soft' and student < teacher")
