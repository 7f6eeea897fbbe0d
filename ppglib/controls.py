"""Controls that the paper lacks: what else could make a student better than one from scratch."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ppglib import evidence as ev
from ppglib import scaling, tables
from ppglib.evidence import Evidence
from ppglib.intervals import interval
from ppglib.tables import Results

BEATS, APART = "does anything beat DKD?", "and each change alone"
BY_MEDIAN = "gain over scratch, both read by the median"
WITHOUT = ("is DKD more than 8 x soft?", "does it take a teacher?")


class Row(NamedTuple):
    """effect in BPM with its 95 % interval over people: below 0, the first of the two has the lower MAE."""

    control: str
    compared: str
    n: int  # pairs of networks compared
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    seed_sd: float = np.nan

    @property
    def reading(self) -> str:
        if np.isnan(self.effect):
            return "not run"
        return "better" if self.high < 0 else "worse" if self.low > 0 else "not told apart"


def table(results: Results, recipe: str) -> pd.DataFrame:
    """All controls of one recipe: control, compared, n, effect, low, high, seed_sd, reading, simulated."""
    own = ev.ours(results, recipe)
    rows = [
        _pairs(own, WITHOUT[0], "dkd", "soft8"),
        _pairs(own, WITHOUT[1], "soft", "gaussian"),
        _pairs(own, WITHOUT[1], "dkd", "gaussian"),
    ]
    gains = ("hard", "soft", "feature", "dkd", "soft8", "soft_t1", "gaussian")
    rows += [_pairs(own, "gain over scratch", name, "scratch") for name in gains]
    median = ev.ours(results, recipe, decoder="median")
    rows += [_pairs(median, BY_MEDIAN, name, "scratch", ", median") for name in ("soft", "dkd", "gaussian")]
    rivals = ("scratch", "gaussian", "hard", "soft", "soft_t1", "feature", *tables.BEYOND)
    rows += [_against_dkd(own, name) for name in rivals]
    changes = (("soft_oof", "soft"), ("dense_scratch", "scratch"), ("dense_soft", "dense_scratch"))
    rows += [_pairs(own, APART, one, other) for one, other in changes]
    rows += _leak(results, recipe) + _recipes(results, recipe) + _decoders(results, recipe)
    frame = pd.DataFrame([row._asdict() | {"reading": row.reading} for row in rows])
    return frame.assign(simulated=bool(results.name))


def _pairs(own: Evidence, question: str, one: str, other: str, read: str = "") -> Row:
    """Strategies at the largest teacher, over all students that have both."""
    teachers = {0, ev.top(own.mae)}
    found = ev.pairs(own.mae, one, other, teachers=teachers)
    gap = ev.mean_gap(own, found) if found else ()
    return Row(question, f"{one} - {other}{read}", len(found), *gap)


def _against_dkd(own: Evidence, name: str) -> Row:
    """A strategy, with or without a teacher, against DKD at the largest teacher."""
    found = [(other, dkd) for dkd, other in ev.pairs(own.mae, "dkd", name, teachers={ev.top(own.mae)})]
    return Row(BEATS, f"{name} - dkd", len(found), *(ev.mean_gap(own, found) if found else ()))


def _leak(results: Results, recipe: str) -> list[Row]:
    """The shuffled split, where people are in training and test, against the split by person: 8 blocks.

    Over the people whom the split by person tests; the shuffled one tests everybody.
    """
    mae, rows = tables.draws(_tested_by_person(results, recipe)), []
    for strategy in ("scratch", "soft"):
        networks = [
            (8, t) for r, split, k, s, t in mae.index if (r, split, k, s) == (recipe, "shuffled", strategy, 8)
        ]
        keys = [((recipe, "shuffled", strategy, *n), (recipe, "person", strategy, *n)) for n in networks]
        rows.append(_mean(mae, keys, "shared people", f"shuffled - person, {strategy}"))
    return rows


def _tested_by_person(results: Results, recipe: str) -> Results:
    chosen = (results.runs.recipe == recipe) & (results.runs.split == "person")
    who = pd.MultiIndex.from_frame(results.people[["dataset", "person"]])
    tested = who[results.people.run_id.isin(results.runs.run_id[chosen])]
    return results._replace(people=results.people[who.isin(tested)])


def _recipes(results: Results, recipe: str) -> list[Row]:
    """The same networks under the other recipes; once, in the table of the first recipe."""
    mae, rows, (first, *others) = tables.draws(results), [], tables.recipes(results.runs)
    for other in others if recipe == first else []:
        for strategy in ("scratch", "soft", "dkd", "gaussian"):
            keys = [k for k in mae.index if k[:3] == (recipe, "person", strategy)]
            found = [((other, *k[1:]), k) for k in keys]
            rows.append(_mean(mae, found, "what a recipe is worth", f"{other} - {recipe}, {strategy}"))
    return rows


def _decoders(results: Results, recipe: str) -> list[Row]:
    """Expectation and median over bins against argmax, networks of Table 2 and beyond (equal weights)."""
    mae = {name: tables.draws(results, name) for name in tables.DECODERS}
    index = mae["argmax"].index
    networks = [k for k in index if k[:2] == (recipe, "person") and k[3]]
    keys = [k for k in networks if k[4] in (0, max(teacher for *_, teacher in networks))]
    rows = []
    for name in ("expectation", "median"):
        gap = (mae[name].loc[keys] - mae["argmax"].loc[keys]).to_numpy().mean(axis=0)
        rows.append(
            Row("reading the same network", f"{name} - argmax", len(keys), *map(float, interval(gap)))
        )
    return rows


def _mean(mae: pd.DataFrame, keys: list[tuple], question: str, compared: str) -> Row:
    """Mean gap over pairs of full keys that were both run."""
    found = [(a, b) for a, b in keys if a in mae.index and b in mae.index]
    if not found:
        return Row(question, compared, 0)
    gap = np.mean([mae.loc[a].to_numpy() - mae.loc[b].to_numpy() for a, b in found], axis=0)
    return Row(question, compared, len(found), *map(float, interval(gap)))


def teacher_strength(own: Evidence) -> tuple[pd.DataFrame, dict]:
    """Soft students' MAE against their teacher's own MAE, and a U-shape in it (Busbridge et al. 2025).

    (rows student, teacher, teacher_mae, mae; and per degree of a polynomial in the teacher's MAE, every
    student on its own level, the slope at the strongest teacher with its interval). A teacher that
    is too strong shows as a negative slope of the parabola there: a weaker one would be better.
    """
    rows = [
        (s, t, own.mae.loc[("scratch", t, 0), 0], own.mae.loc[(k, s, t), 0])
        for k, s, t in own.mae.index
        if k == "soft" and s < t and ("scratch", t, 0) in own.mae.index
    ]
    frame = pd.DataFrame(rows, columns=["student", "teacher", "teacher_mae", "mae"])
    if frame.teacher.nunique() < 4:
        return frame, {}
    y = own.mae.loc[[("soft", r.student, r.teacher) for r in frame.itertuples()]].to_numpy()
    x, strongest = frame.teacher_mae - frame.teacher_mae.min(), {}
    for degree in (1, 2):
        strongest[degree] = tuple(map(float, interval(scaling.slopes(x, y, frame.student, degree)[0])))
    return frame, strongest
