"""The claims about laws: what the curve of soft students' MAE over their size is, and what it foretells."""

import numpy as np

from ppglib import laws, scaling
from ppglib.evidence import Evidence, top
from ppglib.intervals import interval
from ppglib.outcome import CANNOT, NO, TOLERANCE, YES, Outcome, cannot

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
    beaten = effect > 0 and not low <= 0
    why = f"R2 {law.r2:.3f}; left-out size missed by {own[0]:.2f} BPM, "
    why += f"by {errors[rival][0]:.2f} with the {rival} law in blocks"
    live, now = laws.parameters(blocks), y[:, :1]
    in_parameters = {k: scaling.leave_one_out(f, live, now, weights)[0] for k, f in scaling.FORMS.items()}
    best = min(in_parameters, key=in_parameters.get)
    why += f" and by {in_parameters[best]:.2f} with the {best} law in parameters"
    return Outcome(NO if beaten else YES, why, effect, low, high)


def predictable(evidence: Evidence) -> Outcome:
    """The exponential of students up to 5 blocks foretells larger ones; effect = observed - predicted."""
    table, gap = laws.foretell(evidence.mae, "soft", top(evidence.mae))
    if table.empty:
        return cannot("needs soft students of 1 to 5 blocks, and larger ones to foretell")
    rows = [f"{r.student}: {r.predicted:.2f} foretold, {r.observed:.2f} seen" for r in table.itertuples()]
    why = f"{table.inside.sum()} of {len(table)} inside the 95 % prediction interval ({'; '.join(rows)})"
    return Outcome(YES if table.inside.all() else NO, why, *map(float, interval(gap.mean(axis=0))))


def saturates(evidence: Evidence) -> Outcome:
    """What the largest student gains on the 6-block one, in per cent of its MAE."""
    blocks, y = laws.curve(evidence.mae, "soft", top(evidence.mae))
    if SATURATED not in blocks or blocks[-1] <= SATURATED:
        return cannot("needs soft students of 6 blocks and more")
    effect, low, high = map(float, interval(100 * (1 - y[-1] / y[blocks == SATURATED][0])))
    why = f"from 6 to {blocks[-1]:.0f} blocks MAE changes by {-effect:+.1f} %"
    why += f"; a fall of less than {TOLERANCE:.0f} % is saturation"
    if low < TOLERANCE <= high:
        return Outcome(CANNOT, why + "; too uncertain to tell", effect, low, high)
    return Outcome(NO if effect >= TOLERANCE else YES, why, effect, low, high)


def decay(evidence: Evidence, strategy: str, faster: bool) -> Outcome:
    """Difference of the exponential's b to soft's, by the fits' standard errors: none, or a faster decay."""
    curves = {k: laws.curve(evidence.mae, k, top(evidence.mae)) for k in (strategy, "soft")}
    own, soft = (scaling.fit_exponential(x, y[:, 0], laws.weights(y)) for x, y in curves.values())
    if note := own.note or soft.note:
        return cannot(note)
    effect, half = own.b - soft.b, 1.96 * np.hypot(own.b_se, soft.b_se)
    why = f"b {own.b:.2f} +- {own.b_se:.2f} (R2 {own.r2:.2f}) against {soft.b:.2f} +- {soft.b_se:.2f}"
    why += f"; floor c {own.c:.2f} against {soft.c:.2f}; interval of the fits"
    limits = effect, effect - half, effect + half
    if not faster and abs(effect) <= half and half > soft.b / 2:
        return Outcome(CANNOT, why + "; too uncertain to tell a decay half as fast", *limits)
    return Outcome(YES if (effect > half if faster else abs(effect) <= half) else NO, why, *limits)
