"""What a network sees: MAE against the receptive field at equal cost, against cost at equal field, and laws of both.

Students and teachers are texts here, blocks and design such as "1 d2.9.39", as `tables.load(folder, designs=True)`
gives them. Fields are in seconds and end with the window."""

import numpy as np
import pandas as pd

from ppglib import scaling
from ppglib.results import bootstrap, controls, laws
from ppglib.results import evidence as ev
from ppglib.results.controls import Row
from ppglib.results.evidence import Evidence
from ppglib.results.tables import BASELINES, Results, conditions
from ppglib.strategies import STRATEGIES
from ppglib.task import LENGTH, RATE

FULL = LENGTH / RATE  # seconds
AXES = {"field": 1.0, "blocks": 1.0, "parameters": laws.UNIT, "macs": 1e6}  # and the unit that a law counts in
CONSTANT = scaling.Form("c", ("c",), lambda x: [np.ones_like(x)], scaling.NONE)  # sees nothing
FORESEEN = ["strategy", "x", "law", "formula", "fitted", "foreseen"]


def networks(results: Results) -> pd.DataFrame:
    """One row a network that was trained, by its text: blocks, design, parameters, macs, field (s)."""
    rows = results.runs[~results.runs.strategy.isin(BASELINES)].drop_duplicates("student").set_index("student")
    rows = rows[["design", "parameters", "macs", "field"]].assign(blocks=ev.blocks(rows.index))
    return rows.assign(field=np.minimum(rows.field, LENGTH) / RATE)


def table(results: Results, decoder: str = "argmax") -> pd.DataFrame:
    """MAE with its interval of every network that has no teacher: strategy, network, and columns of `networks`."""
    rows = conditions(results, decoder).query("teacher == '0' and split == 'person' and student != '0'")
    rows = rows.join(networks(results), on="student").sort_values(["strategy", "blocks", "field", "parameters"])
    return rows.rename(columns={"student": "network"}).reset_index(drop=True)


def sizes(results: Results, paper: Results) -> pd.DataFrame:
    """`table` of the paper's sizes from scratch and by other labels, under the recipe of `results`."""
    (recipe,) = results.runs.recipe.unique()
    runs = paper.runs[(paper.runs.recipe == recipe) & paper.runs.teacher.isin([0])]
    runs = runs[runs.strategy.isin(results.runs.strategy) & ~runs.strategy.isin(BASELINES)]
    runs = runs.assign(student=runs.student.astype(str), teacher="0", design="")
    people = paper.people[paper.people.run_id.isin(runs.run_id)]
    return table(paper._replace(runs=runs, people=people))


def worth(results: Results, decoder: str = "argmax") -> pd.DataFrame:
    """What field, size and a teacher are worth, each with the other held: rows of `controls.Row`, below 0: better."""
    (recipe,) = results.runs.recipe.unique()
    own, known = ev.ours(results, recipe, decoder=decoder), networks(results)
    rows = _ends(own, known, "field, same parameters and MACs", ["parameters", "macs"], "field")
    rows += _ends(own, known, "parameters, same field", ["field"], "parameters")
    rows += [
        _slope(own, known, "per doubling of the field", ["parameters", "macs"], "field"),
        _slope(own, known, "per doubling of parameters", ["field"], "parameters"),
    ]
    return controls.frame(rows + _taught(own, known))


def _alone(own: Evidence, known: pd.DataFrame) -> pd.DataFrame:
    """Conditions without a teacher, with what is known of their networks."""
    index = own.mae.index.to_frame(index=False).query("teacher == '0'")
    return index.join(known, on="student")


def _ends(own: Evidence, known, question: str, same: list[str], changed: str) -> list[Row]:
    """From the least to the most of what changes, where the rest is the same, mean over strategies."""
    rows = []
    for held, group in _alone(own, known).groupby(same):
        least, most = group[changed].min(), group[changed].max()
        ends = [group[group[changed] == end].set_index("strategy").student for end in (most, least)]
        found = [
            ((name, high, "0"), (name, ends[1][name], "0"))
            for name, high in ends[0].items()
            if name in ends[1] and least < most and isinstance(ends[1][name], str)
        ]
        if found:
            what = f"{held[0]:,.2g} s" if changed == "parameters" else f"{held[0]:,.0f} parameters"
            spelled = " from {:,.3g} to {:,.3g}".format(least, most)
            rows.append(controls.compare(own, question, f"{what}: {changed}{spelled}", found))
    return rows


def _slope(own: Evidence, known, question: str, same: list[str], changed: str) -> Row:
    """BPM for twice as much of what changes, every strategy and rest on its own level (`ev.slope_weights`)."""
    rows = _alone(own, known)
    groups = rows.groupby(["strategy", *same])
    rows = rows[groups[changed].transform("nunique") > 1]
    name = f"{changed} at the same {' and '.join(same)}"
    if rows.empty:
        return Row(question, name, 0)
    group = rows.groupby(["strategy", *same]).ngroup()
    weight = ev.slope_weights(np.log2(rows[changed]), group, 1)[0]
    keys = list(rows[ev.LEVELS].itertuples(index=False, name=None))
    return Row(question, name, len(rows), *ev.weighted(own, keys, weight))


def _taught(own: Evidence, known: pd.DataFrame) -> list[Row]:
    """Every strategy and teacher against scratch and against the Gaussian, over students that see the window."""
    seeing, rows = set(known.index[known.field >= FULL]), []
    index = [key for key in own.mae.index if key[1] in seeing and key[2] != "0" and key[1] != key[2]]
    for other in ("scratch", "gaussian"):
        for teacher in sorted({key[2] for key in index}):
            for name in STRATEGIES:
                found = [(key, (other, key[1], "0")) for key in index if (key[0], key[2]) == (name, teacher)]
                if found:
                    what = f"{name} by {teacher} - {other}"
                    rows.append(controls.compare(own, "a teacher, where the student sees the window", what, found))
    return rows


def permuted(results: Results) -> pd.DataFrame:
    """What another order of the pieces of each test window does (BPM): effect, low, high; a row a network and length.

    seconds: of a piece. A network that sees far less than a piece has only the seams to notice."""
    rows, known = [], networks(results)
    for seconds, people in results.permuted.groupby("seconds"):
        runs = results.runs[results.runs.run_id.isin(people.run_id) & (results.runs.teacher == "0")]
        runs = runs[~runs.strategy.isin(BASELINES) & (runs.split == "person")]
        pieces, whole = (bootstrap.draws(runs, own[own.run_id.isin(runs.run_id)]) for own in (people, results.people))
        for key, gap in (pieces - whole).iterrows():
            rows.append((key[2], key[3], seconds, *bootstrap.interval(gap.to_numpy())))
    columns = ["strategy", "network", "seconds", "effect", "low", "high"]
    found = pd.DataFrame(rows, columns=columns).join(known, on="network")
    return found.sort_values(["strategy", "blocks", "field", "parameters", "seconds"], ignore_index=True)


def foresight(results: Results, paper: Results) -> pd.DataFrame:
    """Laws fitted on the paper's networks alone, and how far they miss all others: error and bias (BPM).

    paper: the same recipe and recordings, the paper's sizes. error: mean of |predicted - observed|; bias: mean
    of predicted - observed; both with intervals over people, fit and observation from the same draw."""
    rows, (recipe,) = [], results.runs.recipe.unique()
    for strategy in [name for name, row in STRATEGIES.items() if not row.teacher]:
        chosen = "recipe == @recipe and split == 'person' and strategy == @strategy"
        theirs, ours = paper.runs.query(chosen), results.runs.query(chosen + " and design != ''")
        people = pd.concat([paper.people, results.people])
        if not len(ours) or not len(theirs):
            continue
        theirs = theirs.assign(student=theirs.student.astype(str), teacher="0", design="")
        runs = pd.concat([theirs, ours.assign(teacher="0")])
        mae = bootstrap.draws(runs, people[people.run_id.isin(runs.run_id)])
        known = networks(results._replace(runs=runs)).loc[mae.index.get_level_values("student")]
        y, fitted = mae.to_numpy(), (known.design == "").to_numpy()
        for axis, unit in AXES.items():
            x = known[axis].to_numpy(float) / unit
            for law, form in scaling.FORMS.items():
                rows.append((strategy, axis, law, form.text, *_missed(form, x, y, fitted)))
        rows.append((strategy, "", "constant", CONSTANT.text, *_missed(CONSTANT, x, y, fitted)))
    ends = [name + end for name in ("error", "bias") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=[*FORESEEN, *ends])


def _missed(form: scaling.Form, x, y, fitted) -> tuple:
    """Points fitted and foreseen; the mean error and bias of those foreseen, each with low and high."""
    values = scaling.fit_draws(form, x[fitted], y[fitted], laws.weights(y[fitted]))
    gap = scaling.predict(form, values, x[~fitted]) - y[~fitted]
    return fitted.sum(), (~fitted).sum(), *bootstrap.interval(abs(gap).mean(0)), *bootstrap.interval(gap.mean(0))
