"""The paper's claims, named as in data/paper/claims.csv, each with an effect, an interval and a verdict.

A claim is its row there and its function in CLAIMS, from `Evidence` and the row's number to `Outcome`.
The same functions judge our runs and the paper's own printed tables, which are evidence without draws:
there a sign is all that can be asked for. Effects are written so that the claim says which side of 0,
or of the paper's number, they lie on."""

import numpy as np
import pandas as pd

from ppglib.files import InputError
from ppglib.results.bootstrap import interval
from ppglib.results.claims_of_curves import decay, exponential_is_best, larger_teachers_help, predictable
from ppglib.results.claims_of_curves import saturates, size_helps, too_large_teachers_harm
from ppglib.results.claims_of_field import SMALL, Seen, by_field, seen
from ppglib.results.evidence import Evidence, beside, mean_gap, ours, pairs, printed, top
from ppglib.results.outcome import CANNOT, CONTROL, NO, TOLERANCE, YES, Outcome, cannot
from ppglib.results.outcome import effect_text, finding, significant, span
from ppglib.results.tables import Paper, Results, recipes, tested

FOUR = ("hard", "soft", "dkd", "feature")


def always(evidence: Evidence, better: str, worse: str, control="", teachers=None, students=None) -> Outcome:
    """`better` has the lower MAE in every pair, significantly on average, and `control` does not explain it."""
    return judged(evidence, pairs(evidence.mae, better, worse, teachers, students), better, worse, control)


def judged(evidence: Evidence, found: list[tuple], better: str, worse: str, control: str = "") -> Outcome:
    """`always` over these pairs."""
    if not found:
        return cannot(f"No {better} student with {worse} beside it at the same size was run.")
    mae, measured = evidence.mae[0], mean_gap(evidence, found)
    worst, (_, student, teacher) = max((mae[one] - mae[other], one) for one, other in found)
    why = f"{_counted(evidence, found)}; the mean effect is {finding(*measured)}."
    if significant(*measured) >= 0:
        return Outcome(NO, why, *measured)
    if worst >= 0:
        of = f" of the {teacher}-block teacher" if teacher else ""
        why += f" The worst pair, the {student}-block student{of}, is {worst:+.2f} BPM."
        return Outcome(NO, why, *measured)
    explains, about = _explained(evidence, found, control) if control else (False, "")
    return Outcome(CONTROL if explains else YES, why + about, *measured)


def _counted(evidence: Evidence, found: list[tuple]) -> str:
    """How many pairs are better, and how many significantly better and worse, where there are intervals."""
    signs = [significant(*mean_gap(evidence, [pair])) for pair in found]
    wins = sum(evidence.mae.loc[one, 0] < evidence.mae.loc[other, 0] for one, other in found)
    students, teachers = (span([one[i] for one, _ in found]) for i in (1, 2))
    sizes = f"students of {students}" + (f" and teachers of {teachers}" if teachers != "0" else "")
    text = f"With {sizes} blocks, {wins} of {len(found)} pairs are better"
    if evidence.mae.shape[1] > 1:
        text += f" ({signs.count(-1) or 'none'} significantly)" if wins else ""
        text += f" and {signs.count(1)} significantly worse" if 1 in signs else ""
    return text


def _explained(evidence: Evidence, found: list[tuple], control: str) -> tuple[bool, str]:
    """Whether `control` is significantly better than the second of each pair and not worse than the first.

    Means over the pairs with the largest teacher where the control was run; and a sentence on it. Not worse:
    the first is not significantly better."""
    largest = top(evidence.mae)
    trios = [(*pair, beside(evidence.mae, control, *pair[0][1:])) for pair in found if pair[0][2] == largest]
    trios = [trio for trio in trios if trio[2]]
    if not trios:
        return False, f" Its control, {control}, was not run."
    rivals = [(one, third) for one, _, third in trios]
    left, own = mean_gap(evidence, rivals), mean_gap(evidence, [(third, other) for _, other, third in trios])
    (better, *_), (worse, *_) = trios[0][:2]
    which = " Its" if {one[2] for one, _ in found} == {largest} else f" With teachers of {largest} blocks its"
    about = f"{which} control, {control}, is {effect_text(*own)} BPM against "
    about += f"{worse}, and {better} is {effect_text(*left)} against {control}"
    if ahead := [str(pair[0][1]) for pair in rivals if significant(*mean_gap(evidence, [pair])) > 0]:
        about += f" (significantly worse at {', '.join(ahead)} block{'s' * (ahead != ['1'])})"
    return significant(*left) >= 0 > significant(*own), about + "."


def best_elsewhere(evidence: Evidence) -> Outcome:
    """DKD against the best of the other three, at teachers other than the largest."""
    mae, found = evidence.mae, []
    for strategy, student, teacher in mae.index:
        others = [(k, student, teacher) for k in FOUR if k != "dkd" and (k, student, teacher) in mae.index]
        if strategy == "dkd" and student < teacher < top(mae) and others:
            found.append(((strategy, student, teacher), min(others, key=lambda k: mae.loc[k, 0])))
    if not found:
        return cannot("DKD was run with the largest teacher only.")
    return judged(evidence, found, "dkd", "the best of the others")


def saving(evidence: Evidence, column: str, number: float) -> Outcome:
    """What 1 block saves on 12, in per cent: at least the paper's number, give or take TOLERANCE.

    A GPU decides if one was measured, because the paper's number is a GPU's; every device is named.
    Without one, time is judged on what there is; memory is not: the paper's is a GPU's peak."""
    wide = evidence.compute.pivot(index=["device", "gpu"], columns="blocks", values=column)
    if not {1, 12} <= set(wide.columns) or wide[[1, 12]].dropna().empty:
        return cannot("No device was measured at 1 and 12 blocks.")
    percent = 100 * (1 - wide[1] / wide[12]).dropna().astype(float).sort_index(level="gpu", ascending=False)
    memory, effect = column == "memory_mb", float(percent.iloc[0])
    told = {False: " (the network's memory alone)", True: " (the peak, with all that the framework holds)"}
    why = " and ".join(f"{p:.2f} % on {device}{told[gpu] if memory else ''}" for (device, gpu), p in percent.items())
    why = f"Of the {'memory' if memory else 'time'} of 12 blocks, 1 block saves {why}."
    if memory and not percent.index.get_level_values("gpu")[0]:
        why += " The paper's number is the peak of a GPU, and none was measured."
        return Outcome(CANNOT, why, effect)
    if effect >= number - TOLERANCE:
        return Outcome(YES, why, effect)
    return Outcome(NO, f"{why} The rule asks for {number - TOLERANCE:.0f} %.", effect)


def costs_little(evidence: Evidence, number: float) -> Outcome:
    """How much worse, in per cent, the 1-block DKD student is than the 12-block network from scratch."""
    mae, small, large = evidence.mae, ("dkd", 1, 12), ("scratch", 12, 0)
    if small not in mae.index:
        return cannot("No 1-block DKD student of a 12-block teacher was run.")
    if large not in mae.index:
        needed = mae.loc[small, 0] / (1 + number / 100)
        return cannot(f"The 12-block MAE is not given; {number:.0f} % would need it to be {needed:.2f} BPM.")
    effect, low, high = interval(100 * (mae.loc[small] / mae.loc[large] - 1))
    why = f"1 block (DKD) has an MAE of {mae.loc[small, 0]:.2f} BPM, 12 from scratch of "
    why += f"{mae.loc[large, 0]:.2f}: {effect_text(effect, low, high, form='+.0f')} %."
    return Outcome(YES if effect <= number + TOLERANCE else NO, why, effect, low, high)


def agrees_with_prior_work(evidence: Evidence, number: float) -> Outcome:
    """8 blocks from scratch on the recordings of the prior work, against its number."""
    if (row := ("scratch", 8, 0)) not in evidence.mae.index:
        return cannot("The MAE of an 8-block network from scratch is not there.")
    effect, low, high = interval(evidence.mae.loc[row])
    verdict, why = CANNOT, "The paper prints neither its own number nor that of the prior work."
    if "wildppg" not in evidence.datasets:
        why = f"The prior work's recordings (WildPPG) are not among {', '.join(evidence.datasets)}."
    elif not np.isnan(number):
        verdict = YES if low <= number <= high else NO
        why = f"The prior work has {number:.2f} BPM, our interval is {low:.2f} to {high:.2f}."
    return Outcome(verdict, why, effect, low, high)


CLAIMS = {
    "distillation_helps": lambda e, _: always(e, "soft", "scratch", control="gaussian"),
    "rich_labels": lambda e, _: always(e, "dkd", "scratch", "gaussian", {top(e.mae)}, SMALL),
    "size_helps": lambda e, _: size_helps(e),
    "larger_teachers_help": lambda e, _: larger_teachers_help(e),
    "too_large_teachers_harm": lambda e, _: too_large_teachers_harm(e),
    "dkd_beats_feature": lambda e, _: always(e, "dkd", "feature", "soft8", {top(e.mae)}),
    "feature_beats_soft": lambda e, _: always(e, "feature", "soft", "scratch", {top(e.mae)}),
    "soft_beats_hard": lambda e, _: always(e, "soft", "hard", "scratch", {top(e.mae)}),
    "dkd_best_elsewhere": lambda e, _: best_elsewhere(e),
    "exponential_law": lambda e, _: exponential_is_best(e),
    "predictable": lambda e, _: predictable(e),
    "saturation": lambda e, _: saturates(e),
    "dkd_decay": lambda e, _: decay(e, "dkd"),
    "feature_decay": lambda e, _: decay(e, "feature"),
    "hard_decay": lambda e, _: decay(e, "hard", faster=True),
    "time_saved": lambda e, number: saving(e, "seconds", number),
    "memory_saved": lambda e, number: saving(e, "memory_mb", number),
    "small_costs_little": lambda e, number: costs_little(e, number),
    "prior_work": lambda e, number: agrees_with_prior_work(e, number),
}


def verdicts(evidence: Evidence, claims: pd.DataFrame, others: Seen | None = None) -> pd.DataFrame:
    """One row a claim: id, name, kind, notebook, claim, where, unit, supported_by, paper, an Outcome's, how.

    claims: rows of data/paper/claims.csv, all or some. `paper` is the number that is printed,
    `supported_by` where the effect would have to lie, `notebook` the two digits of the one that shows the
    claim, and `how` what a "not reproduced" is: reversed, not significant, too small, or only in part.
    others: networks that see more, a control of claims about size. InputError where a claim has no function."""
    if unknown := sorted(set(claims["name"]) - set(CLAIMS)):
        raise InputError(f"The claims {', '.join(unknown)} have no function in ppglib.results.claims.CLAIMS.")
    outcomes = [CLAIMS[row.name](evidence, row.number) for row in claims.itertuples()]
    outcomes = [by_field(name, outcome, others, top(evidence.mae)) for name, outcome in zip(claims["name"], outcomes)]
    columns = ["id", "name", "kind", "notebook", "claim", "where", "unit", "supported_by", "paper"]
    stated = claims.rename(columns={"number": "paper"})[columns].reset_index(drop=True)
    table = pd.concat([stated, pd.DataFrame(outcomes, columns=Outcome._fields)], axis=1)
    how = [_how(o, row.kind, row.supported_by) for o, row in zip(outcomes, claims.itertuples())]
    return table.assign(notebook=[f"{number:02d}" for number in claims.notebook], how=how)


def of_recipe(
    results: Results, paper: Paper, recipe: str, measured: pd.DataFrame | None = None, decoder: str = "argmax"
) -> pd.DataFrame:
    """`verdicts` of the networks of a recipe; measured: see `judge`."""
    own = ours(results, recipe, measured=measured, decoder=decoder)
    return verdicts(own, paper.claims, seen(results, recipe, decoder))


def judge(
    results: Results, paper: Paper, measured: pd.DataFrame | None = None, decoder: str = "argmax"
) -> dict[str, pd.DataFrame]:
    """`verdicts` of "paper's tables" and of every recipe; measured: cost of one window, see `costs.one_window`."""
    every = {"paper's tables": verdicts(printed(paper), paper.claims).assign(simulated=False)}
    for recipe in recipes(results.runs):
        own = of_recipe(results, paper, recipe, measured, decoder)
        every[recipe] = own.assign(simulated=bool(results.name), tested=tested(results, recipe))
    return every


def _how(outcome: Outcome, kind: str, supported_by: str) -> str:
    side = {"below 0": -1, "above 0": 1}.get(supported_by, 0)
    if outcome.verdict != NO or not side:
        return ""
    # An open law cannot be tested: where it is not reproduced, its interval excludes what is claimed.
    small = "too small" if kind == "law" else "not significant"
    return {side: "only in part", 0: small, -side: "reversed"}[significant(*outcome[2:])]
