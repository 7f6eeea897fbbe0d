"""The claims about sizes: what a larger student gains, what a larger teacher gives, and when it is too large."""

import numpy as np
import pandas as pd

from ppglib import scaling
from ppglib.evidence import Evidence
from ppglib.intervals import interval
from ppglib.outcome import NO, YES, Outcome, cannot, listed, surely, told


def size_helps(evidence: Evidence) -> Outcome:
    """Slope of MAE over log2(blocks) of the student, each strategy and teacher on its own level."""
    index = evidence.mae.index.to_frame(index=False)
    below_teacher = (index.teacher == 0) | (index.student < index.teacher)
    keep = (index.strategy.isin(["scratch", "soft"]) & below_teacher).to_numpy()
    index, y = index[keep], evidence.mae.to_numpy()[keep]
    if index.student.nunique() < 3:
        return cannot(f"needs three sizes, has {index.student.nunique()}")
    groups = index.strategy + index.teacher.astype(str)
    slope = tuple(map(float, interval(scaling.slopes(np.log2(index.student), y, groups, 1)[0])))
    why = f"over {index.student.nunique()} sizes, scratch and soft"
    return Outcome(YES if surely(*slope) < 0 else NO, why, *slope)


def larger_teachers_help(evidence: Evidence) -> Outcome:
    """Slope of soft students' MAE over log2(blocks) of the teacher, each student on its own level."""
    index, y, few = _by_teacher(evidence)
    if few:
        return few
    slope = tuple(map(float, interval(scaling.slopes(np.log2(index.teacher), y, index.student, 1)[0])))
    several = index.groupby("student").teacher.transform("nunique") > 1
    best = index.assign(mae=y[:, 0])[several].sort_values("mae").drop_duplicates("student")
    wins = (best.teacher == index.teacher.max()).sum()
    why = f"the largest of {index.teacher.nunique()} teachers is the best for {wins} of {len(best)} students"
    return Outcome(YES if surely(*slope) < 0 else NO, why + " that have several", *slope)


def too_large_teachers_harm(evidence: Evidence) -> Outcome:
    """A parabola over log2(blocks) of the teacher: effect is its slope at the largest, surely above 0.

    It must surely fall at the smallest teacher: where every larger teacher is worse, none is "too" large.
    """
    index, y, few = _by_teacher(evidence)
    if few:
        return few
    smallest, largest = _slopes_at_ends(index, y)
    why = f"slope at the smallest teacher {told(*smallest)}"
    if surely(*largest) > 0 and smallest[0] >= 0:
        why += "; larger teachers are worse from the smallest on, so none is the best size"
    bent = [
        student
        for student, rows in index.groupby("student")
        if len(rows) > 3 and [surely(*end) for end in _slopes_at_ends(rows, y[rows.index])] == [-1, 1]
    ]
    if bent:
        why += f"; taken by themselves, with one network a teacher, students of {listed(bent)} blocks have a best size"
    return Outcome(YES if surely(*largest) > 0 > surely(*smallest) else NO, why, *largest)


def _slopes_at_ends(index: pd.DataFrame, y: np.ndarray) -> list[tuple]:
    """Of a parabola over log2(blocks) of the teacher: its slope at the smallest and at the largest, with limits."""
    size = np.log2(index.teacher)
    line, bend = scaling.slopes(size, y, index.student, 2)
    return [tuple(map(float, interval(line + 2 * bend * x))) for x in (size.min(), size.max())]


def _by_teacher(evidence: Evidence) -> tuple[pd.DataFrame, np.ndarray, Outcome | None]:
    """Soft students below their teacher: (student, teacher), their MAEs, and why not if there are too few.

    From seed 0, which every teacher has: more seeds at one teacher would favour or harm it by chance.
    """
    index = evidence.first_seed.index.to_frame(index=False)
    keep = ((index.strategy == "soft") & (index.student < index.teacher)).to_numpy()
    index, y = index[keep].reset_index(drop=True), evidence.first_seed.to_numpy()[keep]
    few = None
    if index.teacher.nunique() < 3:
        few = cannot(f"needs soft students of three teachers, has {index.teacher.nunique()}")
    return index, y, few
