"""The tables as people read them: a function a table, over all recipes, captioned by its docstring."""

import html
import textwrap
from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib import files, scaling
from ppglib.results import across, claims, controls, evidence, fields, laws, outcome, tables
from ppglib.results.bootstrap import KEY
from ppglib.results.outcome import effect_text
from ppglib.results.tables import Paper, Results
from ppglib.strategies import STRATEGIES
from ppglib.task import DECODERS

WIDTH = 105  # characters of a line of text
LAW = f"MAE = {scaling.FORMS['exponential'].text} in the student's blocks x"
LAWS = {"n": "points", "x": "size in", "r2": "R2", "aicc": "AICc"}  # names of columns as people read them
LIMITS = {name: ["low", "high"] for name in ("mae", "ours", "predicted")} | {"effect": ["low", "high", "seed_sd"]}
FAMILY_COLUMNS = ["argmax", "median", "online", "smooth"]
SIGNED = ("effect", "gap", "difference", "line", "strongest", "weakest")  # differences and slopes


class Table(pd.DataFrame):
    """A tidy frame that is saved, with its caption and with what people are shown of it, as text.

    Anything that is computed from it is a plain DataFrame again."""

    _metadata = ["caption", "shown"]

    def save(self, out: str | Path, name: str) -> "Table":
        """Write `out`/tables/NAME.csv, numbers to six significant digits; returns itself, to be shown."""
        files.write_table(Path(out) / "tables" / f"{name}.csv", self)
        return self

    def markdown(self) -> str:
        """The caption and the shown frame as a Markdown table."""
        rows = [self.shown.columns, ["---"] * len(self.shown.columns), *self.shown.itertuples(index=False)]
        lines = ["| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |" for row in rows]
        return "\n".join([self.caption, "", *lines * bool(len(self.shown))]).rstrip() + "\n"

    def __repr__(self) -> str:
        text = caption = textwrap.fill(self.caption, WIDTH)
        for width in (60, 36, 24) if len(self.shown) else ():  # of a cell, until the table fits
            rows = [[textwrap.wrap(c, width) for c in row] for row in self.shown.itertuples(index=False)]
            lines = [line for row in rows for line in zip_longest(*row, fillvalue="")]
            frame = pd.DataFrame(lines, columns=self.shown.columns)
            frame = frame.apply(lambda column: column.str.ljust(column.str.len().max()))
            text = frame.to_string(index=False, line_width=WIDTH, justify="left", max_colwidth=width)
            text = f"{caption}\n{text}"
            if "\\\n" not in text:
                break
        return text

    def _repr_html_(self) -> str:
        caption = html.escape(self.caption, quote=False)
        caption = f'<caption style="text-align: left; caption-side: top">{caption}</caption>'
        with pd.option_context("display.max_colwidth", None):
            page = self.shown.to_html(index=False, border=0)
        page = page if len(self.shown) else "<table><thead></thead></table>"
        return page.replace("<thead>", f"{caption}\n  <thead>", 1)


def captioned(data: pd.DataFrame, caption: str, columns: str | pd.DataFrame = "", **names: str) -> Table:
    """A Table that shows these columns of the data (by default all), or another frame, as `worded`.

    A first column that repeats itself is left empty there; names: of columns as people read them."""
    table, other = Table(data), isinstance(columns, pd.DataFrame)
    text = worded(columns if other else data).reset_index(drop=True)
    text = text if other or not columns else text[columns.split()]
    text = text.rename(columns=names).rename(columns=lambda name: str(name).replace("_", " "))
    if text.shape[1] > 1:
        text.isetitem(0, text.iloc[:, 0].where(text.iloc[:, 0] != text.iloc[:, 0].shift(), ""))
    table.caption, table.shown = " ".join([*caption.split(), *(f"{people}." for people in outcome.told(data))]), text
    return table


def worded(data: pd.DataFrame) -> pd.DataFrame:
    """The data as texts: floats to two decimals, yes and no, nothing for what is missing.

    A number takes its interval, the one that decides where seed_sd is known, or its standard error to
    itself: the columns of LIMITS, or those of its own name and _low, _high, _seed_sd or _se."""
    text, used = data.map(_cell).astype(object), ["simulated", "tested"]
    for name in data:
        own = LIMITS.get(name) or [f"{name}_{end}" for end in ("low", "high", "seed_sd")]
        own = [other for other in own if other in data] if {*own[:2]} <= {*data} else []
        if own or (name in SIGNED and data[name].dtype == float):
            form, rows = "+.2f" if name in SIGNED else ".2f", data[[name, *own]].astype(float).to_numpy()
            told = (effect_text(*(row if own else [*row, np.nan, np.nan]), form=form) for row in rows)
            text[name] = pd.Series(told, data.index, dtype=object).where(data[name].notna(), "")
        elif (error := f"{name}_se") in data:
            text[name], own = (text[name] + " +- " + text[error]).where(data[name].notna(), ""), [error]
        used += own
    return text.drop(columns=used, errors="ignore")


def _cell(value) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.2f}"
    return {"True": "yes", "False": "no", "None": ""}.get(str(value), str(value))


def stacked(parts: dict[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """The parts one below the other, with their keys in a column `name` in front."""
    some = {key: part for key, part in parts.items() if len(part)} or dict([*parts.items()][:1])
    data = pd.concat([part.assign(**{name: key}) for key, part in some.items()], ignore_index=True)
    return data[[name, *data.columns.drop(name)]]


def by_recipe(results: Results, table: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """What `table` gives for each recipe, one below the other, with `recipe` in front, `tested` and `simulated`.

    tested: test people behind a row, where the table does not say it itself; not shown, but in the title."""
    parts = {name: table(name) for name in tables.recipes(results.runs) or [""]}
    data = stacked(parts, "recipe").assign(simulated=bool(results.name))
    known = data.get("tested", data.recipe.map({name: tables.tested(results, name) for name in parts}))
    return data.assign(tested=known.astype(int))


def by_evidence(results: Results, table: Callable) -> pd.DataFrame:
    """`by_recipe` of what `table` gives for the evidence of each."""
    return by_recipe(results, lambda recipe: table(evidence.ours(results, recipe)))


def crossed(data: pd.DataFrame, value: str, rows: str, columns: str) -> pd.DataFrame:
    """A grid of `value` as text, rows in the order of the data; a star where a reading is significant."""
    star = np.where(data.reading.isin(["better", "worse"]), " *", "") if "reading" in data else ""
    grid, rows = data.assign(text=worded(data)[value] + star), rows.split()
    grid = grid.pivot(index=rows, columns=columns, values="text").fillna("").reset_index()
    return data[rows].drop_duplicates().merge(grid, on=rows)


def receptive_field(results: Results) -> Table:
    """MAE (BPM) with its 95 % interval, and what each network sees (s) and costs. Design: see data/README.md."""
    data = fields.table(results).assign(mmacs=lambda rows: rows.macs / 1e6)
    shown = data.assign(parameters=data.parameters.astype(int))
    names = ["strategy", "blocks", "design", "field", "parameters", "mmacs", "mae", "low", "high"]
    return captioned(data, receptive_field.__doc__, shown[names], field="field (s)")


def front(table: pd.DataFrame) -> Table:
    """MAE (BPM) against cost: networks that see the whole window, chosen on the tuning people and tested on the folds,
    and the paper's sizes. Teacher: blocks."""
    data = table.assign(mmacs=table.macs / 1e6, teacher=table.teacher.replace("0", ""))
    shown = data.assign(parameters=data.parameters.astype(int), mmacs=data.mmacs.map("{:.2g}".format))
    shown = shown.sort_values(["kind", "strategy", "macs"], kind="stable")
    names = ["kind", "strategy", "teacher", "network", "mmacs", "parameters", "mae", "low", "high"]
    return captioned(data, front.__doc__, shown[names])


def family(data: pd.DataFrame) -> Table:
    """The family on the people of the two folds: MAE (BPM) of the argmax and of the median, each window alone, and of
    the median tracked online and smoothed; below it the power spectrum, tracked alike."""
    rows = data[(data.split == "person") & (data.dataset == "")]
    column = rows.track.mask(rows.track == "none", rows.decoder)
    shown = rows.assign(column=column, text=worded(rows).mae)[(rows.track == "none") | (rows.decoder == "median")]
    shown = shown.assign(mmacs=(shown.macs / 1e6).map("{:.2g}".format), parameters=shown.parameters.map("{:.0f}".format))
    grid = shown.pivot(index=["name", "mmacs", "parameters"], columns="column", values="text").reset_index()
    grid = shown[["name"]].drop_duplicates().merge(grid)[["name", "mmacs", "parameters", *FAMILY_COLUMNS]]
    return captioned(data, family.__doc__, grid.replace("nan", ""), median="median of each window")


def family_sets(data: pd.DataFrame, authors: dict) -> Table:
    """The family over all people, each tested once by five folds: MAE (BPM) of the median of each window, by set.
    The people on whom the designs were chosen are among them. Last, what the authors of BAMI-2 estimate on its test
    windows, from acceleration too and over several windows."""
    rows = data[(data.split == "fifths") & (data.decoder == "median") & (data.track == "none")]
    own = rows.assign(text=worded(rows).mae, set=rows.dataset.replace("", "all") + " (" + rows.people.astype(str) + ")")
    grid = own[["name"]].drop_duplicates().merge(own.pivot(index="name", columns="set", values="text").reset_index())
    theirs = pd.DataFrame([authors]).assign(name="authors", dataset="bami2", split="fifths")
    place = next(iter(own.set[own.dataset == "bami2"]), "bami2")
    last = {"name": "authors of BAMI-2", place: worded(theirs).mae.iloc[0]}
    grid = pd.concat([grid, pd.DataFrame([last])], ignore_index=True).fillna("")
    return captioned(pd.concat([rows, theirs], ignore_index=True), family_sets.__doc__, grid)


def recipe_check(folder: Path) -> Table:
    """MAE (BPM) of two networks of the same cost at every rate and dropout tried, on people whom neither fold tests:
    does the recipe favour one by what it sees?"""
    data = pd.read_csv(folder / "tuning.csv", converters={"design": str})
    grid = data.assign(network=(data.student.astype(str) + " " + data.design).str.strip())
    grid = grid.assign(text=worded(grid).mae + np.where(grid.chosen, " (best)", ""), rate=grid.rate.astype(str))
    grid = grid.pivot(index=["rate", "dropout"], columns="network", values="text").reset_index()
    return captioned(data, recipe_check.__doc__, grid)


def permuted(results: Results) -> Table:
    """What another order of the pieces of each test window does to the MAE (BPM), by the length of the pieces (s).
    A star: the 95 % interval excludes 0."""
    data = fields.permuted(results).assign(design=lambda rows: rows.network.str.partition(" ")[2])
    shown = data.drop(columns=["low", "high"]).assign(reading=np.where(data.low * data.high > 0, "worse", ""))
    grid = crossed(shown, "effect", "strategy blocks design field", "seconds")
    return captioned(data, permuted.__doc__, grid, field="field (s)")


def field_claims(results: Results, paper: Results) -> Table:
    """What this project says itself of the field: verdicts by the rules of the paper's claims."""
    data = fields.claims(results, paper)
    words = {outcome.YES: "holds", outcome.NO: "does not hold"}
    shown = worded(data.replace({"verdict": words})).assign(claim=data.id + ". " + data.claim)
    return captioned(data, field_claims.__doc__, shown[["claim", "verdict", "effect", "why"]], why="reason")


def worth(results: Results) -> Table:
    """What the field, the size and a teacher are worth (BPM; below 0: better), each with the others held."""
    return captioned(fields.worth(results), worth.__doc__, control="what")


def foresight(table: pd.DataFrame) -> Table:
    """Laws fitted to the paper's networks alone, and how far they miss all others (BPM). Bias above 0: the law
    is too pessimistic."""
    return captioned(table, foresight.__doc__, "strategy x law fitted foreseen error bias", **LAWS)


def summary(results: Results) -> Table:
    """What was run on whom: a row a recipe."""
    tested = tables.judged(tables.conditions(results)).groupby("recipe")
    networks = results.runs[results.runs.student > 0].groupby("recipe")
    rows = networks.agg(networks=("run_id", "size"), seeds=("seed", "nunique"))
    rows = rows.join(tested[["people", "windows"]].max().add_prefix("test "))
    whose, sets = results.name or "real recordings", sorted(results.people.dataset.unique())
    rows = rows.loc[tables.recipes(results.runs)].reset_index()
    others = [name for name in rows.recipe if not tables.main_split(results.runs, name)]
    why = f" Nothing is said of {', '.join(others)}: no one split tests networks on people whom they have not seen."
    return captioned(rows, f"{whose.capitalize()} of {', '.join(sets)}.{why * bool(others)}")


def figure1(results: Results) -> Table:
    """MAE (BPM): student blocks down, teacher blocks across, soft distillation; means over seeds."""
    data = by_recipe(results, partial(tables.figure1, tables.conditions(results)))
    grid = crossed(data.drop(columns=["low", "high"]), "mae", "recipe student", "teacher")
    return captioned(data, figure1.__doc__, grid.rename(columns={0: "scratch"}))


def by_relation(results: Results) -> Table:
    """Soft - scratch by the teacher's size relative to the student's: pairs, how many are worse, and the mean
    difference of MAE (BPM; above 0: the teacher does harm)."""
    return captioned(by_evidence(results, controls.by_relation), by_relation.__doc__)


def teacher_strength(results: Results) -> Table:
    """Slope of soft students' MAE over their teacher's, BPM per BPM, each student on its own level: of
    a line, and of a parabola at the strongest and at the weakest teacher; needs four teachers. A U (Busbridge
    et al. 2025) falls at the strongest and rises at the weakest."""
    slopes, first = ("line", "strongest", "weakest"), tables.first_seed(results)
    ends = [slope + end for slope in slopes for end in ("", "_low", "_high", "_seed_sd")]

    def table(recipe):
        taught_by = evidence.ours(first, recipe).mae[0]
        found = controls.teacher_strength(evidence.ours(results, recipe), taught_by)[1].items()
        rows = [(who, *sum((s[k] for k in slopes), ()), controls.strength_shape(s)) for who, s in found]
        return pd.DataFrame(rows, columns=["students", *ends, "shape"])

    return captioned(by_recipe(results, table), teacher_strength.__doc__)


def verdicts(judged: dict[str, pd.DataFrame], notebook: str = "") -> Table:
    """Each claim, its verdict, the effect that was measured, and the reason."""
    data = stacked(judged, "judged on")
    data = data[data.notebook.str.contains(notebook)].sort_values("id", kind="stable")
    shown = _judged(data)[["claim", "judged on", "verdict", "effect", "why"]]
    return captioned(data, verdicts.__doc__, shown, why="reason")


def _judged(data: pd.DataFrame) -> pd.DataFrame:
    text = worded(data)
    effect = [f"{effect} {unit}" if effect else "" for effect, unit in zip(text.effect, text.unit)]
    return text.assign(claim=text.id + ". " + text.claim, verdict=verdict_text(data), effect=effect)


def verdict_text(table: pd.DataFrame) -> list[str]:
    """ "not reproduced (reversed)" of each claim."""
    return [f"{row.verdict} ({row.how})" if row.how else row.verdict for row in table.itertuples()]


def overview(judged: dict[str, pd.DataFrame]) -> Table:
    """The paper's claims and their verdicts."""
    text = {name: _judged(table) for name, table in judged.items()}
    data = pd.DataFrame({name: table.verdict for name, table in text.items()})
    data.insert(0, "claim", next(iter(text.values())).claim)
    tested = max(table.get("tested", pd.Series([0])).max() for table in judged.values())
    return captioned(data.assign(tested=tested), overview.__doc__, data)


def other_decoders(results: Results, paper: Paper) -> Table:
    """Verdicts that change when another decoder is used."""
    first, before = next(iter(DECODERS)), f"verdict by {next(iter(DECODERS))}"

    def table(recipe):
        judged = {decoder: claims.of_recipe(results, paper, recipe, decoder=decoder) for decoder in DECODERS}
        was = judged.pop(first).verdict
        changed = stacked({d: t.assign(**{before: was}) for d, t in judged.items()}, "decoded by")
        return changed[(changed.verdict != changed[before]) & (changed.kind != "cost")]

    data = by_recipe(results, table)
    shown = _judged(data)[["recipe", "decoded by", "claim", before, "verdict", "effect"]]
    return captioned(data, other_decoders.__doc__, shown)


def against_paper(results: Results, paper: Paper, strategies=None) -> Table:
    """The paper's MAE and ours (BPM). The recordings differ: compare the order, not the level."""
    ours = partial(tables.table2, tables.conditions(results))
    data = by_recipe(results, lambda recipe: tables.against_paper(ours(recipe), paper.strategies))
    data = data if strategies is None else data[data.strategy.isin(strategies)]
    return captioned(data, against_paper.__doc__, "recipe strategy student paper ours difference")


def table2(results: Results, decoder: str = "argmax", dataset: str = "") -> Table:
    """MAE (BPM) with 95 % intervals; student blocks across, largest teacher."""
    data = by_recipe(results, partial(tables.table2, tables.conditions(results, decoder, dataset)))
    data = data.assign(tested=data.people)
    grid = crossed(data, "mae", "recipe strategy", "student")
    return captioned(data, f"{table2.__doc__} Decoded by {decoder}.", grid)


def table2_by_set(results: Results) -> Table:
    """MAE (BPM) by set of recordings with 95 % intervals; student blocks across, largest teacher."""
    sets = sorted(results.people.dataset.unique())
    data = stacked({name: table2(results, dataset=name) for name in sets}, "dataset")
    grid = crossed(data, "mae", "dataset people recipe strategy", "student")
    return captioned(data, table2_by_set.__doc__, grid)


def baselines(results: Results) -> Table:
    """MAE (BPM) of the baselines: mean of the training labels, spectral peak."""
    data = tables.baselines(tables.conditions(results))
    return captioned(data.assign(tested=data.people), baselines.__doc__, "strategy mae", strategy="baseline")


def networks(results: Results) -> Table:
    """MAE (BPM) by decoder, and whether it is below that of the better baseline."""
    data = tables.conditions(results).rename(columns={"mae": "argmax"})
    for decoder in [*DECODERS][1:]:
        data[decoder] = tables.conditions(results, decoder).mae
    alone, by = data.strategy.isin(tables.BASELINES), ["recipe", "split"]
    bar = data[alone].groupby(by)["argmax"].min().rename("bar")
    data = data[~alone].join(bar, on=by)
    data = data.assign(better=data["argmax"] < data.bar, tested=data.people)[[*KEY, *DECODERS, "better", "tested", "simulated"]]
    caption = f"{networks.__doc__} {data.better.sum()} of {len(data)} are better."
    return captioned(data, caption, "split strategy student teacher argmax expectation median better")


def seeds(results: Results) -> Table:
    """Standard deviation between seeds (BPM), mean over strategies."""
    rows = by_recipe(results, partial(tables.table2, tables.conditions(results))).dropna(subset="seed_sd")
    rows = rows.groupby(["recipe", "student"], sort=False)
    how = {"seeds": "max", "seed_sd": "mean", "tested": "max", "simulated": "max"}
    return captioned(rows.agg(how).reset_index(), seeds.__doc__)


def all_controls(results: Results, questions=None) -> Table:
    """Mean difference of MAE (BPM) over pairs of conditions; below 0 the first of the two is better."""
    data = by_recipe(results, partial(controls.table, results))
    data = data.iloc[data.groupby(["recipe", "control"], sort=False).ngroup().argsort(kind="stable")]
    data = data if questions is None else data[data.control.isin(questions)]
    return captioned(data, all_controls.__doc__, "recipe control compared n effect reading", n="pairs")


def by_size(results: Results) -> Table:
    """Differences of MAE (BPM) by student size; *: significant, people and seeds counted."""
    pairs = [(name, "scratch") for name in tables.shown_strategies(results) if name != "scratch"]
    pairs += [("dkd", "soft8"), ("dkd", "gaussian")]
    data = by_evidence(results, lambda own: controls.by_size(own, pairs))
    return captioned(data, by_size.__doc__, crossed(data, "effect", "recipe compared", "student"))


def beyond(results: Results) -> Table:
    """Against DKD and their own kind: mean difference of MAE (BPM) by decoder; *: significant."""
    data = by_recipe(results, partial(controls.beyond, results))
    grid = crossed(data[data.n > 0], "effect", "recipe compared n", "decoder")
    return captioned(data, beyond.__doc__, grid, n="pairs")


def law_table(results: Results) -> Table:
    """Over students smaller than the teacher (0: none), weighted by 1 / variance over people."""
    data = by_evidence(results, lambda own: _laws(own.mae, "paper", "control"))
    return captioned(data, f"{LAW}. {law_table.__doc__}", "recipe strategy teacher n a b c r2 note", **LAWS)


def paper_laws(paper: Paper) -> Table:
    """Fitted to the paper's Table 2, beside what it prints for soft."""
    data = _laws(evidence.printed(paper).mae, "paper").query(f"teacher == {evidence.TEACHER}")
    own = paper.laws[paper.laws.teacher == evidence.TEACHER].iloc[0]
    caption = f"{LAW}. {paper_laws.__doc__[:-1]}: a = {own.a}, b = {own.b}, c = {own.c}."
    return captioned(data, caption, "strategy teacher n a b c r2 note", **LAWS)


def _laws(mae: pd.DataFrame, *groups: str) -> pd.DataFrame:
    names = [name for name, row in STRATEGIES.items() if row.group in groups]
    return stacked({name: laws.table(mae, name) for name in names}, "strategy")


def _curves(results: Results, paper: Paper, table) -> dict[str, pd.DataFrame]:
    """What `table` gives for soft students of the largest teacher: of the paper, and of each recipe."""
    mae = {name: evidence.ours(results, name).mae for name in tables.recipes(results.runs)}
    mae = {"paper": evidence.printed(paper).mae} | mae
    return {name: table(own, "soft", evidence.top(own)) for name, own in mae.items()}


def rivals(results: Results, paper: Paper) -> Table:
    """Laws of soft students' MAE, size in what a network sees (s, up to 8) or costs: AICc, and the mean error at a
    size left out of the fit (BPM) with its interval over people; lower is better in both."""
    data = stacked(_curves(results, paper, laws.rivals), "recipe")
    return captioned(data, rivals.__doc__, "recipe law x n r2 aicc left_out note", **LAWS)


def table2_laws(paper: Paper) -> Table:
    """Laws of the paper's own Table 2: mean error (BPM) at a size that was left out of the fit, size in what a
    network sees (field, s, up to 8) or costs."""
    mae = evidence.printed(paper).mae
    data = stacked({name: laws.rivals(mae, name, evidence.TEACHER) for name in claims.FOUR}, "strategy")
    grid = crossed(data, "left_out", "strategy law", "x")
    return captioned(data, table2_laws.__doc__, grid[["strategy", "law", *laws.AXES]])


def grid_rivals(results: Results) -> Table:
    """Laws over students S and teachers T together; each size of student left out in turn (BPM)."""
    data = by_evidence(results, lambda own: laws.grid_rivals(own.mae))
    return captioned(data, grid_rivals.__doc__, "recipe law x n r2 aicc left_out note", **LAWS)


def forecasts(results: Results, paper: Paper) -> dict[str, pd.DataFrame]:
    """Larger students as forecast from those up to 5 blocks, of the paper and of each recipe."""
    found = {name: made[0] for name, made in _curves(results, paper, laws.forecast).items()}
    who = {name: tables.tested(results, name) for name in found}  # none for the paper
    return {k: t.assign(tested=who[k], simulated=bool(results.name) and k != "paper") for k, t in found.items()}


def forecast(found: dict[str, pd.DataFrame]) -> Table:
    """MAE (BPM) of larger soft students, forecast by the law of those up to 5 blocks with its 95 % prediction
    interval, and observed with its interval over people."""
    return captioned(stacked(found, "recipe"), forecast.__doc__, predicted="forecast")


def quality(results: Results, students=(1, 4, 8)) -> Table:
    """RMSE (BPM), share of windows within 5 BPM, negative log-likelihood (nats) with 95 % intervals where all
    records keep them per person, and expected calibration error."""
    data = by_recipe(results, partial(tables.quality, results))
    return captioned(data, quality.__doc__, data[data.student.isin(students)].drop(columns="teacher"))


def teacher_confidence(results: Results) -> Table:
    """Mean probability of the true bin on training windows, by blocks of the teacher."""
    unseen = [name for name, row in STRATEGIES.items() if row.teacher == "out of fold"]
    runs = results.runs[(results.runs.teacher > 0) & ~results.runs.strategy.isin(unseen)]
    wide = runs.pivot_table(index=["recipe", "split"], columns="teacher", values="teacher_py")
    return captioned(wide.reset_index(), teacher_confidence.__doc__)


def tuning(folder: Path) -> Table:
    """MAE (BPM) of every setting tried, on people whom neither fold tests."""
    data = tables.tuning(folder)
    found = [name for name in data if name in ("mean", "chosen") or name.startswith("mae ")]
    constants = data.drop(columns=found).map(lambda v: v if isinstance(v, str) else f"{v:g}")
    return captioned(data, tuning.__doc__, constants.join(data[sorted(found, key="chosen".__eq__)]))


def generalization(results: Results) -> Table:
    """MAE (BPM) on a set not in training: of all its people; then held out, in domain (others of the set were
    trained on) and the gap, of the people whom both were tested on."""
    columns = "recipe dataset strategy student people everyone both held_out in_domain gap"
    return captioned(by_recipe(results, partial(across.table, results)), generalization.__doc__, columns)


def transfer(results: Results) -> Table:
    """Strategy - scratch (BPM) on a set that was not trained on, paired by person."""
    data = by_recipe(results, partial(across.gains, results))
    return captioned(data, transfer.__doc__, "recipe dataset strategy student effect reading")


rules = partial(captioned, pd.DataFrame(outcome.RULES, columns=["verdict", "rule"]), "How a verdict is reached.")
glossary = partial(captioned, pd.DataFrame(outcome.GLOSSARY, columns=["word", "meaning"]), "Words.")
