"""The claims about curves: what size gains, when a teacher is too large, and the scaling laws of soft students.

Where an interval of a law leaves both answers open, the claim cannot be tested, and the reason says so."""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ppglib import scaling
from ppglib.results import laws
from ppglib.results.bootstrap import interval
from ppglib.results.evidence import Evidence, slope_weights, top, weighted
from ppglib.results.outcome import CANNOT, CONTROL, NO, PER_DOUBLING, TOLERANCE, YES, Outcome, cannot
from ppglib.results.outcome import effect_text, finding, significant

FEW = "A slope needs soft students of three teachers (here {})."
SATURATED = 6  # blocks, from where the paper sees saturation


def size_helps(evidence: Evidence) -> Outcome:
    """Slope of MAE over log2(blocks) of the student, each strategy and teacher on its own level."""
    rows = evidence.mae.index.to_frame()
    below_teacher = (rows.teacher == 0) | (rows.student < rows.teacher)
    rows = rows[rows.strategy.isin(["scratch", "soft"]) & below_teacher]
    if (sizes := rows.student.nunique()) < 3:
        return cannot(f"A slope needs students of three sizes (here {sizes}).")
    (weight,) = slope_weights(np.log2(rows.student), rows.strategy + rows.teacher.astype(str), 1)
    slope = weighted(evidence, rows.index, weight)
    why = f"Over {sizes} sizes of scratch and soft networks the slope is {finding(*slope, unit=PER_DOUBLING)}."
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
    why += f"several; the slope is {finding(*slope, unit=PER_DOUBLING)}." + _without_one(evidence, rows, slope)
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
    why += finding(*largest, unit=PER_DOUBLING, side=1)
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


def exponential_is_best(evidence: Evidence) -> Outcome:
    """Leave-one-size-out error of the exponential less that of its best rival in blocks."""
    blocks, y = laws.curve(evidence.mae, "soft", top(evidence.mae))
    weights = laws.weights(y)
    if note := scaling.fit_exponential(blocks, y[:, 0], weights).note:
        return cannot(f"Soft students have no law: {note}.")
    errors = {name: laws.leave_one_out(form, blocks, y, weights) for name, form in scaling.FORMS.items()}
    own = errors.pop("exponential")
    rival = min(errors, key=lambda name: errors[name][0])
    difference = interval(own - errors[rival])
    live, seen = (
        {k: laws.leave_one_out(f, laws.sizes(axis, blocks), y[:, :1], weights)[0] for k, f in scaling.FORMS.items()}
        for axis in ("parameters", "field")
    )
    best = min(live, key=live.get)
    why = f"The exponential misses a left-out size by {own[0]:.2f} BPM, the {rival} law by {errors[rival][0]:.2f}, "
    why += f"the best law in parameters ({best}) by {live[best]:.2f} and a power law in the field by "
    why += f"{seen['power']:.2f}. "
    why += f"The difference of the first two is {finding(*difference)}"
    return _judged(-significant(*difference), why, *difference)


def predictable(evidence: Evidence) -> Outcome:
    """The exponential of students up to 5 blocks forecasts larger ones; effect = observed - predicted.

    A forecast fails where an observation lies outside its interval and the mean error is significant, and
    says nothing where its interval is wider than the whole curve that it was fitted to. It must be better
    than the last fitted student's MAE, repeated."""
    table, gap, note = laws.forecast(evidence.mae, "soft", top(evidence.mae))
    if note:
        return cannot(f"Soft students of 1 to {laws.SMALL} blocks give no forecast: {note}.")
    blocks, y = laws.curve(evidence.mae, "soft", top(evidence.mae))
    small = blocks <= laws.SMALL
    vague = (table.high - table.low).max() > np.ptp(y[small, 0])
    missed, naive = (np.abs(g).mean(axis=0) for g in (gap, y[~small] - y[small][-1]))
    error, gain = interval(gap.mean(axis=0)), interval(missed - naive)
    power, seen = scaling.FORMS["power"], laws.sizes("field", blocks)
    values = scaling.fit_draws(power, seen[small], y[small, :1], laws.weights(y)[small])
    in_field = np.abs(scaling.predict(power, values, seen[~small]) - y[~small, :1]).mean()
    why = f"{table.inside.sum()} of {len(table)} larger students lie in the forecast's 95 % interval"
    why += ", which is wider than the curve that it was fitted to" if vague else ""
    why += f"; the mean of observed less forecast is {finding(*error, side=0)}. "
    why += f"The forecast misses by {missed[0]:.2f} BPM (a power law in the field: {in_field:.2f}) and the last "
    why += "fitted student, repeated, by "
    why += f"{naive[0]:.2f}, a difference of {finding(*gain)}"
    answer = 0 if vague else 1 if table.inside.all() else -abs(significant(*error))
    outcome = _judged(answer, why, *error)
    no_better = outcome.verdict == YES and significant(*gain) >= 0
    return outcome._replace(verdict=CONTROL) if no_better else outcome


def saturates(evidence: Evidence) -> Outcome:
    """What the largest student gains on the 6-block one, in per cent: significantly less than TOLERANCE.

    On the student before it must gain significantly more: it decides whether saturation begins at 6 or
    was there before."""
    teacher = top(evidence.mae)
    blocks = laws.curve(evidence.mae, "soft", teacher)[0].astype(int)
    if SATURATED not in blocks[1:-1]:
        return cannot("Saturation needs soft students of 6 blocks, of fewer and of more.")
    last, before = blocks[-1], blocks[list(blocks).index(SATURATED) - 1]
    gains = [gain(evidence, last, size, teacher) for size in (SATURATED, before)]
    flat, flat_before = (-significant(*(g - TOLERANCE for g in own[:3]), own[3]) for own in gains)
    six, five = (f"{effect_text(*own, form='+.1f')} %" for own in gains)
    sees = "{:.1f} and {:.1f} s of the window".format(*laws.sizes("field", [SATURATED, before]))
    why = f"{last} blocks gain {six} on {SATURATED} and {five} on {before}, which see {sees}, where less than "
    why += f"{TOLERANCE:.0f} % is saturation"
    why += f"; it began at {before} blocks or earlier" if flat_before == 1 else ""
    answer = -1 if flat == -1 or flat_before == 1 else int(flat == 1 and flat_before == -1)
    return _judged(answer, why, *gains[0])


def gain(evidence: Evidence, large, small, teacher) -> tuple:
    """What a larger soft student gains, % of the smaller one's MAE: effect, low, high, sd between seeds."""
    rows = [("soft", size, teacher) for size in (large, small)]
    ratio = evidence.mae.loc[rows[0]] / evidence.mae.loc[rows[1]]
    relative = (evidence.seed_variance / evidence.mae[0] ** 2)[rows].sum(skipna=False)
    return *interval(100 * (1 - ratio)), float(100 * ratio[0] * np.sqrt(relative))


def decay(evidence: Evidence, strategy: str, faster: bool = False) -> Outcome:
    """The exponential's b of a strategy less that of soft over the sizes of both, with the fits' interval.

    The same: not significantly another, and the interval excludes half of soft's more or less. Faster:
    significantly above soft's; it is not where the interval excludes half as much again."""
    curves = [laws.curve(evidence.mae, k, top(evidence.mae)) for k in (strategy, "soft")]
    both = np.intersect1d(curves[0][0], curves[1][0])
    y = [errors[np.isin(blocks, both)] for blocks, errors in curves]
    own, soft = (scaling.fit_exponential(both, errors[:, 0], laws.weights(errors)) for errors in y)
    if note := own.note or soft.note:
        return cannot(f"The curves of {strategy} and soft have no law: {note}.")
    gap, half = own.b - soft.b, stdtrit(own.n - 3, 0.975) * np.hypot(own.b_se, soft.b_se)
    low, high = gap - half, gap + half
    level, sign = 100 * (y[0][:, 0].mean() / y[1][:, 0].mean() - 1), significant(gap, low, high)
    why = f"The mean MAE of {strategy} is {abs(level):.0f} % {'below' if level < 0 else 'above'} that of "
    why += f"soft, its floor {own.c:.2f} BPM against {soft.c:.2f}. Its decay is {own.b:.2f} per block "
    found = finding(gap, low, high, unit="(interval of the fits)", side=int(faster))
    why += f"against {soft.b:.2f}, a difference of {found}"
    same = -1 if sign else int(-soft.b / 2 <= low and high <= soft.b / 2)
    return _judged((sign or -int(high <= soft.b / 2)) if faster else same, why, gap, low, high)


def _judged(answer: int, why: str, *limits) -> Outcome:
    """1: the claim holds, -1: it does not, 0: its interval leaves both open."""
    verdict = {1: YES, 0: CANNOT, -1: NO}[answer]
    return Outcome(verdict, why + ("." if answer else "; this leaves both answers open."), *limits)
