"""The claims about laws: what the curve of soft students' MAE over their size is, and what it foretells.

Where an interval leaves both answers open, the claim cannot be tested: "too uncertain to tell".
"""

import numpy as np
from scipy.stats import t as student_t

from ppglib import scaling
from ppglib.results import laws
from ppglib.results.bootstrap import interval
from ppglib.results.evidence import Evidence, top
from ppglib.results.outcome import CANNOT, CONTROL, NO, TOLERANCE, YES, Outcome, cannot, surely, told

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
    naive = np.abs(y[blocks > laws.SMALL] - y[blocks <= laws.SMALL][-1]).mean(axis=0)
    missed = np.abs(gap).mean(axis=0)
    gain = tuple(map(float, interval(missed - naive)))
    why += (
        f"; missed by {missed[0]:.2f} BPM on average, by {naive[0]:.2f} if the largest fitted student stands"
    )
    why += f" for all larger ones, difference {told(*gain)}"
    vague = (table.high - table.low).max() > np.ptp(y[blocks <= laws.SMALL, 0])
    if vague:
        why += "; the interval is wider than the curve that it was fitted to"
    outcome = _told(0 if vague else 1 if table.inside.all() else -abs(surely(*error)), why, *error)
    no_better = outcome.verdict == YES and surely(*gain) >= 0
    return outcome._replace(verdict=CONTROL) if no_better else outcome


def saturates(evidence: Evidence) -> Outcome:
    """What the largest student gains on the 6-block one, in per cent: surely little, and surely more on the one before.

    The 5-block student decides whether saturation begins at 6 or was there before.
    """
    mae, teacher = evidence.mae, top(evidence.mae)
    blocks = laws.curve(mae, "soft", teacher)[0].astype(int)
    if SATURATED not in blocks[1:-1]:
        return cannot("needs soft students of 6 blocks, of fewer and of more")
    last, before = blocks[-1], blocks[list(blocks).index(SATURATED) - 1]
    gain, earlier = (_gain(evidence, last, size, teacher) for size in (SATURATED, before))
    why = f"{last} blocks gain {told(*gain, form='+.1f')} % on {SATURATED} and {told(*earlier, form='+.1f')} % on {before}"
    why += f"; less than {TOLERANCE:.0f} % is saturation"
    flat, flat_before = (-surely(*(g - TOLERANCE for g in own[:3]), own[3]) for own in (gain, earlier))
    if flat_before == 1:
        why += f"; it began at {before} blocks or earlier"
    answer = -1 if flat == -1 or flat_before == 1 else int(flat == 1 and flat_before == -1)
    return _told(answer, why, *gain)


def _gain(evidence: Evidence, large: int, small: int, teacher: int) -> tuple:
    """What the large soft student gains on the small one, per cent of its MAE: effect, low, high, sd between seeds."""
    rows = [("soft", size, teacher) for size in (large, small)]
    ratio = evidence.mae.loc[rows[0]] / evidence.mae.loc[rows[1]]
    relative = (evidence.seed_variance / evidence.mae[0] ** 2)[rows].sum(skipna=False)
    return *map(float, interval(100 * (1 - ratio))), float(100 * ratio[0] * np.sqrt(relative))


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
