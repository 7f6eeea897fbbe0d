"""The paper's claims, numbered as in data/paper/claims.csv, each with an effect, an interval and a verdict.

A claim is a function from `Evidence` to `Outcome`. The same functions read our runs and the paper's
own printed tables, which are evidence without draws: there a sign is all that can be asked for.
Effects are written so that the claim says which side of 0, or of the paper's number, they lie on.
"""

import numpy as np
import pandas as pd

from ppglib.results.bootstrap import interval
from ppglib.results.claims_of_laws import (
    exponential_is_best,
    faster_decay,
    predictable,
    same_decay,
    saturates,
)
from ppglib.results.claims_of_sizes import larger_teachers_help, size_helps, too_large_teachers_harm
from ppglib.results.evidence import Evidence, beside, mean_gap, pairs, top
from ppglib.results.outcome import CANNOT, CONTROL, NO, TOLERANCE, YES, Outcome, cannot, listed, surely, told

FOUR = ("hard", "soft", "dkd", "feature")
LAWS = range(10, 16)  # claims about laws
SMALL = range(1, 5)  # blocks: "small models may not have the capacity to learn a rich representation"


def always(evidence: Evidence, better: str, worse: str, control: str = "", found=None, **chosen) -> Outcome:
    """`better` has the lower MAE in every pair, its mean advantage is sure, and `control` does not explain it."""
    found = pairs(evidence.mae, better, worse, **chosen) if found is None else found
    if not found:
        return cannot(f"no {better} student with {worse} beside it at the same size was run")
    gaps = [(evidence.mae.loc[a, 0] - evidence.mae.loc[b, 0], a) for a, b in found]
    wins, (worst, (_, student, teacher)) = sum(g < 0 for g, _ in gaps), max(gaps)
    signs = [surely(*mean_gap(evidence, [pair])) for pair in found]
    measured = mean_gap(evidence, found)
    students, taught_by = ({pair[0][i] for pair in found} for i in (1, 2))
    why = f"better in {wins} of {len(gaps)} pairs (students of {listed(students)} blocks"
    why += f", teachers of {listed(taught_by)})" if taught_by != {0} else ")"
    if evidence.mae.shape[1] > 1:
        why += f", surely better in {signs.count(-1)}, surely worse in {signs.count(1)}"
    if wins < len(gaps):
        why += f", worst {worst:+.2f} BPM for the {student}-block student"
        why += f" of {teacher}" if teacher else ""
    sign = surely(*measured)
    if sign >= 0:
        why += "; the mean is surely the other way" if sign else "; the mean is not surely below 0"
    if wins < len(gaps) or sign >= 0:
        return Outcome(NO, why, *measured)
    explains, about = explained(evidence, found, control) if control else (False, "")
    return Outcome(CONTROL if explains else YES, why + about, *measured)


def explained(evidence: Evidence, found: list[tuple], control: str) -> tuple[bool, str]:
    """Whether `control` is surely better than the second of each pair, and the first not surely than `control`.

    On average over the pairs with the largest teacher, where the control was run; and what to say of it.
    """
    largest, mae = top(evidence.mae), evidence.mae
    trios = [(*pair, beside(mae, control, *pair[0][1:])) for pair in found if pair[0][2] == largest]
    trios = [trio for trio in trios if trio[2]]
    if not trios:
        return False, f"; {control}, its control, was not run"
    (better, worse, _), rivals = trios[0], [(one, third) for one, _, third in trios]
    gaps = [mean_gap(evidence, rivals), mean_gap(evidence, [(third, other) for _, other, third in trios])]
    limits = [told(*gap) for gap in gaps]
    about = (
        f"; with the teacher of {largest} blocks {better[0]} is {limits[0]} against {control}, its control, "
    )
    about += f"which is itself {limits[1]} against {worse[0]}"
    if ahead := [one[1] for one, third in rivals if surely(*mean_gap(evidence, [(one, third)])) > 0]:
        about += f"; {control} is surely the better of the two at student sizes {listed(ahead)}"
    return surely(*gaps[0]) >= 0 and surely(*gaps[1]) < 0, about


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


def saving(evidence: Evidence, column: str, number: float) -> Outcome:
    """What 1 block saves on 12, in per cent: at least the paper's number, give or take TOLERANCE.

    A GPU decides if one was measured, because the paper's number is a GPU's; every device is named.
    Without one, time is judged on what there is; memory is not: the paper's is a GPU's peak.
    """
    wide = evidence.compute.pivot(index=["device", "gpu"], columns="blocks", values=column)
    if not {1, 12} <= set(wide.columns) or wide[[1, 12]].dropna().empty:
        return cannot("no device was measured at 1 and 12 blocks")
    percent = 100 * (1 - wide[1] / wide[12]).dropna().astype(float).sort_index(level="gpu", ascending=False)
    alone = ", the network's memory alone" if column == "memory_mb" else ""
    why = [f"{p:.1f} % on {device}{'' if gpu else alone}" for (device, gpu), p in percent.items()]
    if column == "memory_mb" and not percent.index.get_level_values("gpu")[0]:
        why.append("the paper's number is the peak of a GPU, and none was measured")
        return Outcome(CANNOT, "; ".join(why), float(percent.iloc[0]))
    verdict = YES if percent.iloc[0] >= number - TOLERANCE else NO
    return Outcome(verdict, "; ".join(why), float(percent.iloc[0]))


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
    4: lambda e, _: larger_teachers_help(e),
    5: lambda e, _: too_large_teachers_harm(e),
    6: lambda e, _: always(e, "dkd", "feature", control="soft8", teachers={top(e.mae)}),
    7: lambda e, _: always(e, "feature", "soft", control="scratch", teachers={top(e.mae)}),
    8: lambda e, _: always(e, "soft", "hard", control="scratch", teachers={top(e.mae)}),
    9: lambda e, _: best_elsewhere(e),
    10: lambda e, _: exponential_is_best(e),
    11: lambda e, _: predictable(e),
    12: lambda e, _: saturates(e),
    13: lambda e, _: same_decay(e, "dkd"),
    14: lambda e, _: same_decay(e, "feature"),
    15: lambda e, _: faster_decay(e, "hard"),
    16: lambda e, number: saving(e, "seconds", number),
    17: lambda e, number: saving(e, "memory_mb", number),
    18: lambda e, number: costs_little(e, number),
    19: lambda e, number: agrees_with_prior_work(e, number),
}


def verdicts(evidence: Evidence, claims: pd.DataFrame) -> pd.DataFrame:
    """One row a claim of data/paper/claims.csv, with its Outcome.

    `paper` is the number that is printed, `supported_by` where the effect would have to lie, and `how`
    tells what a "not reproduced" is: reversed, unsure, too small, or holding only in part.
    """
    outcomes = [CLAIMS[row.id](evidence, row.number) for row in claims.itertuples()]
    stated = claims.rename(columns={"number": "paper"})[
        ["id", "claim", "where", "unit", "supported_by", "paper"]
    ]
    table = pd.concat([stated.reset_index(drop=True), pd.DataFrame(outcomes)], axis=1)
    return table.assign(
        how=[_how(o, *row) for o, row in zip(outcomes, claims[["id", "supported_by"]].to_numpy())]
    )


def _how(outcome: Outcome, claim: int, supported_by: str) -> str:
    side = {"below 0": -1, "above 0": 1}.get(supported_by, 0)
    if outcome.verdict != NO or not side:
        return ""
    # An unsure law cannot be tested: where it is not reproduced, its interval excludes what is claimed.
    unsure = "too small" if claim in LAWS else "unsure"
    return {side: "only in part", 0: unsure, -side: "reversed"}[surely(*outcome[2:])]
