"""All figures of a study: each function draws its table and returns a `Plot`, which a notebook shows and `save` writes.

Functions of `results` take what `tables.load` gives and draw a panel a recipe; the others take frames, and a
`label` ("simulated recordings") for what a frame does not say. Titles are computed from what is drawn."""

import textwrap
from itertools import cycle, product

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ppglib import scaling, task
from ppglib.results import across as elsewhere
from ppglib.results import controls as compared
from ppglib.results import evidence as ev
from ppglib.results import fields as seen
from ppglib.results import kit, laws, outcome, tables
from ppglib.results import students as cheap
from ppglib.results.frames import by_recipe, stacked
from ppglib.results.kit import ACCENT, FILLS, INK, MAE, MARKS, PAPER, SIGNIFICANT, STUDENT, VERDICTS, Plot, look
from ppglib.windows import gather

AREAS = (60, 520)  # points^2: the smallest and the largest MAE of Figure 1
ENOUGH = 50  # windows behind a point of the reliability diagram; the share of fewer is chance
FIELD = "receptive field in the window (s)"
EFFECT = "MAE − scratch (BPM)"


def verdicts(judged: dict[str, pd.DataFrame]) -> Plot:
    """Every claim (rows) and its verdict by each column's evidence, as `claims.judge` gives it."""
    data = stacked(judged, "recipe")
    stated = data.drop_duplicates("id").set_index("id").claim
    edge, middle = 3.2, {"ha": "center", "va": "center", "size": 12}  # the claims are as wide as 3.2 cells
    fig, [ax] = kit.figure(1, 1, 1.75 * (edge + len(judged)), 0.1 + 0.47 * len(stated))
    for row, (number, claim) in enumerate(stated.items()):
        ax.text(0.19 - edge, row, number, ha="right", va="center", weight="bold", size=12)
        ax.text(0.26 - edge, row, kit.wrapped(claim, 55), va="center", size=12, linespacing=1.0)
    for column, (name, table) in enumerate(judged.items()):
        ax.text(column + 0.475, -0.75, name, weight="bold", **middle)
        for found in table.itertuples():
            color, symbol, word, ink = VERDICTS[found.verdict]
            row = stated.index.get_loc(found.id)
            ax.barh(row, 0.95, 0.88, left=column, facecolor=color, edgecolor="0.35")
            ax.text(column + 0.475, row, f"{symbol} {found.how or word}", color=ink, **middle)
    ax.set(xlim=(-edge, len(judged)), ylim=(len(stated) - 0.4, -1.2))
    ax.set_axis_off()
    held = kit.said(data, lambda rows: (rows.verdict == outcome.YES).sum())
    return Plot(fig, data, "08_verdicts", f"Reproduced, of {len(stated)} claims: {held}")


def _gains(own: ev.Evidence) -> pd.DataFrame:
    """What Table 2 has against scratch at the largest teacher: every student, and the "mean" of them."""
    rows, names = [], set(own.mae.index.get_level_values("strategy")) - {"scratch", *tables.beyond()}
    for name in kit.ordered(names):
        found = ev.pairs(own.mae, name, "scratch", {0, ev.top(own.mae)})
        chosen = [(pair[0][1], [pair]) for pair in found] + [("mean", found)] * bool(found)
        rows += [compared.compare(own, student, name, pairs) for student, pairs in chosen]
    return compared.frame(rows, "student", "strategy")


def gains(results) -> Plot:
    """Paired difference of MAE from scratch by student size, a panel a strategy, recipes side by side."""
    data = by_recipe(results, lambda recipe: _gains(ev.ours(results, recipe)))
    fills = dict(zip(data.recipe.unique(), cycle(FILLS)))
    students = [*sorted({*data.student} - {"mean"}), "mean"]
    fig, panels = kit.panels(data, "strategy", 3.2, 3.5, sharey=True)
    for ax, rows in panels:
        ax.axhline(0, color="0.5", lw=1)
        ax.axvline(len(students) - 1.5, color="0.55", lw=0.8, ls=":")
        style = look(rows.strategy.iloc[0]) if len(rows) else {}
        parts = [(rows[rows.recipe == name], ["effect"], style | {"mfc": fills[name]}) for name in fills]
        kit.beside(ax, students, parts, 0.36)
        ax.set_xticks(range(len(students)), [*students[:-1], "\nmean"])
    for name, fill in fills.items():
        ax.plot([], [], "o", color=INK, mfc=fill, label=f"recipe {name}")
    ax.plot([], [], color=INK, lw=0.9, label="95 % interval, thin with other seeds; *: significant")
    fig.supylabel(EFFECT, size=12)
    means = data[data.student == "mean"]
    better = kit.said(means, lambda rows: " and ".join(rows.strategy[rows.reading == "better"]) or "none")
    return Plot(fig, data, "05_gains", f"Significantly better than scratch, mean over sizes: {better}")


def cost(results) -> Plot:
    """MAE of every strategy at the largest teacher against multiply-accumulates of a window."""
    from ppglib.resnet1d import macs

    conditions = tables.conditions(results)
    data = by_recipe(results, lambda recipe: tables.table2(conditions, recipe))
    data = data.assign(mmacs=[macs(int(blocks)) / 1e6 for blocks in data.student])
    fig, panels = kit.panels(data, "recipe", 5.6, 4.2, sharey=True)
    for ax, rows in panels:
        kit.lines(ax, rows, "strategy", "mmacs", "mae", xscale="log", xlabel="10⁶ multiply-accumulates [blocks]")
        scratch = rows[rows.strategy == "scratch"]
        kit.dots(ax, scratch.mmacs, scratch, "mae", elinewidth=1.3, **look("scratch"))
        texts = [f"{m:.2g}\n[{blocks}]" for m, blocks in zip(scratch.mmacs, scratch.student)]
        ax.set_xticks(scratch.mmacs, texts)
        ax.minorticks_off()
        kit.bar(ax, tables.baselines(conditions[conditions.recipe.isin(rows.recipe)]))
    panels[0][0].set_ylabel(f"{MAE}\nbars: scratch, 95 % interval")
    ends = data[data.strategy == "scratch"].sort_values("student")
    ends = kit.said(ends, lambda rows: f"{rows.mae.iloc[-1]:.1f} to {rows.mae.iloc[0]:.1f} BPM")
    share = 100 * data.mmacs.min() / data.mmacs.max()
    return Plot(fig, data, "05_cost", f"With {share:.0f} % of the arithmetic the MAE from scratch goes from {ends}")


def receptive_field(results, paper) -> Plot:
    """MAE against what a network sees, coloured by its size, and against its size, coloured by what it sees.

    Crosses are the paper's sizes, squares see a window in pieces. results, paper: as for `fields.foresight`."""
    data, sizes, bars = seen.table(results), seen.sizes(results, paper), tables.baselines(tables.conditions(results))
    strategies, axes_of = list(dict.fromkeys(data.strategy)) or [""], {"field": FIELD, "parameters": "parameters"}
    fig, axes = kit.figure(len(strategies), 2, 5.6, 3.6, sharey=True)
    scales = [LogNorm(*data[name].agg(["min", "max"])) if len(data) else LogNorm(1, 2) for name in axes_of]
    for i, (strategy, (x, shade)) in enumerate(product(strategies, (("field", "parameters"), ("parameters", "field")))):
        ax, rows, scale = axes[i], data[data.strategy == strategy], scales[1 - i % 2]
        theirs = sizes[sizes.strategy == strategy].sort_values(x)
        ax.plot(theirs[x], theirs.mae, "x--", color="black", ms=9, lw=1, label="the paper's sizes", zorder=3)
        kit.dots(ax, rows[x], rows, "mae", marker="", elinewidth=0.7, color="0.55", zorder=1)
        whole = ~rows.design.str.contains("p")
        for own, marker, name in ((whole, "o", "window in one piece"), (~whole, "s", "window in pieces")):
            style = {"c": rows[shade][own], "cmap": "viridis_r", "norm": scale, "marker": marker, "label": name}
            ax.scatter(rows[x][own], rows.mae[own], s=46, zorder=4, edgecolors="0.2", linewidths=0.5, **style)
        kit.bar(ax, bars, label=False)
        ends = pd.concat([data[x], sizes[x]]).agg(["min", "max"]) * [0.85, 1.15] if len(data) else (1, 2)
        ax.set(xscale="log", xlabel=axes_of[x], xlim=tuple(ends))
        ax.set_title(strategy, loc="left", weight="bold")
    for ax in axes[::2]:
        ax.set(xticks=(0.5, 1, 2, 4, 8), xticklabels=["0.5", "1", "2", "4", "8"], ylabel=MAE)
        ax.minorticks_off()
    for column, shade in enumerate(("parameters", "field")):
        bar = fig.colorbar(ScalarMappable(scales[1 - column], "viridis_r"), ax=axes[column::2], shrink=0.9, aspect=30)
        bar.set_label(axes_of[shade])
    fig.axes[-1].set_yticks((0.5, 1, 2, 4, 8), ["0.5", "1", "2", "4", "8"])
    fig.axes[-1].minorticks_off()
    say = lambda rows: ", ".join(f"{row.field:.1f} s: {row.mae:.2f} BPM" for row in rows.itertuples())  # noqa: E731
    first = data[data.network == "1"].drop_duplicates("strategy")  # and of the same cost the one that sees most
    same = data.merge(first[["strategy", "parameters", "macs"]]).sort_values("field").groupby("strategy", sort=False)
    text = kit.said(same.nth([0, -1]), say, "strategy")
    text = f"The same small network, seeing less and more of the window: {text or 'was not run'}"
    return Plot(fig, pd.concat([data, sizes]), "10_receptive_field", text)


def front(table: pd.DataFrame) -> Plot:
    """MAE against multiply-accumulates and parameters: the paper's sizes, networks that see the whole window, and
    what a teacher brings either. table: as `students.front` gives it."""
    fig, axes = kit.figure(1, 2, 5.6, 4.6, sharey=True)
    looks = {cheap.SIZES: ("x", INK, "--"), cheap.SEES: ("o", ACCENT, "-")}
    for ax, (x, unit, name) in zip(axes, (("macs", 1e6, "10⁶ multiply-accumulates"), ("parameters", 1, "parameters"))):
        for kind, (marker, color, ls) in looks.items():
            rows = table[(table.kind == kind) & (table.strategy == "gaussian")].sort_values(x)
            label = f"{kind}, Gaussian labels"
            kit.dots(ax, rows[x] / unit, rows, "mae", color=color, marker=marker, ls=ls, ms=7, elinewidth=0.8, label=label)
        pairs = table[table.strategy.isin(["scratch", "dkd"])].pivot_table(
            index=["kind", "network", x], columns="strategy", values="mae", sort=False
        ).reindex(columns=["scratch", "dkd"])
        for (kind, _, at), row in pairs.dropna().iterrows():
            arrow = {"arrowstyle": "-|>", "color": looks[kind][1], "lw": 1.4, "mutation_scale": 13, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (at / unit * 1.1, row.dkd), (at / unit * 1.1, row.scratch), arrowprops=arrow)
        ax.set(xscale="log", xlabel=name)
    axes[0].set_ylabel(MAE + "\narrows: from scratch to taught (DKD)")
    return Plot(fig, table, "10_front", _front_text(table))


def _front_text(table: pd.DataFrame) -> str:
    """The paper's smallest network beside the best that costs no more, and the cheapest that errs no more."""
    own = table[table.strategy == "gaussian"].sort_values("macs")
    bar, ours = own[(own.kind == cheap.SIZES) & (own.network == "1")], own[own.kind == cheap.SEES]
    if bar.empty or ours.empty:
        return "MAE against cost"
    bar = bar.iloc[0]
    told = f"The paper's smallest network errs by {bar.mae:.2f} BPM ({bar.macs / 1e6:.2g} MMAC)"
    within, alike = ours[ours.macs <= bar.macs].sort_values("mae"), ours[ours.mae <= bar.mae]
    if len(within):
        told += f"; one of that cost that sees the whole window by {within.mae.iloc[0]:.2f}"
    return told + (f", and one of {alike.macs.iloc[0] / 1e6:.2g} MMAC by {alike.mae.iloc[0]:.2f}" if len(alike) else "")


def permuted(results) -> Plot:
    """What another order of the pieces of a window does to networks without a teacher, by the length of the pieces."""
    every = seen.permuted(results)
    smallest = every[every.network == "1"][["parameters", "macs"]].drop_duplicates()
    data = every.merge(smallest)
    fig, panels = kit.panels(data, "strategy", 5.4, 4.4, sharey=True)
    for ax, rows in panels:
        ax.axhline(0, color="0.5", lw=1)
        for (field, line), color, marker, style in kit.shades(rows.groupby("field")):
            limits = {"color": color, "marker": marker, "ls": style, "elinewidth": 1.2}
            line = line.assign(mae=line.effect)
            kit.dots(ax, line.seconds, line, "mae", label=f"sees {field:.2g} s", **limits)
        ax.set(xscale="log", xticks=(0.4, 1, 2, 4), xticklabels=["0.4", "1", "2", "4"], xlabel="length of the pieces (s)")
        ax.minorticks_off()
    panels[0][0].set_ylabel("MAE, permuted − as recorded (BPM)")
    ends = data[data.seconds == 1].sort_values("field").groupby("strategy", sort=False).nth([0, -1])
    told = "seeing {0.field:.1f} s {0.effect:+.2f} BPM".format
    say = lambda rows: ", ".join(map(told, rows.itertuples()))  # noqa: E731
    text = kit.said(ends, say, "strategy")
    text = f"Pieces of 1 s in another order, the same small network: {text}"
    return Plot(fig, data, "10_permuted", text)


def foresight(table: pd.DataFrame) -> Plot:
    """How far laws that are fitted to the paper's networks miss the others: a panel a strategy."""
    fig, panels = kit.panels(table, "strategy", 5.4, 4.2, sharex=True)
    for ax, rows in panels:
        rows = rows.sort_values("error", ascending=False).reset_index(drop=True)
        names = [f"{law} in {x}".replace("macs", "MACs") if x else law for law, x in zip(rows.law, rows.x)]
        color = [ACCENT if x == "field" else INK for x in rows.x]
        for at, row in rows.iterrows():
            kit.dots(ax, [at], rows.loc[[at]], "error", "error_low", "error_high", flat=True, color=color[at])
        ax.set(yticks=range(len(rows)), yticklabels=names, xlabel="mean error of what was foreseen (BPM)")
    fig.axes[0].set_xlim(0, 1.05 * table.error_high.max() if len(table) else 1)
    say = lambda rows: "{:.2f} against {:.2f} BPM".format(  # noqa: E731
        *(rows.set_index(["law", "x"]).error[key] for key in (("power", "field"), ("exponential", "blocks")))
    )
    text = "Mean error for networks that they were not fitted to, power law in the field against exponential in blocks"
    return Plot(fig, table, "10_foresight", f"{text}: {kit.said(table, say, 'strategy')}")


def _grid(data: pd.DataFrame, value: str, size: pd.Series, ends, cmap: str, label: str) -> Figure:
    """Discs by teacher (0 = scratch) and student: colour is `value` between `ends`, below it its text, in ink."""
    students = sorted(data.student.unique())
    data = data.assign(area=np.interp(size, [size.min(), size.max()], AREAS))
    widths = [max(2.9, 1.2 + 0.8 * n) for n in data.groupby("recipe", sort=False).teacher.nunique()] or [4]
    share = {"width_ratios": widths, "sharey": True}
    fig, panels = kit.panels(data, "recipe", np.mean(widths), 1.5 + 0.6 * max(4, len(students)), **share)
    colors = {"cmap": colormaps[cmap].resampled(24), "vmin": ends[0], "vmax": ends[1]}
    for ax, rows in panels:
        teachers = sorted(rows.teacher.unique())
        x, y = rows.teacher.map(teachers.index), rows.student.map(students.index)
        dots = ax.scatter(x, y + 0.12, rows.area, rows[value], edgecolors="0.35", lw=0.6, **colors)
        for at, up, text, ink in zip(x, y, rows.text, rows.ink):
            weight = "bold" if "*" in text else "normal"
            ax.text(at, up - 0.21, text, ha="center", va="top", size=10, color=ink, weight=weight)
        kit.categories(ax, [teacher or "scratch" for teacher in teachers], "Teacher (blocks)")
    panels[0][0].set(yticks=range(len(students)), yticklabels=students, ylabel=STUDENT)
    panels[0][0].set_ylim(-0.75, len(students) - 0.4)
    fig.colorbar(dots, ax=fig.axes, pad=0.01, fraction=0.05, label=label)
    return fig


def figure1(results) -> Plot:
    """MAE of every student and teacher, "scratch" left-most; colour and size of a disc are MAE (Figure 1)."""
    conditions = tables.conditions(results)
    data = by_recipe(results, lambda recipe: tables.figure1(conditions, recipe))
    drawn = data.assign(text=data.mae.map("{:.2f}".format), ink="black")
    fig = _grid(drawn, "mae", data.mae, (data.mae.min(), data.mae.max()), "viridis_r", MAE)
    best = data.loc[data.groupby("recipe", sort=False).mae.idxmin()].astype({"mae": object})
    best = kit.said(best, lambda rows: "{0.mae:.2f} BPM by {0.student} blocks, taught by {0.teacher}".format(rows.iloc[0]))
    text = f"Lowest MAE: {best.replace(', taught by 0', ' from scratch').replace(' 1 blocks', ' 1 block')}"
    return Plot(fig, data, "04_figure1", text)


def figure1_gain(results) -> Plot:
    """Figure 1 as difference from scratch; in grey: students at least as large as their teacher."""

    def differences(recipe):
        own = ev.ours(results, recipe)
        pairs = [(key, ("scratch", key[1], 0)) for key in own.mae.index if key[0] == "soft"]
        rows = [compared.compare(own, *pair[0][1:], [pair]) for pair in pairs if pair[1] in own.mae.index]
        return compared.frame(rows, "student", "teacher")

    data = by_recipe(results, differences)
    reach, star = data.effect.abs().max(), np.where(data.reading.isin(SIGNIFICANT), "*", "")
    text = data.effect.map("{:+.2f}".format).str.replace("-", "−") + star
    drawn = data.assign(text=text, ink=np.where(data.student < data.teacher, "black", "0.45"))
    fig = _grid(drawn, "effect", data.effect.abs(), (-reach, reach), "RdBu_r", EFFECT)
    fig.supxlabel("Blue: better; *: significant; grey: student at least as large as its teacher", size=11)
    below = data[data.student < data.teacher]
    better, worse = (kit.said(below.assign(hit=below.reading == w), lambda t: kit.count(t.hit)) for w in SIGNIFICANT)
    text = f"Soft students of larger teachers, significantly better than scratch: {better}; worse: {worse}"
    return Plot(fig, data, "04_figure1_gain", text)


def figure2(results) -> Plot:
    """MAE of soft students below their teacher, with the law of each teacher that has one (Figure 2)."""
    form, conditions = scaling.FORMS["exponential"], tables.conditions(results)

    def points(recipe):
        rows, law = tables.figure1(conditions, recipe), laws.table(ev.ours(results, recipe).mae)
        return rows[rows.student < rows.teacher].merge(law[["teacher", *form.names, "note"]], on="teacher")

    data = by_recipe(results, points)
    fig, panels = kit.panels(data, "recipe", 6.2, 4.9)
    looks = {name: {"color": color, "marker": mark, "ls": ls} for (name, _), color, mark, ls in kit.shades(data.groupby("teacher"))}
    for ax, own in panels:
        for i, (teacher, rows) in enumerate(own.groupby("teacher")):
            law, style = rows.iloc[0], looks[teacher]
            text = ", ".join(f"{name} {law[name]:.2f}" for name in sorted(form.names))
            x = rows.student + 0.07 * (i - (own.teacher.nunique() - 1) / 2)
            kit.dots(ax, x, rows, "mae", elinewidth=0.9, **style | {"ls": "", "ms": 5})
            grid = np.linspace(rows.student.min(), rows.student.max(), 200)
            values = scaling.predict(form, law[[*form.names]].astype(float), grid)  # NaN without a law
            ax.plot(grid, values, markevery=[], label=f"{teacher}: {law.note.split(':')[0] or text}", **style)
        ax.set(xlabel=STUDENT, xticks=sorted(own.student.unique()), ylabel=MAE)
        kit.bar(ax, tables.baselines(conditions[conditions.recipe.isin(own.recipe)]), label=False)
        where = {"loc": "upper right", "bbox_to_anchor": (1, 0.95)}  # where errors of large students would be, below the baseline
        ax.legend(*ax.get_legend_handles_labels(), title=f"Teacher: {form.text}", fontsize=10, frameon=False, **where)
    fitted = kit.said(data.drop_duplicates(["recipe", "teacher"]), lambda rows: kit.count(rows.note == ""))
    return Plot(fig, data, "06_figure2", f"Teachers whose students determine a scaling law: {fitted}")


def forecast(forecasts: dict[str, pd.DataFrame]) -> Plot:
    """Larger students as forecast from the small ones and as observed; a panel a table of `laws.forecast`."""
    data = stacked(forecasts, "recipe")
    fig, panels = kit.panels(data, "recipe", 4.2, 3.9)
    made = {"color": "0.55", "marker": "s", "label": "forecast (95 % prediction interval)"}
    seen = {"color": ACCENT, "label": "observed (95 % interval over people)"}
    columns = ["observed", "observed_low", "observed_high"]
    for ax, rows in panels:
        kit.beside(ax, [*rows.student.astype(int)], [(rows, ["predicted"], made), (rows, columns, seen)], 0.2)
    panels[0][0].set_ylabel(MAE)
    inside = kit.said(data, lambda rows: kit.count(rows.inside))
    text = f"Students larger than {laws.SMALL} blocks inside their prediction interval: {inside}"
    return Plot(fig, data, "06_forecast", text)


def _effects(data: pd.DataFrame, what: pd.Series, mark, name: str, text: str) -> Plot:
    """Forest of effects (BPM) with 95 % intervals, thin where other seeds are added; a panel a recipe.

    what: the line of each row. mark: in MARKS; the title counts what is reproduced or significant."""
    shown = data.assign(what=what, mark=mark).dropna(subset="effect")
    lines = [*dict.fromkeys(shown.what)]
    ticks = [textwrap.fill(line, 46) if "\n" not in line else line for line in lines]
    height = 1.2 + sum(0.34 + 0.17 * tick.count("\n") for tick in ticks)
    fig, panels = kit.panels(shown, "recipe", 6, height, sharey=True)
    for ax, rows in panels:
        ax.axvline(0, color="0.5", lw=1)
        for of, part in rows.groupby("mark", sort=False):
            kit.dots(ax, part.what.map(lines.index), part, "effect", flat=True, label=of, **MARKS[of])
        ax.set(xlabel="Effect (BPM; below 0: lower MAE), own scale", ylim=(len(lines) - 0.4, -0.6))
    panels[0][0].set_yticks(range(len(lines)), ticks)
    said = kit.said(shown, lambda rows: kit.count(rows.mark.isin([outcome.YES, "significant"])))
    return Plot(fig, data.dropna(subset="effect"), name, f"{text}: {said}")


def claim_effects(judged: dict[str, pd.DataFrame]) -> Plot:
    """Effects of the claims that are differences of MAE, coloured by verdict; see `claims.judge`."""
    data = stacked(judged, "recipe").query("recipe != \"paper's tables\"")
    data = data[(data.kind == "gap") & (data.unit == "BPM")]
    what = data.id.astype(str) + ". " + data.claim
    return _effects(data, what, data.verdict, "08_effects", "Reproduced, of the claims drawn")


def controls(results) -> Plot:
    """The controls that the paper lacks, under their questions; filled where significant."""
    data = by_recipe(results, lambda recipe: compared.table(results, recipe)).dropna(subset="effect")
    data = data.iloc[pd.factorize(data.control)[0].argsort(kind="stable")]
    first = data.compared.where(data.control.duplicated(), data.control + "\n" + data.compared)
    names = dict(zip(data.compared[::-1], first[::-1]))
    mark = np.where(data.reading.isin(SIGNIFICANT), "significant", "not significant")
    return _effects(data, data.compared.map(names), mark, "08_controls", "Significant effects")


def reliability(results) -> Plot:
    """Share of windows in the right bin against confidence, of the smallest networks."""
    student = results.runs.student[results.runs.student > 0].min()
    data = by_recipe(results, lambda recipe: tables.reliability(results, recipe, student))
    data = data[data.n >= ENOUGH]
    fig, panels = kit.panels(data, "recipe", 4.6, 4.4, sharey=True, sharex=True)
    end = min(1, 1.12 * max([0.1, *data.confidence, *data.accuracy]))
    axis = {"xlabel": "Confidence (largest probability)", "xlim": (0, end), "ylim": (0, end)}
    for ax, rows in panels:
        ax.plot([0, 1], [0, 1], color="0.55", lw=1, label="calibrated")
        rows = rows.sort_values("strategy", key=lambda names: names.map(kit.ordered(names).index), kind="stable")
        kit.lines(ax, rows, "strategy", "confidence", "accuracy", **axis)
    panels[0][0].set_ylabel("Share of windows in the right bin")
    over = data.assign(excess=(data.confidence - data.accuracy) * data.n).groupby(["recipe", "strategy"], sort=False)
    over = (over.excess.sum() / over.n.sum()).rename("excess").reset_index()
    most = lambda rows: "{0.strategy} {0.excess:+.2f}".format(rows.loc[rows.excess.idxmax()])  # noqa: E731
    text = "Most overconfident of the smallest networks, confidence minus hits:"
    return Plot(fig, data, "08_reliability", f"{text} {kit.said(over, most)}")


def across(results) -> Plot:
    """MAE on a set not in training (filled) and with other people of it in training (hollow), a panel a set.

    The same people behind both and the baseline, with 95 % intervals over them."""
    data = by_recipe(results, lambda recipe: elsewhere.table(results, recipe))
    data = data.assign(tested=data.both.where(data.both > 0, data.people), mae=data.held_out)
    alone, data = data[data.strategy.isin(tables.BASELINES)], data[data.student.isin(data.student[data.teacher > 0])]
    students, names = sorted(data.student.unique()), kit.ordered(data.strategy)
    kinds = [*zip(("held_out", "in_domain"), FILLS)]
    fig, panels = kit.panels(data, ["recipe", "dataset"], 3.9, 4, 3)  # the intervals of four people would hide all others
    for ax, rows in panels:
        series = []
        for name, (kind, fill) in product(names, kinds):
            style = look(name) | {"mfc": fill, "label": f"{name}, {kind.replace('_', ' ')}"}
            series.append((rows[rows.strategy == name], [kind, f"{kind}_low", f"{kind}_high"], style))
        kit.beside(ax, students, series, 0.12)
        ax.set_ylim(0, None)
        kit.bar(ax, alone[alone.recipe.isin(rows.recipe) & alone.dataset.isin(rows.dataset)])
    panels[0][0].set_ylabel(f"{MAE}, own scale")
    gap = data.dropna(subset="gap")
    text = f"A set not in training costs {gap.gap.median():.1f} BPM in the median, significantly so for"
    text = f"{text} {kit.count(gap.gap_low > 0)} networks" if len(gap) else "Sets that were not in training"
    return Plot(fig, data, "09_across", text)


def label_shift(data: pd.DataFrame, label: str = "") -> Plot:
    """Share of windows whose spectrum fits the label of another moment, see `inspection.label_shift`."""
    fig, [ax] = kit.figure(1, 1, 8.5, 3.9)
    ax.axvline(0, color="0.55", lw=1)
    axis = {"xlabel": "Label taken from so many seconds later (s)", "ylabel": "Share within 5 BPM"}
    kit.lines(ax, data, "dataset", "shift", "within5", ylim=(0, 1), **axis)
    best = data.loc[data.dropna(subset="within5").groupby("dataset", sort=False).within5.idxmax()]
    best = kit.said(best, lambda rows: f"{rows['shift'].iloc[0]:g} s", "dataset")
    return Plot(fig, data, "01_shifted_labels", f"Spectrum and label agree best at a shift of {best}", label)


def examples(drawn: pd.DataFrame, label: str = "") -> Plot:
    """One window of each set, as `inspection.example` gives them: dataset, hr (BPM), time (s), ppg (z)."""
    fig, panels = kit.panels(drawn, ["dataset"], 8.5, 1.7, 1, sharex=True)
    for ax, rows in panels:
        ax.plot(rows.time, rows.ppg, color=INK)
        for beat in np.arange(0, rows.time.max(), 60 / rows.hr.iloc[0]):
            ax.axvline(beat, color="0.55", lw=1, zorder=0)
        ax.set_ylabel(f"{rows.hr.iloc[0]:.1f} BPM")
    ax.set_xlabel("Time (s)")
    text = "One window of each set; grey lines are one beat of its label apart"
    return Plot(fig, drawn, "01_one_window_each", text, label)


def table1(table: pd.DataFrame) -> Plot:
    """Size and arithmetic: blocks, paper and as_in_paper (parameters), live (those in use), mmacs."""
    fig, [left, right] = kit.figure(1, 2, 4.9, 3.9)
    names = {"live": "ours, in use", "as_in_paper": "ours, all as in the paper", "paper": "paper"}
    sizes = table.rename(columns=names).melt("blocks", names.values())
    axis = {"xlabel": "Blocks", "xticks": table.blocks}
    kit.lines(left, sizes, "variable", "blocks", "value", ylabel="Parameters (log)", yscale="log", **axis)
    right.plot(table.blocks, table.mmacs, "o-", color=INK)
    right.set(ylabel="10⁶ multiply-accumulates a window", ylim=(0, None), **axis)
    times, equal = table.iloc[-1] / table.iloc[0], kit.count(table.paper == table.as_in_paper)
    text = f"Parameters equal the paper's at {equal} sizes; those in use grow {times.live:.0f}-fold"
    return Plot(fig, table, "02_table1", f"{text}, arithmetic {times.mmacs:.0f}-fold")


def training_curves(curves: pd.DataFrame, label: str = "") -> Plot:
    """Training loss: index epoch, a column a network ("1 blocks, fold 0")."""
    fig, [ax] = kit.figure(1, 1, 8.5, 4.2)
    long = curves.rename_axis("epoch").reset_index().melt("epoch", var_name="network")
    ticks = curves.index[:: 1 + len(curves) // 12].astype(float)  # without networks they would be no numbers
    kit.lines(ax, long, "network", "epoch", "value", xlabel="Epoch", ylabel="Training loss (nats)", xticks=ticks)
    last = curves.tail(1).squeeze(axis=0).sort_values().iloc[[-1, 0]] if len(curves) else pd.Series(dtype=float)
    ends = " to ".join(f"{value:.2f} ({name})" for name, value in last.items())
    text = f"Training loss after {len(curves)} epochs: {ends}"
    return Plot(fig, curves.reset_index(), "03_training_curves", text, label)


def table3(time: pd.DataFrame, memory: pd.DataFrame) -> Plot:
    """Time (device, blocks, seconds) and memory (device, parameters_mb, memory_mb)."""
    time = time.assign(relative=time.seconds / time.groupby("device").seconds.transform("last"))
    fig, [left, right] = kit.figure(1, 2, 6.2, 5)
    axis = {"xlabel": "Blocks", "xticks": time.blocks.unique(), "ylabel": "Time of a call (largest = 1)"}
    kit.lines(left, time, "device", "blocks", "relative", ylim=(0, None), **axis)
    axis = {"xlabel": "Parameters in use (MB)", "ylabel": "Peak memory (MB), no framework"}
    kit.lines(right, memory, "device", "parameters_mb", "memory_mb", ylim=(0, None), **axis)
    for ax in (left, right):  # each its own: colours mean other things on the other side
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), fontsize=11, frameon=False)
    saved = 100 * (1 - time.relative[time.blocks == time.blocks.min()])
    text = f"The smallest network saves {saved.min():.0f} to {saved.max():.0f} % of the largest's time"
    return Plot(fig, pd.concat([time, memory], ignore_index=True), "07_table3", text)


def training_cost(speed: pd.DataFrame) -> Plot:
    """Windows a second of both loops: blocks, plain, ours, ratio; nothing if it was not measured."""
    speed = speed.reindex(columns=["blocks", "plain", "ours", "ratio"])
    fig, [ax] = kit.figure(1, 1, 6.5, 4)
    loops = speed.rename(columns={"plain": "plain training loop"}).drop(columns="ratio").melt("blocks")
    axis = {"xlabel": "Blocks", "ylabel": "Windows a second", "xticks": speed.blocks}
    kit.lines(ax, loops, "variable", "blocks", "value", ylim=(0, None), **axis)
    text = f"Our training loop is {speed.ratio.min():.1f} to {speed.ratio.max():.1f} times as fast as the plain one"
    return Plot(fig, speed, "07_training", text)


def window_and_distribution(windows, row: int, probability, label: str = "") -> Plot:
    """A window, a row of `windows.table`, the distribution (180,) predicted for it, and its true rate."""
    about, (decoded,) = windows.table.iloc[row], task.decode(np.asarray(probability)[None])
    ppg, time = gather(windows.signal, [about.start])[0], np.arange(task.LENGTH) / task.RATE
    fig, [above, below] = kit.figure(2, 1, 8.5, 2.6)
    above.plot(time, ppg, color=INK)
    above.set(xlabel="Time (s)", ylabel="PPG (z)")
    below.bar(task.CENTRES, probability, 1.0, color="0.55")
    below.axvline(about.hr, color="black", label="true heart rate")
    below.plot(decoded, 1.08 * np.max(probability), "v", color=PAPER, ms=11, label="decoded by argmax")
    below.set(xlabel="Heart rate (BPM)", ylabel="Probability", xlim=task.HR_RANGE)
    data = pd.DataFrame({"time": time, "ppg": ppg, "hr": about.hr, "decoded": decoded})
    bins = pd.DataFrame({"bpm": task.CENTRES, "probability": probability})
    data = data.assign(simulated=about.simulated).join(bins)
    text = f"From {task.WINDOW_SECONDS:g} s of pulse: decoded {decoded:.1f} BPM, true {about.hr:.1f} BPM"
    return Plot(fig, data, "00_window", text, label)
