"""The claims about scaling laws: how soft students' MAE goes with their size, and what that forecasts.

Where an interval leaves both answers open, the claim cannot be tested, and the reason says so."""

import numpy as np
from scipy.stats import t as student_t

from ppglib import scaling
from ppglib.results import laws
from ppglib.results.bootstrap import interval
from ppglib.results.evidence import Evidence, top
from ppglib.results.outcome import CANNOT, CONTROL, NO, TOLERANCE, YES, Outcome
from ppglib.results.outcome import cannot, effect_text, finding, significant

SATURATED = 6  # blocks, from where the paper sees saturation


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
    live, now = laws.parameters(blocks), y[:, :1]
    in_parameters = {k: laws.leave_one_out(f, live, now, weights)[0] for k, f in scaling.FORMS.items()}
    best = min(in_parameters, key=in_parameters.get)
    why = f"The exponential misses a left-out size by {own[0]:.2f} BPM, the {rival} law by "
    why += f"{errors[rival][0]:.2f} and the best law in parameters ({best}) by {in_parameters[best]:.2f}. "
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
    why = f"{table.inside.sum()} of {len(table)} larger students lie in the forecast's 95 % interval"
    why += ", which is wider than the curve that it was fitted to" if vague else ""
    why += f"; the mean of observed less forecast is {finding(*error, side=0)}. "
    why += f"The forecast misses by {missed[0]:.2f} BPM and the last fitted student, repeated, by "
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
    gains = [_gain(evidence, last, size, teacher) for size in (SATURATED, before)]
    flat, flat_before = (-significant(*(g - TOLERANCE for g in own[:3]), own[3]) for own in gains)
    six, five = (f"{effect_text(*own, form='+.1f')} %" for own in gains)
    why = f"{last} blocks gain {six} on {SATURATED} and {five} on {before}, where less than "
    why += f"{TOLERANCE:.0f} % is saturation"
    why += f"; it began at {before} blocks or earlier" if flat_before == 1 else ""
    answer = -1 if flat == -1 or flat_before == 1 else int(flat == 1 and flat_before == -1)
    return _judged(answer, why, *gains[0])


def _gain(evidence: Evidence, large: int, small: int, teacher: int) -> tuple:
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
    gap, half = own.b - soft.b, student_t.ppf(0.975, own.n - 3) * np.hypot(own.b_se, soft.b_se)
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
