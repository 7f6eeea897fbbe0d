"""The tables as people read them: a function a table, each a tidy frame with a caption, over all recipes."""

import textwrap
from collections.abc import Callable
from itertools import zip_longest
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
    """A tidy frame that is saved, with its caption and with what people are shown of it, as text.

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
        return "\n".join([self.caption, "", *lines * bool(len(self))]).rstrip() + "\n"

    def __repr__(self) -> str:
        text = caption = textwrap.fill(self.caption, WIDTH)
        for width in (60, 36, 24) if len(self.shown) else ():  # of a cell, until the table fits
            rows = (
                [textwrap.wrap(cell, width) for cell in row] for row in self.shown.itertuples(index=False)
            )
            lines = [line for row in rows for line in zip_longest(*row, fillvalue="")]
            frame = pd.DataFrame(lines, columns=self.shown.columns)
            frame = frame.apply(lambda column: column.str.ljust(column.str.len().max()))
            text = frame.to_string(index=False, line_width=WIDTH, justify="left", max_colwidth=width)
            text = f"{caption}\n{text}"
            if "\\\n" not in text:
                break
        return text

    def _repr_html_(self) -> str:
        caption = f'<caption style="text-align: left; caption-side: top">{self.caption}</caption>'
        with pd.option_context("display.max_colwidth", None):
            html = self.shown.to_html(index=False, border=0)
        html = html if len(self.shown) else "<table><thead></thead></table>"
        return html.replace("<thead>", f"{caption}\n  <thead>", 1)


def captioned(data: pd.DataFrame, caption: str, shown: pd.DataFrame | None = None) -> Table:
    """A Table; `shown` is by default all of the data but `simulated`.

    It is turned into text: floats to two decimals, yes and no, nothing for what is missing, and nothing for a
    first column that repeats itself.
    """
    table = Table(data)
    text = (data if shown is None else shown).drop(columns="simulated", errors="ignore").map(_cell)
    text = text.reset_index(drop=True).rename(columns=lambda name: str(name).replace("_", " "))
    if text.shape[1] > 1:
        text.isetitem(0, text.iloc[:, 0].where(text.iloc[:, 0] != text.iloc[:, 0].shift(), ""))
    table.caption, table.shown = caption, text
    return table


def _cell(value) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or isinstance(value, float):
        return "" if value is None or np.isnan(value) else f"{value:.2f}"
    return str(value)


def by_recipe(results: Results, table: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """What `table` gives for each recipe, one below the other, with `recipe` in front and `simulated`."""
    parts = [table(name).assign(recipe=name) for name in tables.recipes(results.runs) or [""]]
    frame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    frame.insert(0, "recipe", frame.pop("recipe"))
    return frame.assign(simulated=bool(results.name))


def told(data: pd.DataFrame, value: str, low="{}_low", high="{}_high", form: str = ".2f") -> list[str]:
    """ "3.43 [2.73, 4.33]" of each row, "" where there is no value; low and high may have `value` in them."""
    columns = data[[value, low.format(value), high.format(value)]].astype(float)
    return [
        "" if np.isnan(row[0]) else effect_text(*row, form=form) for row in columns.itertuples(index=False)
    ]


def with_effect(data: pd.DataFrame, about: list[str], **renamed: str) -> pd.DataFrame:
    """Columns `about`, then the effect with the interval that decides, then the reading."""
    return data[about].rename(columns=renamed).assign(effect=effects(data), reading=data.reading)


def effects(data: pd.DataFrame) -> list[str]:
    columns = data[["effect", "low", "high", "seed_sd"]].astype(float)
    return ["" if np.isnan(row[0]) else effect_text(*row) for row in columns.itertuples(index=False)]


def starred(data: pd.DataFrame) -> pd.Series:
    """Effects with intervals over people and a star where they are significant, seeds counted."""
    star = np.where(data.reading.isin(["better", "worse"]), " *", "")
    return pd.Series(told(data, "effect", "low", "high", "+.2f"), data.index, dtype=object) + star


def crossed(data: pd.DataFrame, text, rows: list[str], columns: str) -> pd.DataFrame:
    """A grid of texts, rows in the order of the data."""
    grid = data.assign(text=text).pivot(index=rows, columns=columns, values="text").fillna("")
    return data[rows].drop_duplicates().merge(grid.reset_index(), on=rows)


def summary(results: Results) -> Table:
    """What was run on whom: a row a recipe."""
    tested = (
        tables.conditions(results).query("split == 'person'").groupby("recipe")[["people", "windows"]].max()
    )
    networks = results.runs[results.runs.student > 0].groupby("recipe")
    rows = networks.agg(networks=("run_id", "size"), seeds=("seed", "nunique"))
    rows = rows.join(tested.add_prefix("test ")).loc[tables.recipes(results.runs)].reset_index()
    whose = (results.name or "real recordings").capitalize()
    return captioned(rows, f"{whose} of {', '.join(sorted(results.people.dataset.unique()))}.")


def figure1(results: Results) -> Table:
    """MAE of every student (down) and teacher (across; scratch = none), soft distillation."""
    conditions = tables.conditions(results)
    data = by_recipe(results, lambda recipe: tables.figure1(conditions, recipe))
    caption = "MAE (BPM): student blocks down, teacher blocks across, soft distillation; means over seeds."
    shown = crossed(data, data.mae.map("{:.2f}".format), ["recipe", "student"], "teacher")
    return captioned(data, caption, shown.rename(columns={0: "scratch"}))


def by_relation(results: Results) -> Table:
    """Figure 1's students against scratch, by what their teacher is to them."""
    data = by_recipe(results, lambda recipe: controls.by_relation(evidence.ours(results, recipe)))
    caption = (
        "Soft - scratch by the teacher's size relative to the student's: pairs, how many are worse, and the "
        "mean difference of MAE (BPM; above 0: the teacher does harm)."
    )
    return captioned(data, caption, with_effect(data, ["recipe", "teacher", "pairs", "worse"]))


def by_teacher(results: Results) -> Table:
    """Soft students of each teacher against scratch, means over the students below it."""

    def table(recipe):
        own, rows = evidence.ours(results, recipe), []
        for teacher in sorted({teacher for name, _, teacher in own.mae.index if name == "soft"}):
            if found := evidence.pairs(own.mae, "soft", "scratch", {teacher}):
                rows.append(controls.compare(own, teacher, "soft - scratch", found))
        return controls.frame(rows, control="teacher", n="students")

    data = by_recipe(results, table)
    caption = "Soft - scratch (BPM) for each teacher, mean over the students smaller than it."
    return captioned(data, caption, with_effect(data, ["recipe", "teacher", "students"]))


def teacher_strength(results: Results) -> Table:
    """Soft students' MAE against their teacher's own: slopes, and whether there is a U."""
    names = {
        "line": "line",
        "strongest": "parabola, strongest teacher",
        "weakest": "parabola, weakest teacher",
    }

    def table(recipe):
        own, taught_by = (evidence.ours(r, recipe) for r in (results, tables.first_seed(results)))
        found = controls.teacher_strength(own, taught_by.mae[0])[1].items()
        texts = [[effect_text(*slopes[name]) for name in names] for _, slopes in found]
        rows = [[who, *text, controls.strength_shape(slopes)] for (who, slopes), text in zip(found, texts)]
        return pd.DataFrame(rows, columns=["students", *names.values(), "shape"])

    caption = (
        "Slope of soft students' MAE over their teacher's own MAE, BPM per BPM, each student on its own level; "
        "needs four teachers. A U (Busbridge et al. 2025) falls at the strongest and rises at the weakest."
    )
    return captioned(by_recipe(results, table), caption)


def verdicts(judged: dict[str, pd.DataFrame], notebook: str = "") -> Table:
    """Claims with their verdicts, effects and reasons, those of one notebook or all; see `claims.judge`."""
    data = pd.concat(judged, names=["judged on"]).reset_index("judged on")
    data = data[data.notebook.str.contains(notebook)].sort_values("id", kind="stable")
    text = [f"{text} {unit}" if text else "" for text, unit in zip(effects(data), data.unit)]
    shown = pd.DataFrame(
        {"claim": _claim(data), "judged on": data["judged on"], "verdict": verdict_text(data)}
    )
    caption = "Each claim, its verdict, the effect that was measured, and the reason."
    return captioned(data, caption, shown.assign(effect=text, reason=data.why))


def _claim(data: pd.DataFrame) -> pd.Series:
    return data.id.astype(str) + ". " + data.claim


def verdict_text(table: pd.DataFrame) -> list[str]:
    """ "not reproduced (reversed)" of each claim."""
    return [f"{row.verdict} ({row.how})" if row.how else row.verdict for row in table.itertuples()]


def overview(judged: dict[str, pd.DataFrame]) -> Table:
    """One row a claim, one column for each thing that it was judged on; no reasons."""
    first = next(iter(judged.values()))
    data = pd.DataFrame({"claim": _claim(first)} | {name: verdict_text(t) for name, t in judged.items()})
    return captioned(data, "The paper's claims and their verdicts.")


def counts(judged: dict[str, pd.DataFrame]) -> Table:
    """How many claims got which verdict."""
    found = pd.DataFrame({name: table.verdict.value_counts() for name, table in judged.items()})
    data = found.reindex(outcome.VERDICTS).fillna(0).astype(int).rename_axis("verdict").reset_index()
    return captioned(data, "Number of claims by verdict.")


def other_decoders(results: Results, paper: Paper) -> Table:
    """Verdicts that change where the heart rate is decoded in another way."""
    first, *others = DECODERS

    def table(recipe):
        judged = [claims.verdicts(evidence.ours(results, recipe, decoder=d), paper.claims) for d in DECODERS]
        rows = []
        for decoder, other in zip(others, judged[1:]):
            changed = other[(other.verdict != judged[0].verdict) & (other.kind != "cost")]
            text = [f"{effect_text(r.effect, r.low, r.high)} {r.unit}" for r in changed.itertuples()]
            before = judged[0].verdict[changed.index]
            rows += zip([decoder] * len(text), _claim(changed), before, changed.verdict, text)
        return pd.DataFrame(rows, columns=["decoded by", "claim", f"verdict by {first}", "verdict", "effect"])

    return captioned(by_recipe(results, table), "Verdicts that change when another decoder is used.")


def against_paper(results: Results, paper: Paper, strategies=None) -> Table:
    """Table 2 beside ours: paper, ours with its interval, difference; all strategies, or those given."""
    conditions = tables.conditions(results)
    ours = lambda recipe: tables.against_paper(tables.table2(conditions, recipe), paper.strategies)  # noqa: E731
    data = by_recipe(results, ours)
    data = data if strategies is None else data[data.strategy.isin(strategies)]
    shown = data[["recipe", "strategy", "student", "paper"]].assign(ours=told(data, "ours", "low", "high"))
    caption = "The paper's MAE and ours (BPM). The recordings differ: compare the order, not the level."
    return captioned(data, caption, shown.assign(difference=data.difference.map("{:+.2f}".format)))


def table2(results: Results, decoder: str = "argmax", dataset: str = "") -> Table:
    """Every strategy and control at the largest teacher, students across."""
    conditions = tables.conditions(results, decoder, dataset)
    data = by_recipe(results, lambda recipe: tables.table2(conditions, recipe))
    caption = f"MAE (BPM) with 95 % intervals, decoded by {decoder}; student blocks across, largest teacher."
    shown = crossed(data, told(data, "mae", "low", "high"), ["recipe", "strategy"], "student")
    return captioned(data, caption, shown)


def table2_by_set(results: Results) -> Table:
    """`table2` on each set of recordings."""
    people = results.people.groupby("dataset").person.nunique()
    data = pd.concat([table2(results, dataset=name).assign(dataset=name) for name in people.index])
    data = data.assign(set=[f"{name} ({people[name]} people)" for name in data.dataset])
    shown = crossed(data, told(data, "mae", "low", "high"), ["set", "recipe", "strategy"], "student")
    caption = "MAE (BPM) by set of recordings with 95 % intervals; student blocks across, largest teacher."
    return captioned(data.drop(columns="set"), caption, shown)


def baselines(results: Results) -> Table:
    """What needs no network."""
    data = tables.baselines(tables.conditions(results))
    shown = pd.DataFrame({"baseline": data.strategy, "MAE (BPM)": told(data, "mae", "low", "high")})
    return captioned(data, "Baselines: mean of the training labels, spectral peak.", shown)


def seeds(results: Results) -> Table:
    """How far repeated networks lie apart: mean over strategies of the standard deviation between seeds."""
    conditions = tables.conditions(results)

    def table(recipe):
        rows = tables.table2(conditions, recipe).dropna(subset="seed_sd").groupby("student")
        return rows.agg(seeds=("seeds", "max"), seed_sd=("seed_sd", "mean")).reset_index()

    return captioned(
        by_recipe(results, table), "Standard deviation between seeds (BPM), mean over strategies."
    )


def all_controls(results: Results, questions=None) -> Table:
    """Controls that the paper lacks, or those of some questions."""
    data = by_recipe(results, lambda recipe: controls.table(results, recipe))
    data = data.iloc[data.groupby(["recipe", "control"], sort=False).ngroup().argsort(kind="stable")]
    data = data if questions is None else data[data.control.isin(questions)]
    caption = "Mean difference of MAE (BPM) over pairs of conditions; below 0 the first of the two is better."
    return captioned(data, caption, with_effect(data, ["recipe", "control", "compared", "n"], n="pairs"))


def by_size(results: Results) -> Table:
    """Differences to scratch and between controls, size by size; a star is significant."""
    pairs = [(name, "scratch") for name in tables.shown_strategies(results) if name != "scratch"]
    pairs += [("dkd", "soft8"), ("dkd", "gaussian")]
    data = by_recipe(results, lambda recipe: controls.by_size(evidence.ours(results, recipe), pairs))
    caption = (
        "Differences of MAE (BPM) by student size, with intervals over people; *: significant, seeds counted."
    )
    return captioned(data, caption, crossed(data, starred(data), ["recipe", "compared"], "student"))


def beyond(results: Results) -> Table:
    """Everything else that was tried against DKD, by decoder."""
    data = by_recipe(results, lambda recipe: controls.beyond(results, recipe))
    run = data[data.n > 0]
    shown = crossed(run, starred(run), ["recipe", "compared", "n"], "decoder").rename(columns={"n": "pairs"})
    caption = (
        "Against DKD and against their own kind: mean difference of MAE (BPM) by decoder; *: significant."
    )
    return captioned(data, caption, shown)


def law_table(results: Results) -> Table:
    """The paper's law of each strategy and teacher: a, b, c with standard errors, or why there is none."""
    names = [name for name, row in STRATEGIES.items() if row.group != "beyond"]
    data = by_recipe(results, lambda recipe: _laws(evidence.ours(results, recipe).mae, names))
    caption = f"{LAW}, over students smaller than the teacher, weighted by 1 / variance over people."
    return captioned(data, caption, _with_errors(data))


def paper_laws(paper: Paper) -> Table:
    """The same fit on the paper's own Table 2, beside the parameters that it prints."""
    mae = evidence.printed(paper).mae
    data = _laws(mae, [name for name, row in STRATEGIES.items() if row.group == "paper"])
    data = data[data.teacher == evidence.TEACHER]
    own = paper.laws[paper.laws.teacher == evidence.TEACHER].iloc[0]
    caption = (
        f"{LAW}, fitted to the paper's Table 2. For soft it prints a = {own.a}, b = {own.b}, c = {own.c}."
    )
    return captioned(data, caption, _with_errors(data))


def _laws(mae: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    found = [laws.table(mae, name) for name in names]
    return pd.concat([table for table in found if len(table)] or found[:1], ignore_index=True)


def _with_errors(data: pd.DataFrame) -> pd.DataFrame:
    """Laws as people read them: "4.2 +- 0.3" for a, b and c."""
    shown = data[[name for name in ("recipe", "strategy", "teacher", "n") if name in data]]
    shown = shown.rename(columns={"n": "points"}).assign(teacher=shown.teacher.replace(0, "none"))
    for name in "abc":
        pairs = zip(data[name], data[f"{name}_se"])
        shown[name] = ["" if np.isnan(v) else f"{v:.2f} +- {se:.2f}" for v, se in pairs]
    return shown.assign(R2=data.r2, note=data.note)


def rivals(results: Results, paper: Paper) -> Table:
    """Every law on one curve (soft, largest teacher), in blocks and in parameters."""
    found = {"paper": evidence.printed(paper).mae}
    found |= {recipe: evidence.ours(results, recipe).mae for recipe in tables.recipes(results.runs)}
    parts = {name: laws.rivals(mae, "soft", evidence.top(mae)) for name, mae in found.items()}
    caption = (
        "Laws of soft students' MAE: AICc, and the mean error at a size left out of the fit (BPM) with its "
        "interval over people; lower is better in both."
    )
    data = pd.concat(parts, names=["recipe"]).reset_index("recipe")
    return captioned(data, caption, _tried(data))


def grid_rivals(results: Results) -> Table:
    """Laws over the whole grid of students S and teachers T."""
    data = by_recipe(results, lambda recipe: laws.grid_rivals(evidence.ours(results, recipe).mae))
    caption = "Laws over students S and teachers T together; each size of student left out in turn (BPM)."
    return captioned(data, caption, _tried(data))


def _tried(data: pd.DataFrame) -> pd.DataFrame:
    """Rival laws as people read them."""
    shown = data[["recipe", "law", "x", "n", "r2", "aicc"]]
    shown = shown.rename(columns={"x": "size in", "n": "points", "r2": "R2", "aicc": "AICc"})
    return shown.assign(left_out=told(data, "left_out"), note=data.note)


def forecasts(results: Results, paper: Paper) -> dict[str, pd.DataFrame]:
    """Larger students as forecast from those up to 5 blocks, of the paper and of each recipe."""
    mae = {"paper": evidence.printed(paper).mae}
    mae |= {recipe: evidence.ours(results, recipe).mae for recipe in tables.recipes(results.runs)}
    return {name: laws.forecast(own, "soft", evidence.top(own))[0] for name, own in mae.items()}


def forecast(found: dict[str, pd.DataFrame]) -> Table:
    """`forecasts` one below the other."""
    data = pd.concat({name: t for name, t in found.items() if len(t)} or found, names=["recipe"])
    data = data.reset_index("recipe")
    caption = (
        f"MAE (BPM) of larger soft students, forecast by the law of those up to {laws.SMALL} blocks with its "
        "95 % prediction interval, and observed with its interval over people."
    )
    shown = data[["recipe", "student"]].assign(forecast=told(data, "predicted", "low", "high"))
    shown = shown.assign(observed=told(data, "observed"), gap=told(data, "gap", form="+.2f"))
    return captioned(data, caption, shown.assign(inside=data.inside))


def quality(results: Results, students=(1, 4, 8)) -> Table:
    """Beyond MAE: root mean square error, share within 5 BPM, negative log-likelihood, calibration error."""
    data = by_recipe(results, lambda recipe: tables.quality(results, recipe))
    some = data[data.student.isin(students)]
    shown = some[["recipe", "strategy", "student"]]
    shown = shown.assign(**{name: told(some, name) for name in tables.QUALITY}, ece=some.ece)
    caption = (
        "RMSE (BPM), share of windows within 5 BPM, negative log-likelihood (nats) with 95 % intervals where "
        "all records keep them per person, and expected calibration error."
    )
    return captioned(data, caption, shown)


def teacher_confidence(results: Results) -> Table:
    """Mean probability that teachers give the true bin of their training windows."""
    runs = results.runs[(results.runs.teacher > 0) & (results.runs.strategy != "soft_oof")]
    wide = runs.pivot_table(index=["recipe", "split"], columns="teacher", values="teacher_py").reset_index()
    return captioned(wide, "Mean probability of the true bin on training windows, by blocks of the teacher.")


def tuning(folder: Path) -> Table:
    """Everything that was tried to find a tuned recipe."""
    data = tables.tuning(folder)
    constants = [
        name for name in data if name not in ("step", "mean", "chosen") and not name.startswith("mae ")
    ]
    shown = data.assign(**data[constants].map(lambda v: v if isinstance(v, str) else f"{v:g}"))
    return captioned(data, "MAE (BPM) of every setting tried, on people whom neither fold tests.", shown)


def generalization(results: Results) -> Table:
    """MAE on a set that was not trained on, beside that of networks trained on other people of it."""
    data = by_recipe(results, lambda recipe: across.table(results, recipe))
    shown = data[["recipe", "dataset", "people", "strategy", "student"]]
    shown = shown.assign(everyone=told(data, "everyone"), people_in_both=data.both)
    shown = shown.assign(**{name: told(data, name) for name in ("held_out", "in_domain", "gap")})
    caption = (
        "MAE (BPM) on a set not in training: all its people; then held out, in domain and gap, same people."
    )
    return captioned(data, caption, shown)


def transfer(results: Results) -> Table:
    """What a teacher is worth on a set that neither it nor its student has seen."""
    data = by_recipe(results, lambda recipe: across.gains(results, recipe))
    caption = "Strategy - scratch (BPM) on a set that was not trained on, paired by person."
    return captioned(data, caption, with_effect(data, ["recipe", "dataset", "strategy", "student"]))


def rules() -> Table:
    """How a verdict is reached."""
    return captioned(pd.DataFrame(outcome.RULES, columns=["verdict", "rule"]), "How a verdict is reached.")


def glossary() -> Table:
    """The words."""
    return captioned(pd.DataFrame(outcome.GLOSSARY, columns=["word", "meaning"]), "Words.")
