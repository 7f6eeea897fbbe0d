"""The receptive field as a control of claims about size: is anything left where students see the whole window?

In the paper's networks the field grows with the blocks. Dilations give networks of the same blocks, parameters and
arithmetic another field; where such were trained (`Results.designs`), a claim that is not refuted is explained by the
field if seeing more at the same size is significantly better, and what is claimed goes away with the field held, or
is done as well by a law in the field. Decays have no such control: the two curves are of the same networks."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from ppglib import scaling
from ppglib.results import evidence as ev
from ppglib.results import fields, laws
from ppglib.results.bootstrap import interval
from ppglib.results.claims_of_curves import SATURATED, gain
from ppglib.results.evidence import Evidence
from ppglib.results.fields import FULL
from ppglib.results.outcome import CANNOT, CONTROL, TOLERANCE, YES, Outcome, effect_text, significant
from ppglib.results.tables import Results

SMALL = range(1, 5)  # blocks: "small models may not have the capacity to learn a rich representation"


class Seen(NamedTuple):
    """The paper's networks and those that differ in dilations alone, students and teachers as texts.

    rows: conditions of `evidence` with a teacher that is larger, or none, and what is known of their students."""

    evidence: Evidence
    rows: pd.DataFrame


def seen(results: Results, recipe: str, decoder: str = "argmax") -> Seen | None:
    """Networks of both studies under this recipe; None where none of another field were trained under it."""
    if results.designs is None or recipe not in {*results.designs.runs.recipe}:
        return None
    both = fields.joined(results.designs, results)
    own = ev.ours(both, recipe, decoder=decoder)
    rows = own.mae.index.to_frame(index=False).join(fields.networks(both), on="student")
    larger = (rows.teacher == "0") | (rows.blocks < ev.blocks(rows.teacher))
    return Seen(own, rows[larger & rows.design.str.fullmatch(r"(d[\d.]+)?")])


def by_field(name: str, outcome: Outcome, others: Seen | None, teacher: int) -> Outcome:
    """The outcome of a claim with a sentence on the field, and explained by it if that is so.

    As it was where the claim has no control, was not measured, or `others` lack what it takes."""
    found = None
    if others and name in CONTROLS and not np.isnan(outcome.effect):
        found = CONTROLS[name](others, outcome.effect, str(teacher))
    if not found:
        return outcome
    explains, sentence = found
    verdict = CONTROL if explains and outcome.verdict in (YES, CANNOT) else outcome.verdict
    return outcome._replace(verdict=verdict, why=f"{outcome.why} {sentence}")


def _size(others: Seen, effect: float, teacher: str) -> tuple[bool, str] | None:
    """The slope over blocks where all see the window, and the slope over the field where size and cost are the same."""
    rows = others.rows[others.rows.strategy.isin(["scratch", "soft"])]
    whole = rows[rows.field >= FULL]
    size = fields.slope_weights(whole, ["teacher"], "blocks")
    field = fields.slope_weights(rows, ["teacher", "parameters", "macs"], "field")
    if whole.blocks.nunique() < 3 or not field[0]:
        return None
    left, worth = (ev.weighted(others.evidence, *slope) for slope in (size, field))
    why = f"Among networks that all see {FULL:.0f} s it is {effect_text(*left)}, and per doubling of the field at the "
    return _gone(left, effect, worth), f"{why}same size {effect_text(*worth)}."


def _rich_labels(others: Seen, effect: float, teacher: str) -> tuple[bool, str] | None:
    """DKD against scratch where both see the window, and what seeing it is worth to scratch."""
    rows = others.rows[others.rows.blocks.isin(SMALL) & (others.rows.field >= FULL)]
    rows = rows[(rows.strategy == "dkd") & (rows.teacher == teacher) & (rows.design != "")]
    trios = [
        (("dkd", student, teacher), ("scratch", student, "0"), ("scratch", str(blocks), "0"))
        for student, blocks in zip(rows.student, rows.blocks)
    ]
    trios = [trio for trio in trios if {*trio} <= {*others.evidence.mae.index}]
    if not trios:
        return None
    left, worth = (ev.mean_gap(others.evidence, [trio[i : i + 2] for trio in trios]) for i in (0, 1))
    why = f"Among students that see {FULL:.0f} s, dkd is {effect_text(*left)} against scratch; seeing them at the same "
    return _gone(left, effect, worth), f"{why}size is worth {effect_text(*worth)} to scratch."


def _gone(left: tuple, effect: float, worth: tuple) -> bool:
    """With the field held, the effect is smaller than claimed and not significant; what the field is worth is."""
    return left[0] > effect and significant(*left) >= 0 > significant(*worth)


def _law(others: Seen, effect: float, teacher: str, forecast: bool) -> tuple[bool, str] | None:
    """A power law in the field against the exponential in blocks: by the claim's own test, and at who sees more."""
    rows = _soft(others, teacher)
    plain = (rows.design == "").to_numpy()
    if plain.all():
        return None
    y = others.evidence.mae.loc[list(rows[ev.LEVELS].itertuples(index=False, name=None))].to_numpy()
    fitted, errors = plain & (rows.blocks <= laws.SMALL).to_numpy() if forecast else plain, []
    for axis, law in (("field", "power"), ("blocks", "exponential")):
        form, x = scaling.FORMS[law], rows[axis].to_numpy(float)[plain]
        missed = abs(fields.missed(form, rows, axis, y, fitted))
        left_out = None if forecast else laws.leave_one_out(form, x, y[plain], laws.weights(y[plain]))
        errors.append((missed[plain & ~fitted].mean(0) if forecast else left_out, missed[~plain].mean(0)))
    own, more = (interval(field - blocks) for field, blocks in zip(*errors))
    where = "larger students" if forecast else "left-out sizes"
    why = f"Against the exponential, a power law in the field is {effect_text(*own)} BPM at {where} and "
    why += f"{effect_text(*more)} at {(~plain).sum()} students of the same blocks that see more."
    return significant(*own) <= 0 and significant(*more) < 0, why


def _saturation(others: Seen, effect: float, teacher: str) -> tuple[bool, str] | None:
    """What the largest student gains on the largest below SATURATED that sees the window."""
    rows = _soft(others, teacher)
    whole = rows[(rows.field >= FULL) & (rows.blocks < SATURATED)]
    if whole.empty:
        return None
    small, last = whole.iloc[-1], rows[rows.design == ""].iloc[-1]
    pair = tuple(("soft", student, teacher) for student in (small.student, str(small.blocks)))
    if pair[1] not in others.evidence.mae.index:
        return None
    own, worth = gain(others.evidence, last.student, small.student, teacher), ev.mean_gap(others.evidence, [pair])
    why = f"On {small.blocks} blocks that see {FULL:.0f} s they gain {effect_text(*own, form='+.1f')} %, and seeing "
    why += f"them is worth {effect_text(*worth)} BPM."
    return significant(*(g - TOLERANCE for g in own[:3]), own[3]) < 0 and significant(*worth) < 0, why


def _soft(others: Seen, teacher: str) -> pd.DataFrame:
    rows = others.rows[(others.rows.strategy == "soft") & (others.rows.teacher == teacher)]
    return rows.sort_values(["blocks", "field"])


CONTROLS = {
    "rich_labels": _rich_labels,
    "size_helps": _size,
    "exponential_law": partial(_law, forecast=False),
    "predictable": partial(_law, forecast=True),
    "saturation": _saturation,
}
