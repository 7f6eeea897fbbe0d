"""The paper's claims, numbered as in data/paper/claims.csv, each with an effect, an interval and a verdict.

A claim is a function from `Evidence` to `Outcome`. The same functions read our runs and the paper's
own printed tables, which are evidence without draws: there a sign is all that can be asked for.
Effects are written so that the claim says which side of 0, or of the paper's number, they lie on.
"""

import numpy as np
import pandas as pd

from ppglib import scaling
from ppglib.claims_of_laws import decay, exponential_is_best, predictable, saturates
from ppglib.evidence import Evidence, mean_gap, pairs, top
from ppglib.intervals import interval
from ppglib.outcome import CANNOT, CONTROL, NO, TOLERANCE, YES, Outcome, below, cannot

FOUR = ("hard", "soft", "dkd", "feature")
SMALL = range(1, 5)  # blocks: "small models may not have the capacity to learn a rich representation"


def always(evidence: Evidence, better: str, worse: str, control: str = "", found=None, **chosen) -> Outcome:
    """`better` has the lower MAE in every pair, its mean advantage is sure, and `control` is not as good."""
    found = pairs(evidence.mae, better, worse, **chosen) if found is None else found
    if not found:
        return cannot(f"no {better} student with {worse} beside it at the same size was run")
    gaps = [(evidence.mae.loc[a, 0] - evidence.mae.loc[b, 0], a) for a, b in found]
    wins, (worst, (_, student, teacher)) = sum(g < 0 for g, _ in gaps), max(gaps)
    surely = sum(mean_gap(evidence, [pair])[1] > 0 for pair in found)
    effect, low, high, _ = measured = mean_gap(evidence, found)
    students, taught_by = ({pair[0][i] for pair in found} for i in (1, 2))
    why = f"better in {wins} of {len(gaps)} pairs (students of {_listed(students)} blocks"
    why += f", teachers of {_listed(taught_by)})" if taught_by != {0} else ")"
    if wins < len(gaps):
        why += (
            f", surely worse in {surely}, worst {worst:+.2f} BPM for the {student}-block student of {teacher}"
        )
    if effect >= 0 or high >= 0:
        why += "; the mean is surely the other way" if low > 0 else "; the mean is not surely below 0"
    if wins < len(gaps) or not below(high, effect):
        return Outcome(NO, why, *measured)
    rivals = pairs(evidence.mae, better, control, {top(evidence.mae)}, students)
    if not rivals:
        return Outcome(YES, why + (f"; {control}, its control, was not run" if control else ""), *measured)
    rest, rest_low, rest_high, _ = mean_gap(evidence, rivals)
    why += f"; against {control}, its control, {rest:+.2f} [{rest_low:+.2f}, {rest_high:+.2f}]"
    return Outcome(YES if below(rest_high, rest) else CONTROL, why, *measured)


def _listed(numbers) -> str:
    return ", ".join(map(str, sorted(numbers)))


def best_elsewhere(evidence: Evidence) -> Outcome:
    """DKD against the best of the other three, at teachers other than the largest."""
    mae, found = evidence.mae, []
    for strategy, student, teacher in mae.index:
        others = [(k, student, teacher) for k in FOUR if k != "dkd" and (k, student, teacher) in mae.index]
        if strategy == "dkd" and student < teacher < top(mae) and others:
            found.append(((strategy, student, teacher), min(others, key=lambda k: mae.loc[k, 0])))
    if not found:
        return cannot("DKD was run with the largest teacher only")
    return always(evidence, "dkd", "the best of the others", found=found)


def size_helps(evidence: Evidence) -> Outcome:
    """Slope of MAE over log2(blocks) of the student, each strategy and teacher on its own level."""
    index = evidence.mae.index.to_frame(index=False)
    below_teacher = (index.teacher == 0) | (index.student < index.teacher)
    keep = (index.strategy.isin(["scratch", "soft"]) & below_teacher).to_numpy()
    index, y = index[keep], evidence.mae.to_numpy()[keep]
    if index.student.nunique() < 3:
        return cannot(f"needs three sizes, has {index.student.nunique()}")
    groups = index.strategy + index.teacher.astype(str)
    effect, low, high = interval(scaling.slopes(np.log2(index.student), y, groups, 1)[0])
    why = f"over {index.student.nunique()} sizes, scratch and soft"
    return Outcome(YES if below(high, effect) else NO, why, float(effect), float(low), float(high))


def teacher_slope(evidence: Evidence, degree: int) -> Outcome:
    """Student MAE over log2(blocks) of the teacher, each student on its own level (soft).

    Degree 1: the slope is negative if larger teachers are better. Degree 2: the slope of the
    parabola at the largest teacher is positive if that teacher is already too large.
    """
    index = evidence.mae.index.to_frame(index=False)
    keep = ((index.strategy == "soft") & (index.student < index.teacher)).to_numpy()
    index, y = index[keep], evidence.mae.to_numpy()[keep]
    if index.teacher.nunique() < 3:
        return cannot(f"needs soft students of three teachers, has {index.teacher.nunique()}")
    slope = scaling.slopes(np.log2(index.teacher), y, index.student, degree)
    at_top = slope[0] if degree == 1 else slope[0] + 2 * slope[1] * np.log2(index.teacher.max())
    effect, low, high = map(float, interval(at_top))
    several = index.groupby("student").teacher.transform("nunique") > 1
    best = index.assign(mae=y[:, 0])[several].sort_values("mae").drop_duplicates("student")
    wins = (best.teacher == index.teacher.max()).sum()
    why = f"the largest of {index.teacher.nunique()} teachers is the best for {wins} of {len(best)} students"
    why += " that have several"
    holds = below(high, effect) if degree == 1 else below(-low, -effect)
    return Outcome(YES if holds else NO, why, effect, low, high)


def saving(evidence: Evidence, column: str, number: float) -> Outcome:
    """What 1 block saves on 12, in per cent: at least the paper's number, give or take TOLERANCE.

    A GPU decides if one was measured, because the paper's number is a GPU's; every device is named.
    """
    wide = evidence.compute.pivot(index=["device", "gpu"], columns="blocks", values=column)
    if not {1, 12} <= set(wide.columns) or wide[[1, 12]].dropna().empty:
        return cannot("no device was measured at 1 and 12 blocks")
    percent = 100 * (1 - wide[1] / wide[12]).dropna().astype(float).sort_index(level="gpu", ascending=False)
    alone = ", the network's memory alone" if column == "memory_mb" else ""
    why = [f"{p:.1f} % on {device}{'' if gpu else alone}" for (device, gpu), p in percent.items()]
    return Outcome(
        YES if percent.iloc[0] >= number - TOLERANCE else NO, "; ".join(why), float(percent.iloc[0])
    )


def costs_little(evidence: Evidence, number: float) -> Outcome:
    """How much worse, in per cent, the 1-block DKD student is than the 12-block network from scratch."""
    mae, small = evidence.mae, ("dkd", 1, 12)
    if small not in mae.index:
        return cannot("no 1-block DKD student of a 12-block teacher was run")
    if ("scratch", 12, 0) not in mae.index:
        needed = mae.loc[small, 0] / (1 + number / 100)
        return cannot(f"the 12-block MAE is not given; {number:.0f} % would need it to be {needed:.2f} BPM")
    effect, low, high = interval(100 * (mae.loc[small] / mae.loc[("scratch", 12, 0)] - 1))
    large = mae.loc[("scratch", 12, 0), 0]
    why = f"{mae.loc[small, 0]:.2f} BPM at 1 block (DKD), {large:.2f} at 12 from scratch"
    return Outcome(YES if effect <= number + TOLERANCE else NO, why, float(effect), float(low), float(high))


def agrees_with_prior_work(evidence: Evidence, number: float) -> Outcome:
    """8 blocks from scratch on the recordings of the prior work, against its number."""
    row = ("scratch", 8, 0)
    if row not in evidence.mae.index:
        return cannot("the MAE of an 8-block network from scratch is not there")
    effect, low, high = map(float, interval(evidence.mae.loc[row]))
    if "wildppg" not in evidence.datasets:
        why = f"the prior work's recordings (WildPPG) are not among {', '.join(evidence.datasets)}"
    elif np.isnan(number):
        why = "the paper prints neither its own number nor that of the prior work"
    else:
        agrees = low <= number <= high
        return Outcome(
            YES if agrees else NO, "the prior work's number against our interval", effect, low, high
        )
    return Outcome(CANNOT, why, effect, low, high)


CLAIMS = {
    1: lambda e, _: always(e, "soft", "scratch", control="gaussian"),
    2: lambda e, _: always(e, "dkd", "scratch", "gaussian", students=SMALL, teachers={top(e.mae)}),
    3: lambda e, _: size_helps(e),
    4: lambda e, _: teacher_slope(e, 1),
    5: lambda e, _: teacher_slope(e, 2),
    6: lambda e, _: always(e, "dkd", "feature", control="soft8", teachers={top(e.mae)}),
    7: lambda e, _: always(e, "feature", "soft", teachers={top(e.mae)}),
    8: lambda e, _: always(e, "soft", "hard", teachers={top(e.mae)}),
    9: lambda e, _: best_elsewhere(e),
    10: lambda e, _: exponential_is_best(e),
    11: lambda e, _: predictable(e),
    12: lambda e, _: saturates(e),
    13: lambda e, _: decay(e, "dkd", faster=False),
    14: lambda e, _: decay(e, "feature", faster=False),
    15: lambda e, _: decay(e, "hard", faster=True),
    16: lambda e, number: saving(e, "seconds", number),
    17: lambda e, number: saving(e, "memory_mb", number),
    18: lambda e, number: costs_little(e, number),
    19: lambda e, number: agrees_with_prior_work(e, number),
}


def verdicts(evidence: Evidence, claims: pd.DataFrame) -> pd.DataFrame:
    """One row a claim of data/paper/claims.csv, with its Outcome; `paper` is the number that is printed."""
    outcomes = pd.DataFrame([CLAIMS[row.id](evidence, row.number)._asdict() for row in claims.itertuples()])
    stated = claims.rename(columns={"number": "paper"})[["id", "claim", "where", "unit", "paper"]]
    return pd.concat([stated.reset_index(drop=True), outcomes], axis=1)
