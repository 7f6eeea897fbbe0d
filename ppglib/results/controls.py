"""Controls that the paper lacks: what else could make a student better than one from scratch."""

from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from ppglib.results import evidence as ev
from ppglib.results import tables
from ppglib.results.bootstrap import interval
from ppglib.results.evidence import Evidence
from ppglib.results.outcome import significant
from ppglib.results.tables import Results
from ppglib.strategies import STRATEGIES
from ppglib.task import DECODERS

GAIN, LEAK = "gain over scratch", "shared people, overlapping windows"
BEATS, CHANGE = "does anything beat DKD?", "what does one change do?"
BY_MEDIAN = "gain over scratch, both decoded by the median"
WITHOUT = ("is DKD more than 8 x soft?", "does it take a teacher?")


class Row(NamedTuple):
    """effect in BPM with its 95 % interval over people: below 0, the first of the two has the lower MAE."""

    control: str
    compared: str
    n: int  # pairs of conditions compared
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    seed_sd: float = np.nan

    @property
    def reading(self) -> str:
        """Whether the first is significantly better or worse (`outcome.significant`)."""
        if np.isnan(self.effect):
            return "not run"
        return {-1: "better", 0: "not distinguishable", 1: "worse"}[significant(*self[3:])]


def table(results: Results, recipe: str) -> pd.DataFrame:
    """All controls of one recipe: control, compared, n, effect, low, high, seed_sd, reading, simulated."""
    own, median = ev.ours(results, recipe), ev.ours(results, recipe, decoder="median")
    rows = []
    for decoder, networks in (("", own), (", median", median)):
        rows.append(_pairs(networks, WITHOUT[0], "dkd", "soft8", decoder))
        rows += [_pairs(networks, WITHOUT[1], name, "gaussian", decoder) for name in ("soft", "dkd")]
    names = [name for name in STRATEGIES if name not in ("scratch", *tables.beyond())]
    rows += [_pairs(own, GAIN, name, "scratch") for name in names]
    rows += [_pairs(median, BY_MEDIAN, name, "scratch", ", median") for name in ("soft", "dkd", "gaussian")]
    rows += _leak(results, recipe) + _recipes(results, recipe) + _decoders(results, recipe)
    return frame(rows).assign(simulated=bool(results.name))


def beyond(results: Results, recipe: str) -> pd.DataFrame:
    """What was tried beside DKD and beyond it: columns of `table` and `decoder` (see `DECODERS`)."""
    frames, names = [], [name for name in STRATEGIES if name not in ("dkd", "soft8")]
    changes = [(name, other) for name, row in STRATEGIES.items() for other in row.beside]
    for decoder in DECODERS:
        own, rows = ev.ours(results, recipe, decoder=decoder), []
        for name in names:  # with or without a teacher of its own
            found = ev.pairs(own.mae, "dkd", name, teachers={ev.top(own.mae)})
            rows.append(compare(own, BEATS, f"{name} - dkd", [(other, dkd) for dkd, other in found]))
        rows += [_pairs(own, CHANGE, one, other) for one, other in changes]
        frames.append(frame(rows).assign(decoder=decoder))
    return pd.concat(frames, ignore_index=True).assign(simulated=bool(results.name))


def by_size(own: Evidence, compared) -> pd.DataFrame:
    """Pairs of strategies at the largest teacher by size: student, compared, a Row's effect to reading."""
    rows = [
        compare(own, pair[0][1], f"{one} - {other}", [pair])
        for one, other in compared
        for pair in ev.pairs(own.mae, one, other, teachers={0, ev.top(own.mae)})
    ]
    return frame(rows, "student").drop(columns="n")


def frame(rows: list[Row], control="control", compared="compared", n="n") -> pd.DataFrame:
    """One line a Row with its reading; control, compared and n under these names."""
    names = [control, compared, n, *Row._fields[3:], "reading"]
    return pd.DataFrame([(*row, row.reading) for row in rows], columns=names)


def compare(own: Evidence, question, compared: str, found: list[tuple]) -> Row:
    """Mean gap over those pairs of conditions that were both run; "not run" without any."""
    found = [pair for pair in found if all(key in own.mae.index for key in pair)]
    return Row(question, compared, len(found), *(ev.mean_gap(own, found) if found else ()))


def _pairs(own: Evidence, question: str, one: str, other: str, decoder: str = "") -> Row:
    """Strategies at the largest teacher, over all students that have both."""
    found = ev.pairs(own.mae, one, other, teachers={0, ev.top(own.mae)})
    return compare(own, question, f"{one} - {other}{decoder}", found)


def _leak(results: Results, recipe: str) -> list[Row]:
    """The shuffled split against the split by person, over the people whom the latter tests; 8 blocks.

    In the former, people are in training and test, and so are windows that overlap: both make a network
    look better than it is, and this control cannot distinguish the two."""
    main = tables.main_split(results.runs, recipe)
    chosen = (results.runs.recipe == recipe) & (results.runs.split == main)
    tested = results.people[results.people.run_id.isin(results.runs.run_id[chosen])]
    both = results.people.merge(tested[["dataset", "person"]].drop_duplicates())
    own, rows = _side_by_side(results, both), []
    for strategy in ("scratch", "soft"):
        keys = [k for k in own.mae.index if k[:4] == (recipe, "shuffled", strategy, 8)]
        found = [(k, (recipe, main, *k[2:])) for k in keys]
        rows.append(compare(own, LEAK, f"shuffled - person, {strategy}", found))
    return rows


def _recipes(results: Results, recipe: str) -> list[Row]:
    """The same networks under the other recipes; once, in the table of the first recipe."""
    others = [other for other in tables.recipes(results.runs) if other != recipe]
    if recipe != next(iter(tables.recipes(results.runs)), "") or not others:
        return []
    main = tables.main_split(results.runs, recipe)
    own, rows = _side_by_side(results, results.people), []
    for other, strategy in product(others, ("scratch", "soft", "dkd", "gaussian")):
        found = [((other, *k[1:]), k) for k in own.mae.index if k[:3] == (recipe, main, strategy)]
        rows.append(compare(own, "what a recipe is worth", f"{other} - {recipe}, {strategy}", found))
    return rows


def _decoders(results: Results, recipe: str) -> list[Row]:
    """Expectation and median over bins against argmax, networks of Table 2 and beyond (equal weights)."""
    mae = {name: tables.draws(results, name) for name in DECODERS}
    main = tables.main_split(results.runs, recipe)
    networks = [k for k in mae["argmax"].index if k[:2] == (recipe, main) and k[3]]
    keys = [k for k in networks if k[4] in (0, max(teacher for *_, teacher in networks))]
    rows = []
    for name in ("expectation", "median"):
        gap = (mae[name].loc[keys] - mae["argmax"].loc[keys]).to_numpy()
        effect = interval(gap.mean(axis=0)) if keys else ()
        rows.append(Row("decoding the same network", f"{name} - argmax", len(keys), *effect))
    return rows


def _side_by_side(results: Results, people: pd.DataFrame) -> Evidence:
    """All recipes and splits side by side (index KEY): MAEs over these people, seeds of all."""
    mae = tables.draws(results._replace(people=people))
    return Evidence(mae, ev.seed_variance(results).reindex(mae.index), pd.DataFrame(), ())


def by_relation(own: Evidence) -> pd.DataFrame:
    """Figure 1's students against the same network from scratch, by what their teacher is to them.

    Rows teacher ("smaller", "as large" or "larger" than the student), pairs, worse (in how many the student
    is the worse network), effect (mean difference in BPM) to reading as a Row's."""
    mae, rows, worse = own.mae[0], [], []
    both = [(k, ("scratch", k[1], 0)) for k in mae.index if k[0] == "soft"]
    both = [pair for pair in both if pair[1] in mae.index]
    for sign, name in ((-1, "smaller"), (0, "as large"), (1, "larger")):
        if found := [pair for pair in both if np.sign(pair[0][2] - pair[0][1]) == sign]:
            rows.append(compare(own, name, "scratch", found))
            worse.append(sum(mae[one] > mae[other] for one, other in found))
    table = frame(rows, "teacher", n="pairs").drop(columns="compared")
    table.insert(2, "worse", worse)
    return table


def teacher_strength(own: Evidence, taught_by: pd.Series) -> tuple[pd.DataFrame, dict]:
    """Soft students' MAE against their teacher's own, and a U-shape in it (Busbridge et al. 2025).

    taught_by: MAE of the networks that taught, those of seed 0, with the index of own.mae. Gives rows
    student, teacher, teacher_mae, mae; and slopes with intervals, BPM per BPM of the teacher, of "all"
    students, each on its own level, and of every student with four teachers: "line", and a parabola's at
    the "strongest" and the "weakest" teacher. In a U both a stronger and a weaker teacher than the best
    are worse: below 0 at the strongest, above 0 at the weakest. No slopes below four teachers."""
    rows = [
        (s, t, taught_by["scratch", t, 0], own.mae.loc[(k, s, t), 0])
        for k, s, t in own.mae.index
        if k == "soft" and s < t and ("scratch", t, 0) in taught_by
    ]
    frame = pd.DataFrame(rows, columns=["student", "teacher", "teacher_mae", "mae"])
    if frame.teacher.nunique() < 4:
        return frame, {}
    slopes = {"all": frame} | {student: rows for student, rows in frame.groupby("student") if len(rows) >= 4}
    for who, rows in slopes.items():
        keys = [("soft", r.student, r.teacher) for r in rows.itertuples()]
        x = rows.teacher_mae - rows.teacher_mae.min()
        (straight,), (line, bend) = (ev.slope_weights(x, rows.student, degree) for degree in (1, 2))
        found = {"line": straight, "strongest": line, "weakest": line + 2 * bend * x.max()}
        slopes[who] = {name: ev.weighted(own, keys, slope) for name, slope in found.items()}
    return frame, slopes


def strength_shape(slopes: dict) -> str:
    """One's slopes of `teacher_strength` in words."""
    ends = significant(*slopes["strongest"]), significant(*slopes["weakest"])
    return {
        (-1, 1): "a U: the best teacher lies between the strongest and the weakest",
        (1, -1): "an upside-down U: teachers between the strongest and the weakest are worst",
        (1, 1): "no U: stronger teachers are better throughout",
        (-1, -1): "no U: weaker teachers are better throughout",
    }.get(ends, "no significant U: the slope at one end or both is not distinguishable from 0")
