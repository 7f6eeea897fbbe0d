"""The tables as people read them: one function a table, each a tidy frame with a caption, over all recipes."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib import files, scaling
from ppglib.results import across, claims, controls, evidence, laws, outcome, tables
from ppglib.results.outcome import effect_text
from ppglib.results.tables import Paper, Results
from ppglib.strategies import STRATEGIES
from ppglib.task import DECODERS

WIDTH = 105  # characters of a line of text
LAW = f"MAE = {scaling.FORMS['exponential'].text} in the student's blocks x"


class Table(pd.DataFrame):
    """A tidy frame that is saved, with its caption and with what people are shown of it.

    Anything that is computed from it is a plain DataFrame again.
    """

    _metadata = ["caption", "shown"]

    def save(self, out: str | Path, name: str) -> "Table":
        """Write `out`/tables/NAME.csv, numbers to six significant digits; returns itself, to be shown."""
        files.write_table(Path(out) / "tables" / f"{name}.csv", self)
        return self

    def markdown(self) -> str:
        """The caption and the shown frame as a Markdown table."""
        rows = [self.shown.columns, ["---"] * len(self.shown.columns), *self.shown.itertuples(index=False)]
        lines = ["| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |" for row in rows]
        return "\n".join([self.caption, "", *lines]) + "\n"

    def __repr__(self) -> str:
        text = self.shown.to_string(index=False, line_width=WIDTH, max_colwidth=60)
        return textwrap.fill(self.caption, WIDTH) + "\n" + text

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            html = self.shown.to_html(index=False, border=0)
        caption = f'<caption style="text-align: left; caption-side: top">{self.caption}</caption>'
        return html.replace("<thead>", f"{caption}\n  <thead>", 1)


def captioned(data: pd.DataFrame, caption: str, shown: pd.DataFrame | None = None) -> Table:
    """A Table; `shown` is by default the data to two decimals, nothing for what is missing."""
    table = Table(data)
    table.caption, table.shown = caption, text_of(data if shown is None else shown)
    return table


def text_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as text: floats to two decimals, "" for what is missing, and for a first column that repeats."""

    def cell(value) -> str:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.2f}"
        return str(value)

    text = frame.map(cell).reset_index(drop=True)
    text.columns = [str(name).replace("_", " ") for name in text.columns]
    first = text.columns[0]
    text[first] = text[first].where(text[first] != text[first].shift(), "")
    return text


def by_recipe(results: Results, table: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """What `table` gives for each recipe, one below the other, with a column `recipe` in front."""
    parts = {recipe: table(recipe) for recipe in tables.recipes(results.runs)}
    parts = {recipe: part for recipe, part in parts.items() if len(part)}
    if not parts:
        return pd.DataFrame(columns=["recipe"])
    frame = pd.concat(parts, names=["recipe"]).reset_index("recipe").reset_index(drop=True)
    return frame.loc[:, ~frame.columns.duplicated()]


def summary(results: Results) -> Table:
    """What was run on whom: a row a recipe."""
    conditions = tables.conditions(results)
    tested = conditions[conditions.split == "person"].groupby("recipe")[["people", "windows"]].max()
    networks = results.runs[results.runs.student > 0].groupby("recipe")
    rows = networks.agg(networks=("run_id", "size"), seeds=("seed", "nunique")).join(tested)
    rows = rows.loc[tables.recipes(conditions)].rename(columns={"people": "test people", "windows": "test windows"})
    whose = results.name or "real recordings"
    return captioned(rows.reset_index(), f"{whose.capitalize()} of {', '.join(sorted(results.people.dataset.unique()))}.")


def figure1(results: Results) -> Table:
    """MAE of every student (down) and teacher (across; scratch = none), soft distillation."""
    conditions = tables.conditions(results)
    data = pd.concat(tables.figure1(conditions, recipe) for recipe in tables.recipes(conditions))

    def wide(recipe):
        rows = tables.wide(tables.figure1(conditions, recipe).assign(low=np.nan), "student", "teacher")
        return rows.rename(columns={0: "scratch"}).reset_index()

    caption = "MAE (BPM): student blocks down, teacher blocks across, soft distillation; means over seeds."
    return captioned(data, caption, by_recipe(results, wide).fillna(""))


def by_relation(results: Results) -> Table:
    """Figure 1's students against scratch, by what their teacher is to them."""
    data = by_recipe(results, lambda recipe: controls.by_relation(evidence.ours(results, recipe)))
    return captioned(
        data.assign(simulated=bool(results.name)),
        "Soft - scratch by the teacher's size relative to the student's: pairs, how many are worse, and the "
        "mean difference of MAE (BPM; above 0: the teacher does harm).",
        told(data, ["recipe", "teacher", "pairs", "worse"]),
    )


def by_teacher(results: Results) -> Table:
    """Soft students of each teacher against scratch, means over the students below it."""

    def table(recipe):
        own = evidence.ours(results, recipe)
        teachers = sorted({k[2] for k in own.mae.index if k[0] == "soft"})
        rows = [
            controls.compare(own, teacher, "soft - scratch", evidence.pairs(own.mae, "soft", "scratch", {teacher}))
            for teacher in teachers
        ]
        return controls.frame([row for row in rows if row.n], control="teacher", n="students")

    data = by_recipe(results, table)
    caption = "Soft - scratch (BPM) for each teacher, mean over the students smaller than it."
    return captioned(data, caption, told(data, ["recipe", "teacher", "students"]))


def teacher_strength(results: Results) -> Table:
    """Soft students' MAE against their teacher's own: slopes, and whether there is a U."""

    def table(recipe):
        own, taught_by = (evidence.ours(r, recipe) for r in (results, tables.first_seed(results)))
        _, slopes = controls.teacher_strength(own, taught_by.mae[0])
        names = ("line", "strongest", "weakest")
        rows = [
            [who, *(effect_text(*found[name]) for name in names), controls.strength_shape(found)]
            for who, found in slopes.items()
        ]
        columns = ["students", "line", "parabola at the strongest", "at the weakest", "shape"]
        return pd.DataFrame(rows, columns=columns)

    data = by_recipe(results, table)
    caption = (
        "Slope of soft students' MAE over their teacher's own MAE, BPM per BPM, each student on its own level; "
        "needs four teachers. A U (Busbridge et al. 2025) falls at the strongest and rises at the weakest."
    )
    return captioned(data, caption)


def verdicts(judged: dict[str, pd.DataFrame], notebook: str = "") -> Table:
    """Claims with their verdicts, effects and reasons; judged: as `claims.judge` gives it."""
    frames = {name: t if not notebook else t[t.notebook == notebook] for name, t in judged.items()}
    data = pd.concat(frames, names=["judged on"]).reset_index("judged on")
    data = data.sort_values("id", kind="stable").reset_index(drop=True)
    shown = pd.DataFrame({"claim": data.id.astype(str) + ". " + data.claim, "judged on": data["judged on"]})
    shown["verdict"] = verdict_text(data)
    shown["effect"] = told(data.assign(reading=""), ["unit"]).effect
    caption = "Each claim, its verdict, the effect that was measured, and the reason."
    return captioned(data, caption, shown.assign(reason=data.why))


def overview(judged: dict[str, pd.DataFrame]) -> Table:
    """One row a claim, one column for each thing that it was judged on; no reasons."""
    first = next(iter(judged.values()))
    data = first[["id", "claim"]].copy()
    for name, table in judged.items():
        data[name] = verdict_text(table)
    return captioned(data, "The paper's claims and their verdicts.")


def counts(judged: dict[str, pd.DataFrame]) -> Table:
    """How many claims got which verdict."""
    found = pd.DataFrame({name: table.verdict.value_counts() for name, table in judged.items()})
    data = found.reindex(outcome.VERDICTS).fillna(0).astype(int).rename_axis("verdict").reset_index()
    return captioned(data, "Number of claims by verdict.")


def other_decoders(results: Results, paper: Paper) -> Table:
    """Verdicts that change where the heart rate is decoded in another way."""

    def table(recipe):
        first = claims.verdicts(evidence.ours(results, recipe), paper.claims)
        rows = []
        for decoder in list(DECODERS)[1:]:
            other = claims.verdicts(evidence.ours(results, recipe, decoder=decoder), paper.claims)
            changed = (other.verdict != first.verdict) & (other.kind != "cost")
            for r, before in zip(other[changed].itertuples(), first.verdict[changed]):
                effect = effect_text(r.effect, r.low, r.high)
                rows.append([decoder, f"{r.id}. {r.claim}", before, r.verdict, f"{effect} {r.unit}"])
        return pd.DataFrame(rows, columns=["decoded by", "claim", "argmax", "verdict then", "effect"])

    data = by_recipe(results, table)
    return captioned(data, "Verdicts that change when the expectation or the median is decoded instead.")


def against_paper(results: Results, paper: Paper, strategies=None) -> Table:
    """Table 2 beside ours: paper, ours with its interval, difference."""
    conditions = tables.conditions(results)

    def table(recipe):
        both = tables.against_paper(tables.table2(conditions, recipe), paper.strategies)
        return both if strategies is None else both[both.strategy.isin(strategies)]

    data = by_recipe(results, table)
    caption = "The paper's MAE and ours (BPM). The recordings differ: compare the order, not the level."
    if data.empty:
        return captioned(data, caption)
    shown = data.assign(ours=cells(data, "ours"))
    return captioned(data, caption, shown[["recipe", "strategy", "student", "paper", "ours", "difference"]])


def table2(results: Results, decoder: str = "argmax", dataset: str = "") -> Table:
    """Every strategy and control at the largest teacher, students across."""
    conditions = tables.conditions(results, decoder, dataset)
    data = pd.concat(tables.table2(conditions, recipe) for recipe in tables.recipes(conditions))
    shown = by_recipe(results, lambda recipe: tables.wide(tables.table2(conditions, recipe)).reset_index())
    where = f" on {dataset}, {conditions.people.max()} test people" if dataset else ""
    caption = f"MAE (BPM){where} with 95 % intervals, decoded by {decoder}; student blocks across, largest teacher."
    return captioned(data, caption, shown.fillna(""))


def table2_by_set(results: Results) -> Table:
    """`table2` on each set of recordings."""
    parts = {name: table2(results, dataset=name) for name in sorted(results.people.dataset.unique())}
    people = results.people.groupby("dataset").person.nunique()
    shown = pd.concat({f"{k} ({people[k]} people)": part.shown for k, part in parts.items()}, names=["set"])
    data = pd.concat(parts, names=["dataset"]).reset_index("dataset")
    caption = "MAE (BPM) by set of recordings with 95 % intervals; student blocks across, largest teacher."
    return captioned(data, caption, shown.reset_index("set"))


def baselines(results: Results) -> Table:
    """What no network reaches for free."""
    data = tables.baselines(tables.conditions(results))
    shown = pd.DataFrame({"baseline": data.strategy, "MAE (BPM)": cells(data)})
    return captioned(data, "Baselines: mean of the training labels, spectral peak.", shown)


def seeds(results: Results) -> Table:
    """How far repeated networks lie apart: mean over strategies of the standard deviation between seeds."""
    conditions = tables.conditions(results)

    def table(recipe):
        rows = tables.table2(conditions, recipe).dropna(subset="seed_sd").groupby("student")
        return rows.agg(seeds=("seeds", "max"), sd=("seed_sd", "mean")).reset_index()

    return captioned(by_recipe(results, table), "Standard deviation between seeds (BPM), mean over strategies.")


def all_controls(results: Results, questions=None) -> Table:
    """Controls that the paper lacks, or those of some questions."""
    data = by_recipe(results, lambda recipe: controls.table(results, recipe))
    data = data if questions is None else data[data.control.isin(questions)]
    caption = "Mean difference of MAE (BPM) over n pairs; below 0 the first of the two is better."
    return captioned(data, caption, told(data, ["recipe", "control", "compared", "n"]))


def by_size(results: Results) -> Table:
    """Differences to scratch and between controls, size by size; a star is significant."""
    compared = [(name, "scratch") for name in tables.shown_strategies(results) if name != "scratch"]
    compared += [pair for pair in (("dkd", "soft8"), ("dkd", "gaussian"))]
    data = by_recipe(results, lambda recipe: controls.by_size(evidence.ours(results, recipe), compared))

    def wide(recipe):
        rows = data[data.recipe == recipe]
        star = rows.reading.isin(["better", "worse"]).map({True: " *", False: ""})
        text = [effect_text(r.effect, r.low, r.high) for r in rows.itertuples()] + star
        grid = rows.assign(cell=text).pivot(index="compared", columns="student", values="cell")
        return grid.reindex(rows.compared.unique()).reset_index()

    caption = "Differences of MAE (BPM) by student size, with intervals over people; *: significant, seeds counted."
    return captioned(data, caption, by_recipe(results, wide).fillna("") if len(data) else None)


def beyond(results: Results) -> Table:
    """Everything else that was tried against DKD, by decoder."""
    data = by_recipe(results, lambda recipe: controls.beyond(results, recipe))
    run = data[data.n > 0]
    text = [f"{effect_text(r.effect, r.low, r.high)} {r.reading}" for r in run.itertuples()]
    grid = run.assign(cell=text).pivot(index=["recipe", "compared", "n"], columns="decoder", values="cell")
    order = run[["recipe", "compared", "n"]].drop_duplicates()
    shown = order.merge(grid.reindex(columns=list(DECODERS)).reset_index())
    caption = "Strategies against DKD and against their own kind: mean difference of MAE (BPM) by decoder."
    return captioned(data, caption, shown)


def law_table(results: Results) -> Table:
    """The paper's law of each strategy and teacher: a, b, c with standard errors, or why there is none."""
    names = [name for name, row in STRATEGIES.items() if row.group != "beyond"]

    def table(recipe):
        mae = evidence.ours(results, recipe).mae
        return pd.concat([laws.table(mae, name) for name in names], ignore_index=True)

    data = by_recipe(results, table)
    caption = f"{LAW}, over students smaller than the teacher (0: none), weighted by 1 / variance over people."
    return captioned(data, caption, with_errors(data))


def paper_laws(paper: Paper) -> Table:
    """The same fit on the paper's own Table 2, beside the parameters that it prints."""
    printed = evidence.printed(paper).mae
    mae = printed[printed.index.get_level_values("teacher") == evidence.TEACHER]
    data = pd.concat([laws.table(mae, name) for name in ("hard", "soft", "feature", "dkd")], ignore_index=True)
    own = paper.laws[paper.laws.teacher == evidence.TEACHER].iloc[0]
    caption = f"{LAW}, fitted to the paper's Table 2. It prints a {own.a}, b {own.b}, c {own.c} for soft."
    return captioned(data, caption, with_errors(data))


def rivals(results: Results, paper: Paper) -> Table:
    """Every law on one curve (soft, largest teacher), in blocks and in parameters."""

    def table(mae):
        return laws.rivals(mae, "soft", evidence.top(mae))

    data = pd.concat({"paper": table(evidence.printed(paper).mae)}, names=["recipe"])
    data = pd.concat([data.reset_index("recipe"), by_recipe(results, lambda r: table(evidence.ours(results, r).mae))])
    caption = (
        "Laws of soft students' MAE: AICc, and the mean error at a size left out of the fit (BPM) with its "
        "interval over people; lower is better in both."
    )
    return captioned(data, caption, tried(data))


def grid_rivals(results: Results) -> Table:
    """Laws over the whole grid of students S and teachers T."""
    data = by_recipe(results, lambda recipe: laws.grid_rivals(evidence.ours(results, recipe).mae))
    caption = "Laws over students S and teachers T together; each size of student left out in turn (BPM)."
    return captioned(data, caption, tried(data))


def forecasts(results: Results, paper: Paper) -> dict[str, pd.DataFrame]:
    """Larger students as forecast from those up to 5 blocks, of the paper and of each recipe."""
    mae = {"paper": evidence.printed(paper).mae}
    mae |= {recipe: evidence.ours(results, recipe).mae for recipe in tables.recipes(results.runs)}
    return {name: laws.forecast(own, "soft", evidence.top(own))[0] for name, own in mae.items()}


def forecast(found: dict[str, pd.DataFrame]) -> Table:
    """`forecasts` one below the other."""
    data = pd.concat(found, names=["recipe"]).reset_index("recipe")
    caption = (
        f"MAE (BPM) of larger soft students, forecast by the law of those up to {laws.SMALL} blocks with its "
        "95 % prediction interval, and observed."
    )
    if data.empty:
        return captioned(data, caption)
    shown = data[["recipe", "student"]].assign(forecast=cells(data, "predicted"), observed=data.observed.astype(float))
    return captioned(data, caption, shown.assign(gap=data.gap.astype(float), inside=data.inside))


def quality(results: Results, students=(1, 4, 8)) -> Table:
    """Beyond MAE: root mean square error, share within 5 BPM, negative log-likelihood, calibration error."""
    data = by_recipe(results, lambda recipe: tables.quality(results, recipe))
    shown = data[data.student.isin(students)][["recipe", "strategy", "student"]].copy()
    for name in tables.QUALITY:
        limits = data.loc[shown.index, [name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
        shown[name] = ["" if np.isnan(v[0]) else effect_text(*v, form=".2f") for v in limits]
    caption = (
        "RMSE (BPM), share of windows within 5 BPM, negative log-likelihood (nats) with 95 % intervals where "
        "all records keep them per person, and expected calibration error."
    )
    return captioned(data, caption, shown.assign(ece=data.ece))


def teacher_confidence(results: Results) -> Table:
    """Mean probability that teachers give the true bin of their training windows."""
    runs = results.runs[(results.runs.teacher > 0) & (results.runs.strategy != "soft_oof")]
    wide = runs.pivot_table(index=["recipe", "split"], columns="teacher", values="teacher_py").reset_index()
    return captioned(wide, "Mean probability of the true bin on training windows, by blocks of the teacher.")


def tuning(folder: Path) -> Table:
    """Everything that was tried to find a tuned recipe."""
    data = tables.tuning(folder)
    return captioned(data, "MAE (BPM) of every setting tried, on people whom neither fold tests.", data.astype(str))


def generalization(results: Results) -> Table:
    """MAE on a set that was not trained on, beside that of networks trained on other people of it."""
    data = by_recipe(results, lambda recipe: across.table(results, recipe))
    caption = "MAE (BPM) on a set not in training: all its people; then in domain and gap, the same people in both."
    if data.empty:
        return captioned(data, caption)
    shown = data[["recipe", "dataset", "people", "strategy", "student"]].copy()
    for name in ("everyone", "in_domain", "gap"):
        limits = data[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
        shown[name] = ["" if np.isnan(v[0]) else effect_text(*v, form=".2f") for v in limits]
    return captioned(data, caption, shown)


def transfer(results: Results) -> Table:
    """What a teacher is worth on a set that neither it nor its student has seen."""
    data = by_recipe(results, lambda recipe: across.gains(results, recipe))
    caption = "Strategy - scratch (BPM) on a set that was not trained on, paired by person."
    return captioned(data, caption, told(data, ["recipe", "dataset", "strategy", "student", "n"]))


def rules() -> Table:
    """How a verdict is reached."""
    return captioned(pd.DataFrame(outcome.RULES, columns=["verdict", "rule"]), "How a verdict is reached.")


def glossary() -> Table:
    """The words."""
    return captioned(pd.DataFrame(outcome.GLOSSARY, columns=["word", "meaning"]), "Words.")


def with_errors(data: pd.DataFrame) -> pd.DataFrame:
    """Laws as people read them: "4.2 +- 0.3" for a, b and c."""
    if data.empty:
        return data
    shown = data[[name for name in ("recipe", "strategy", "teacher", "n") if name in data]].copy()
    for name in "abc":
        pairs = zip(data[name], data[f"{name}_se"])
        shown[name] = ["" if np.isnan(v) else f"{v:.2f} +- {se:.2f}" for v, se in pairs]
    return shown.assign(r2=data.r2, note=data.note)


def tried(data: pd.DataFrame) -> pd.DataFrame:
    """Rival laws as people read them."""
    if data.empty:
        return data
    limits = data[["left_out", "left_out_low", "left_out_high"]].itertuples(index=False)
    text = ["" if np.isnan(v[0]) else effect_text(*v, form=".2f") for v in limits]
    return data[["recipe", "law", "x", "n", "r2", "aicc"]].assign(left_out=text, note=data.note)


def verdict_text(table: pd.DataFrame) -> list[str]:
    """ "not reproduced (reversed)" of each claim."""
    return [f"{r.verdict} ({r.how})" if r.how else r.verdict for r in table.itertuples()]


def told(data: pd.DataFrame, about: list[str]) -> pd.DataFrame:
    """Columns `about`, then effect with intervals as one text, then the reading."""
    if data.empty:
        return data
    known = data.itertuples()
    text = ["" if np.isnan(r.effect) else effect_text(r.effect, r.low, r.high, r.seed_sd) for r in known]
    return data[about].assign(effect=text, reading=data.reading)


def cells(data: pd.DataFrame, column: str = "mae") -> list[str]:
    """ "3.43 [2.73, 4.33]" of each row."""
    return [f"{v:.2f} [{low:.2f}, {high:.2f}]" for v, low, high in zip(data[column], data.low, data.high)]
