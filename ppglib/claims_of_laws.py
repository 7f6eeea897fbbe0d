"""The claims about laws: what the curve of soft students' MAE over their size is, and what it foretells.

Where an interval leaves both answers open, the claim cannot be tested: "too uncertain to tell".
"""

import numpy as np
from scipy.stats import t as student_t

from ppglib import laws, scaling
from ppglib.evidence import Evidence, top
from ppglib.intervals import interval
from ppglib.outcome import CANNOT, NO, TOLERANCE, YES, Outcome, cannot, surely

SATURATED = 6  # blocks, from where the paper sees saturation


def exponential_is_best(evidence: Evidence) -> Outcome:
    """Leave-one-size-out error of the exponential less that of its best rival in blocks."""
    blocks, y = laws.curve(evidence.mae, "soft", top(evidence.mae))
    weights = laws.weights(y)
    law = scaling.fit(scaling.FORMS["exponential"], blocks, y[:, 0], weights)
    if law.note:
        return cannot(law.note)
    errors = {name: scaling.leave_one_out(form, blocks, y, weights) for name, form in scaling.FORMS.items()}
    own = errors.pop("exponential")
    rival = min(errors, key=lambda name: errors[name][0])
    effect, low, high = map(float, interval(own - errors[rival]))
    why = f"R2 {law.r2:.3f}; left-out size missed by {own[0]:.2f} BPM, "
    why += f"by {errors[rival][0]:.2f} with the {rival} law in blocks"
    live, now = laws.parameters(blocks), y[:, :1]
    in_parameters = {k: scaling.leave_one_out(f, live, now, weights)[0] for k, f in scaling.FORMS.items()}
    best = min(in_parameters, key=in_parameters.get)
    why += f" and by {in_parameters[best]:.2f} with the {best} law in parameters"
    return _told(-surely(effect, low, high), why, effect, low, high)


def predictable(evidence: Evidence) -> Outcome:
    """The exponential of students up to 5 blocks foretells larger ones; effect = observed - predicted.

    A forecast fails where an observation lies outside its interval and the mean error is sure, and says
    nothing where its interval is wider than the whole curve that it was fitted to.
    """
    table, gap, note = laws.foretell(evidence.mae, "soft", top(evidence.mae))
    if note:
        return cannot(f"soft students of 1 to {laws.SMALL} blocks: {note}")
    rows = [f"{r.student}: {r.predicted:.2f} foretold, {r.observed:.2f} seen" for r in table.itertuples()]
    why = f"{table.inside.sum()} of {len(table)} inside the 95 % prediction interval ({'; '.join(rows)})"
    error = tuple(map(float, interval(gap.mean(axis=0))))
    blocks, y = laws.curve(evidence.mae, "soft", top(evidence.mae))
    naive = np.abs(y[blocks > laws.SMALL, 0] - y[blocks <= laws.SMALL, 0][-1]).mean()
    why += f"; missed by {(table.observed - table.predicted).abs().mean():.2f} BPM on average"
    why += f", by {naive:.2f} if the largest fitted student stands for all larger ones"
    vague = (table.high - table.low).max() > np.ptp(y[blocks <= laws.SMALL, 0])
    if vague:
        why += "; the interval is wider than the curve that it was fitted to"
    return _told(0 if vague else 1 if table.inside.all() else -abs(surely(*error)), why, *error)


def saturates(evidence: Evidence) -> Outcome:
    """What the largest student gains on the 6-block one, in per cent of its MAE."""
    blocks, y = laws.curve(evidence.mae, "soft", top(evidence.mae))
    if SATURATED not in blocks or blocks[-1] <= SATURATED:
        return cannot("needs soft students of 6 blocks and more")
    effect, low, high = map(float, interval(100 * (1 - y[-1] / y[blocks == SATURATED][0])))
    why = f"from 6 to {blocks[-1]:.0f} blocks MAE changes by {-effect:+.1f} %"
    why += f"; a fall of less than {TOLERANCE:.0f} % is saturation"
    answer = 0 if low < TOLERANCE <= high else 1 if effect < TOLERANCE else -1
    return _told(answer, why, effect, low, high)


def same_decay(evidence: Evidence, strategy: str) -> Outcome:
    """The strategy's b is that of soft: not surely another, and its interval excludes half of it more or less."""
    measured, why, soft = _decays(evidence, strategy)
    if not measured:
        return cannot(why)
    _, low, high = measured
    return _told(-1 if surely(*measured) else int(-soft / 2 <= low and high <= soft / 2), why, *measured)


def faster_decay(evidence: Evidence, strategy: str) -> Outcome:
    """The strategy's b is surely above soft's; it is not where an interval excludes half as much again."""
    measured, why, soft = _decays(evidence, strategy)
    if not measured:
        return cannot(why)
    return _told(surely(*measured) or -int(measured[2] <= soft / 2), why, *measured)


def _decays(evidence: Evidence, strategy: str) -> tuple[tuple, str, float]:
    """(difference of the exponential's b to soft's, low, high), by the fits' standard errors; why; soft's b.

    Over the sizes that both have; () where there is no law.
    """
    curves = [laws.curve(evidence.mae, k, top(evidence.mae)) for k in (strategy, "soft")]
    both = np.intersect1d(curves[0][0], curves[1][0])
    y = [errors[np.isin(blocks, both)] for blocks, errors in curves]
    own, soft = (scaling.fit_exponential(both, errors[:, 0], laws.weights(errors)) for errors in y)
    if note := own.note or soft.note:
        return (), note, np.nan
    effect, half = own.b - soft.b, student_t.ppf(0.975, own.n - 3) * np.hypot(own.b_se, soft.b_se)
    why = f"b {own.b:.2f} +- {own.b_se:.2f} (R2 {own.r2:.2f}) against {soft.b:.2f} +- {soft.b_se:.2f}"
    level = 100 * (y[0][:, 0].mean() / y[1][:, 0].mean() - 1)
    why += f"; floor c {own.c:.2f} against {soft.c:.2f}, MAE {level:+.0f} % on average; interval of the fits"
    return (effect, effect - half, effect + half), why, soft.b


def _told(answer: int, why: str, *limits) -> Outcome:
    """1: the claim holds, -1: it does not, 0: its interval leaves both open."""
    if answer == 0:
        return Outcome(CANNOT, why + "; too uncertain to tell", *limits)
    return Outcome(YES if answer > 0 else NO, why, *limits)
