"""What a network sees: MAE against the receptive field at equal cost, against cost at equal field, and laws of both.

Students and teachers are texts here, blocks and design such as "1 d2.9.39", as `tables.load(folder, designs=True)`
gives them. Fields are in seconds and end with the window."""

import numpy as np
import pandas as pd

from ppglib import scaling
from ppglib.files import InputError
from ppglib.results import bootstrap, controls, laws
from ppglib.results import evidence as ev
from ppglib.results.controls import Row
from ppglib.results.evidence import Evidence
from ppglib.results.outcome import NO, PER_DOUBLING, YES, Outcome, cannot, finding, significant
from ppglib.results.tables import BASELINES, Results, conditions, judged, tested
from ppglib.strategies import STRATEGIES
from ppglib.task import LENGTH, RATE

FULL = LENGTH / RATE  # seconds
CONSTANT = scaling.Form("c", ("c",), lambda x: [np.ones_like(x)], scaling.NONE)  # sees nothing
FORESEEN = ["strategy", "x", "law", "formula", "fitted", "foreseen"]


def _recipe(results: Results) -> str:
    """The one recipe of a study of designs; InputError for another folder."""
    recipes = results.runs.recipe.unique()
    if len(recipes) != 1 or not {"design", "macs", "field"} <= {*results.runs}:
        raise InputError(f"These are no results of one study of designs (recipes {', '.join(recipes)}): name others.")
    return recipes[0]


def networks(results: Results) -> pd.DataFrame:
    """One row a network that was trained, by its text: blocks, design, parameters, macs, field (s)."""
    rows = results.runs[~results.runs.strategy.isin(BASELINES)].drop_duplicates("student").set_index("student")
    rows = rows[["design", "parameters", "macs", "field"]].assign(blocks=ev.blocks(rows.index))
    return rows.assign(field=np.minimum(rows.field, LENGTH) / RATE)


def every(results: Results) -> pd.DataFrame:
    """MAE with its interval of every network: strategy, network, teacher, and columns of `networks`."""
    rows = judged(conditions(results).query("student != '0'")).assign(tested=lambda rows: rows.people)
    rows = rows.join(networks(results), on="student").sort_values(["strategy", "blocks", "field", "parameters"])
    return rows.rename(columns={"student": "network"}).reset_index(drop=True)


def table(results: Results) -> pd.DataFrame:
    """`every` network that has no teacher."""
    return every(results).query("teacher == '0'").reset_index(drop=True)


def sizes(results: Results, paper: Results, more: tuple[str, ...] = ()) -> pd.DataFrame:
    """`every` of the paper's sizes under the recipe and the strategies of `results`, without a teacher.

    more: strategies that are shown besides, by the largest teacher."""
    runs = paper.runs[paper.runs.recipe == _recipe(results)]
    alone = (runs.teacher == 0) & runs.strategy.isin(results.runs.strategy) & ~runs.strategy.isin(BASELINES)
    runs = runs[alone | ((runs.teacher == runs.teacher.max()) & runs.strategy.isin(more))]
    runs = runs.assign(student=runs.student.astype(str), teacher=runs.teacher.astype(str), design="")
    return every(paper._replace(runs=runs, people=paper.people[paper.people.run_id.isin(runs.run_id)]))


def worth(results: Results) -> pd.DataFrame:
    """What field, size and a teacher are worth, each with the other held: rows of `controls.Row`, below 0: better."""
    own, known = ev.ours(results, _recipe(results)), networks(results)
    rows = _ends(own, known, "field, same parameters and MACs", ["parameters", "macs"], "field")
    rows += _ends(own, known, "parameters, same field", ["field"], "parameters")
    rows += [
        _slope(own, known, "per doubling of the field", ["parameters", "macs"], "field"),
        _slope(own, known, "per doubling of parameters", ["field"], "parameters"),
    ]
    return controls.frame(rows + _taught(own, known)).assign(tested=tested(results, _recipe(results)))


def _alone(own: Evidence, known: pd.DataFrame) -> pd.DataFrame:
    """Conditions without a teacher, with what is known of their networks.

    Without those in pieces, which lose the whole at the seams besides: they would hide what parameters are worth."""
    index = own.mae.index.to_frame(index=False).query("teacher == '0'").join(known, on="student")
    return index[~index.design.str.contains(r"\bp\d")]


def _ends(own: Evidence, known, question: str, same: list[str], changed: str) -> list[Row]:
    """From the least to the most of what changes, where the rest is the same: mean over strategies that have both."""
    found = {}
    for (_, *held), group in _alone(own, known).groupby(["strategy", *same]):
        group = group.sort_values([changed, "design"])  # of networks that are alike, the one nearest to the paper's
        least, most = group.iloc[0], group[group[changed] == group[changed].max()].iloc[0]
        if least[changed] < most[changed]:
            what = f"{held[0]:,.2g} s" if changed == "parameters" else f"{held[0]:,.0f} parameters"
            low, high = (f"{end[changed]:,.{0 if changed == 'parameters' else 2}f}" for end in (least, most))
            compared = f"{what}: {changed} from {low} to {high}"
            pair = tuple((end.strategy, end.student, "0") for end in (most, least))
            found.setdefault(compared, []).append(pair)
    return [controls.compare(own, question, compared, pairs) for compared, pairs in found.items()]


def _slope(own: Evidence, known, question: str, same: list[str], changed: str) -> Row:
    """BPM for twice as much of what changes: effect, low, high, seed_sd."""
    keys, weight = slope_weights(_alone(own, known), same, changed)
    name = f"{changed} at the same {' and '.join(same)}"
    return Row(question, name, len(keys), *(ev.weighted(own, keys, weight) if keys else ()))


def slope_weights(rows: pd.DataFrame, same: list[str], changed: str) -> tuple[list, np.ndarray]:
    """Conditions and their weights in the slope over log2 of what changes, each strategy and rest on its own level.

    rows: conditions, with what is known of their networks."""
    rows = rows[rows.groupby(["strategy", *same])[changed].transform("nunique") > 1]
    if rows.empty:
        return [], np.empty(0)
    group = rows.groupby(["strategy", *same]).ngroup()
    weight = ev.slope_weights(np.log2(rows[changed]), group, 1)[0]
    return list(rows[ev.LEVELS].itertuples(index=False, name=None)), weight


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
        runs = judged(runs[~runs.strategy.isin(BASELINES)])
        pieces, whole = (bootstrap.draws(runs, own[own.run_id.isin(runs.run_id)]) for own in (people, results.people))
        for key, gap in (pieces - whole).iterrows():
            rows.append((key[2], key[3], seconds, *bootstrap.interval(gap.to_numpy())))
    columns = ["strategy", "network", "seconds", "effect", "low", "high"]
    found = pd.DataFrame(rows, columns=columns).join(known, on="network")
    found = found.assign(tested=tested(results, _recipe(results)))
    return found.sort_values(["strategy", "blocks", "field", "parameters", "seconds"], ignore_index=True)


def foresight(results: Results, paper: Results) -> pd.DataFrame:
    """Laws fitted on the paper's networks alone, and how far they miss all others: error and bias (BPM).

    paper: the same recipe and recordings, the paper's sizes. error: mean of |predicted - observed|; bias: mean
    of predicted - observed; both with intervals over people, fit and observation from the same draw."""
    rows = []
    for strategy, known, y, fitted in _to_foresee(results, paper):
        laws_tried = [(axis, law, form) for axis in laws.AXES for law, form in scaling.FORMS.items()]
        for axis, law, form in [*laws_tried, ("", "constant", CONSTANT)]:
            gap = missed(form, known, axis, y, fitted)[~fitted]
            ends = *bootstrap.interval(abs(gap).mean(0)), *bootstrap.interval(gap.mean(0))
            rows.append((strategy, axis, law, form.text, fitted.sum(), (~fitted).sum(), *ends))
    ends = [name + end for name in ("error", "bias") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=[*FORESEEN, *ends]).assign(tested=tested(results, _recipe(results)))


def _to_foresee(results: Results, paper: Results):
    """For each strategy without a teacher that both have: its name, networks, MAE (n, draws), which are the paper's."""
    both = joined(results, paper)
    for strategy in [name for name, row in STRATEGIES.items() if not row.teacher]:
        runs = both.runs[both.runs.strategy == strategy]
        if (runs.design == "").nunique() == 2:
            mae = bootstrap.draws(runs, both.people[both.people.run_id.isin(runs.run_id)])
            known = networks(both._replace(runs=runs)).loc[mae.index.get_level_values("student")]
            yield strategy, known, mae.to_numpy(), (known.design == "").to_numpy()


def joined(results: Results, paper: Results) -> Results:
    """The paper's networks of `paper` and the others of `results` as one study: one recipe, split by person."""
    recipe = _recipe(results)  # noqa: F841 - in the query
    chosen = "recipe == @recipe and split == 'person' and strategy not in @BASELINES"
    theirs, ours = paper.runs.query(chosen), results.runs.query(chosen + " and design != ''")
    theirs = theirs.assign(student=theirs.student.astype(str), teacher=theirs.teacher.astype(str), design="")
    runs, people = pd.concat([theirs, ours]), pd.concat([paper.people, results.people])
    return results._replace(runs=runs, people=people[people.run_id.isin(runs.run_id)])


def missed(form: scaling.Form, known: pd.DataFrame, axis: str, y, fitted) -> np.ndarray:
    """Predicted minus observed (BPM), (networks, draws), of a law that was fitted to some of the networks alone."""
    x = known[axis].to_numpy(float) / laws.AXES[axis] if axis else np.ones(len(known))
    values = scaling.fit_draws(form, x[fitted], y[fitted], laws.weights(y[fitted]))
    return scaling.predict(form, values, x) - y


def claims(results: Results, paper: Results) -> pd.DataFrame:
    """What this project says itself, with verdicts: id, claim, an Outcome's columns, simulated."""
    own, known = ev.ours(results, _recipe(results)), networks(results)
    rows = [("F1", "At the same parameters and arithmetic, a network that sees more errs less.", _sees(own, known))]
    rows.append(("F2", "Twice the field is worth more than twice the parameters at the same field.", _dearer(own, known)))
    what = "A law in the field, fitted to the paper's sizes, foresees other designs better than the paper's law in blocks."
    rows.append(("F3", what, _foresees(results, paper)))
    for number, name in (("F4", "soft"), ("F5", "dkd")):
        what = f"A network that sees the whole window is better taught ({name}) than by Gaussian labels without a teacher."
        rows.append((number, what, _gains(own, known, name)))
    table = pd.DataFrame([(*row[:2], *row[2]) for row in rows], columns=["id", "claim", *Outcome._fields])
    return table.assign(tested=tested(results, _recipe(results)), simulated=bool(results.name))


def _verdict(effect: tuple, why: str, unit: str = "BPM") -> Outcome:
    """Reproduced where the effect is significantly below 0."""
    return Outcome(YES if significant(*effect) < 0 else NO, f"{why} {finding(*effect, unit=unit)}.", *effect)


def _sees(own: Evidence, known) -> Outcome:
    keys, weight = slope_weights(_alone(own, known), ["parameters", "macs"], "field")
    if not keys:
        return cannot("No two networks of the same parameters and arithmetic see more and less.")
    why = f"Over {len(keys)} networks: per doubling of the field"
    return _verdict(ev.weighted(own, keys, weight), why, PER_DOUBLING)


def _dearer(own: Evidence, known) -> Outcome:
    rows, ways = _alone(own, known), ((["parameters", "macs"], "field"), (["field"], "parameters"))
    (seeing, field), (larger, size) = (slope_weights(rows, *way) for way in ways)
    if not seeing or not larger:
        return cannot("Networks of the same field and other parameters, or the other way round, are missing.")
    effect = ev.weighted(own, seeing + larger, np.concatenate([field, -size]))
    return _verdict(effect, "Per doubling, field minus parameters:", PER_DOUBLING)


def _foresees(results: Results, paper: Results) -> Outcome:
    gaps = [
        abs(missed(scaling.FORMS[law], known, axis, y, fitted)[~fitted])
        for _, known, y, fitted in _to_foresee(results, paper)
        for axis, law in (("field", "power"), ("blocks", "exponential"))
    ]
    if not gaps:
        return cannot("There are no designs, or none of the paper's sizes under the same recipe.")
    better = np.concatenate(gaps[::2]).mean(0) - np.concatenate(gaps[1::2]).mean(0)
    why = f"Mean error over {sum(map(len, gaps[::2]))} networks, power law in the field minus exponential in blocks:"
    return _verdict((*bootstrap.interval(better), np.nan), why)


def _gains(own: Evidence, known, strategy: str) -> Outcome:
    seeing = set(known.index[known.field >= FULL])
    found = [(key, ("gaussian", key[1], "0")) for key in own.mae.index if key[0] == strategy and key[1] in seeing]
    found = [pair for pair in found if pair[1] in own.mae.index and pair[0][1] != pair[0][2]]
    if not found:
        return cannot(f"No student that sees the whole window was taught by {strategy}.")
    return _verdict(ev.mean_gap(own, found), f"Mean over {len(found)} pairs of student and teacher:")
