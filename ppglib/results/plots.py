"""All figures: each function draws its table and returns a `Plot`, which a notebook shows and `save` writes.

Functions of `results` take what `tables.load` gives and draw a panel a recipe; the others take frames.
Titles are computed from what is drawn. `label` says whose recordings a frame is of, if it does not itself.
"""

import io
import textwrap
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from PIL import Image

from ppglib import files, scaling, task
from ppglib.results import across as elsewhere
from ppglib.results import controls, laws, outcome, tables
from ppglib.results import evidence as ev

# Strategy: colour (Okabe and Ito; brown for their yellow, which is pale on white) and marker.
LOOK = {
    "scratch": ("#000000", "o"),
    "hard": ("#d55e00", "v"),
    "soft": ("#0072b2", "s"),
    "feature": ("#009e73", "^"),
    "dkd": ("#cc79a7", "D"),
    "soft8": ("#e69f00", ">"),
    "soft_t1": ("#8f5a00", "<"),
    "gaussian": ("#56b4e9", "p"),
}
NAMES = {
    "dkd": "DKD",
    "soft8": "soft8 (truth + 8 × soft)",
    "soft_t1": "soft_t1 (temperature 1)",
    "gaussian": "gaussian (no teacher)",
}
# Verdict: colour (Tol's "muted", apart from every strategy's), symbol, and the colour of text on it.
VERDICTS = {
    outcome.YES: ("#44aa99", "✓", "black"),
    outcome.NO: ("#882255", "✗", "white"),
    outcome.CONTROL: ("#ddcc77", "≈", "black"),
    outcome.CANNOT: ("#dddddd", "–", "0.25"),
}
SHORT = {outcome.CONTROL: "control explains", outcome.CANNOT: "not testable", "unsure": "not significant"}
SIGNIFICANT = ("better", "worse")  # readings of an effect that is
INK, ACCENT = "#444444", "#332288"  # what belongs to no strategy
NARROWEST = 6.5  # inches: of a figure, so that its title is not broken into many lines
AREAS = (60, 520)  # points^2: the smallest and the largest MAE of Figure 1
ENOUGH = 50  # windows behind a point of the reliability diagram
STYLE = {
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "lines.linewidth": 1.8,
    "pdf.fonttype": 42,
}
MAE, STUDENT = "MAE (BPM)", "Student (blocks)"
styled = rc_context(STYLE)  # a decorator: the style holds while a figure is drawn, and nowhere else


@dataclass(repr=False)
class Plot:
    """A figure with the data behind it, its file name, and its title: what the data say, in one sentence."""

    fig: Figure
    data: pd.DataFrame
    name: str
    title: str

    def __repr__(self) -> str:
        return self.title

    def _repr_png_(self) -> bytes:
        return self._bytes("png", dpi=100)

    @styled
    def _bytes(self, kind: str, **options) -> bytes:
        content, small = io.BytesIO(), io.BytesIO()
        self.fig.savefig(content, format=kind, bbox_inches="tight", **options)
        if kind != "png" or any(ax.get_label() == "<colorbar>" for ax in self.fig.axes):
            return content.getvalue()
        few = Image.open(content).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
        few.save(small, "png", optimize=True)  # a third of the size; where shades are data, they stay exact
        return small.getvalue()

    def save(self, out) -> "Plot":
        """Write figures/NAME.png, .pdf and .csv below `out`, each whole or not at all."""
        folder = Path(out) / "figures"
        files.write(folder / f"{self.name}.png", self._bytes("png", dpi=150))
        files.write(folder / f"{self.name}.pdf", self._bytes("pdf", metadata={"CreationDate": None}))
        tables.save(self.data, folder, self.name)
        return self


def look(strategy: str) -> dict:
    """Colour and marker of a strategy; one that LOOK does not know has a grey that its name decides."""
    code = sum(map(ord, strategy))
    color, marker = LOOK.get(strategy, (str(0.35 + 0.1 * (code % 4)), "hH*dX"[code % 5]))
    return {"color": color, "marker": marker}


def _plot(fig: Figure, table: pd.DataFrame, name: str, text: str, label: str = "") -> Plot:
    """Title the figure; with simulated recordings the title says so."""
    if "simulated" in table and table.simulated.astype(bool).any():
        label = label or "simulated recordings"
    text = text[:1].upper() + ", ".join([text[1:], label] if label else [text[1:]])
    lines = textwrap.fill(text, int(8.4 * fig.get_figwidth()))
    fig.suptitle(lines, x=0.01, ha="left", size=14, weight="bold")
    fig.draw_without_rendering()  # lays it out, once: every further time would move it a little
    fig.set_layout_engine("none")
    return Plot(fig, table, name, text)


def _panels(names, width=5.5, height=4.2, columns=4, **share) -> tuple[Figure, np.ndarray]:
    """A figure with a titled panel for each name, at least one; width: of a panel, or one for each."""
    names = list(names) or [""]
    columns = min(columns, len(names))
    widths = np.array(width if np.ndim(width) else [width] * columns, float)
    widths *= max(1, NARROWEST / widths.sum())
    rows = -(-len(names) // columns)
    fig = Figure(figsize=(sum(widths), rows * height + 0.6), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False, width_ratios=widths, **share).ravel()
    for ax, name in zip(axes, names):
        ax.set_title(name)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    return fig, axes


def _recipes(table: pd.DataFrame, width=5.5, height=4.2, **share) -> tuple[Figure, np.ndarray, list]:
    """A figure with a panel a recipe, and the rows of each."""
    groups = list(table.groupby("recipe", sort=False))
    fig, axes = _panels([f"recipe {name}" if name else "" for name, _ in groups], width, height, **share)
    return fig, axes, [rows for _, rows in groups]


def _each(results, make) -> pd.DataFrame:
    """One table of `make(recipe)` of all recipes, with a column recipe."""
    frames = [make(recipe).assign(recipe=recipe) for recipe in tables.recipes(results.runs) or [""]]
    table = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    return table.assign(simulated=bool(results.name))


def _dots(ax, at, rows: pd.DataFrame, middle: str, low="low", high="high", flat=False, seeds=False, **style):
    """Points with 95 % intervals, where known; `seeds`: thin bars where other seeds are added."""
    values, low, high = (rows[name].astype(float) for name in (middle, low, high))
    limits = np.nan_to_num([values - low, high - values]).clip(0)
    style = {"ls": "", "marker": "o", "elinewidth": 2.2, "mew": 1.4, "ms": 6} | style
    if seeds:
        ends = outcome.widened(values, low, high, rows.seed_sd)
        (ax.hlines if flat else ax.vlines)(at, *ends, color=style["color"], lw=0.9)
    if flat:
        ax.errorbar(values, at, xerr=limits, **style)
    else:
        ax.errorbar(at, values, limits, **style)


def _legend(fig, axes, where="lower center", **options) -> None:
    """One legend outside the panels, for what any of them has."""
    found = {text: handle for ax in axes for handle, text in zip(*ax.get_legend_handles_labels())}
    fig.legend(found.values(), found, loc=f"outside {where}", **options)


def _key(ax, label: str, **style) -> None:
    ax.plot([], [], label=label, **({"color": INK, "mew": 1.4} | style))


def _hollow(yes) -> dict:
    return {"mfc": "white"} if yes else {}


def _dodge(i: int, n: int, step: float) -> float:
    return step * (i - (n - 1) / 2)


def _shades(n: int) -> np.ndarray:
    """n colours from light to dark, for sizes and recordings: no strategy has them."""
    return colormaps["viridis_r"](np.linspace(0.2, 1, n))


def _called(strategy: str) -> str:
    return NAMES.get(strategy, strategy)


def _ordered(names) -> list[str]:
    """Strategies in the order of tables, others after them by name."""
    order = {name: place for place, name in enumerate([*tables.STRATEGIES, *tables.BEYOND])}
    return sorted(set(names), key=lambda name: (order.get(name, len(order)), name))


def _listed(parts) -> str:
    *first, last = [*map(str, parts)] or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def _said(table: pd.DataFrame, say, by: str = "recipe") -> str:
    """What `say` says of the rows of each recipe: "3 of 8 (public) and 0 of 8 (tuned)"."""
    groups = table.groupby(by, sort=False) if len(table) else []
    return _listed(f"{say(rows)} ({name})" if name else say(rows) for name, rows in groups)


def _blocks(n: int) -> str:
    return "1 block" if n == 1 else f"{n} blocks"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _categories(ax, values, label: str) -> None:
    ax.set_xticks(range(len(values)), values)
    ax.set(xlabel=label, xlim=(-0.6, len(values) - 0.4))


@styled
def verdicts(judged: dict[str, pd.DataFrame], label: str = "") -> Plot:
    """Every claim (rows) and its verdict by each column's evidence; id, claim, verdict and how of each."""
    data = pd.concat(judged, names=["evidence"]).reset_index("evidence")
    claims = data.drop_duplicates("id").set_index("id").claim
    cell, left, wide = 1.95, 6.3, 0.95  # inches: a cell, the claims; the part of a cell that is coloured
    fig = Figure((left + cell * len(judged) + 0.2, 1.3 + 0.47 * len(claims)), layout="constrained")
    ax, edge = fig.subplots(), left / cell
    for row, (number, claim) in enumerate(claims.items()):
        ax.text(0.18 - edge, row, number, ha="right", va="center", weight="bold")
        ax.text(0.25 - edge, row, textwrap.fill(claim, 72), va="center", size=11, linespacing=1.05)
    for column, (name, table) in enumerate(judged.items()):
        ax.text(column + wide / 2, -0.75, name, ha="center", va="bottom", weight="bold")
        for found in table.itertuples():
            color, symbol, ink = VERDICTS[found.verdict]
            row, word = claims.index.get_loc(found.id), found.how or found.verdict
            ax.barh(row, wide, 0.88, left=column, color=color)
            text = f"{symbol} {SHORT.get(word, word)}"
            ax.text(column + wide / 2, row, text, ha="center", va="center", color=ink, size=11)
    for verdict, (color, symbol, _) in VERDICTS.items():
        ax.bar(0, 0, color=color, label=f"{symbol} {verdict}")
    _legend(fig, [ax], ncols=4, columnspacing=1.2, handlelength=1.2)
    ax.set(xlim=(-edge, len(judged)), ylim=(len(claims) - 0.4, -1.2))
    ax.set_axis_off()
    held = _said(data, lambda rows: (rows.verdict == outcome.YES).sum(), "evidence")
    return _plot(fig, data, "08_verdicts", f"Reproduced, of {len(claims)} claims: {held}", label)


def _gains(results, recipe: str) -> pd.DataFrame:
    """controls.by_size of the paper's strategies and controls against scratch, and "mean" over sizes."""
    own = ev.ours(results, recipe)
    found = set(own.mae.index.get_level_values("strategy"))
    names = _ordered(found - {"scratch", *tables.BEYOND})
    sizes, means = controls.by_size(own, [(name, "scratch") for name in names]), []
    for name in names:
        pairs = ev.pairs(own.mae, name, "scratch", teachers={0, ev.top(own.mae)})
        row = controls.compare(own, "", f"{name} - scratch", pairs)
        means += [{"student": "mean"} | row._asdict() | {"reading": row.reading}] if pairs else []
    table = pd.concat([sizes, pd.DataFrame(means, columns=sizes.columns)] if means else [sizes])
    return table.assign(strategy=table.compared.str.removesuffix(" - scratch"))


@styled
def gains(results) -> Plot:
    """Paired difference of MAE from scratch by student size, a panel a strategy, recipes side by side."""
    table = _each(results, lambda recipe: _gains(results, recipe))
    names, recipes = _ordered(table.strategy), list(dict.fromkeys(table.recipe)) if len(table) else []
    fig, axes = _panels([*map(_called, names), ""], 3.2, 3.5, sharey=True)
    students = sorted(set(table.student) - {"mean"})
    place = {student: x for x, student in enumerate(students)} | {"mean": len(students) + 0.4}
    for ax, name in zip(axes, names):
        ax.axhline(0, color="0.5", lw=1)
        ax.axvline(len(students) - 0.3, color="0.85", lw=1)
        for i, recipe in enumerate(recipes):
            rows = table[(table.strategy == name) & (table.recipe == recipe)]
            x = rows.student.map(place) + _dodge(i, len(recipes), 0.36)
            _dots(ax, x, rows, "effect", seeds=True, ms=5.5, **look(name), **_hollow(i % 2))
            tops = outcome.widened(rows.effect, rows.low, rows.high, rows.seed_sd)[1]
            for at, top in zip(x[rows.reading.isin(SIGNIFICANT)], tops[rows.reading.isin(SIGNIFICANT)]):
                ax.text(at, top, "*", ha="center", weight="bold", color=look(name)["color"], size=14)
        ax.set_xticks(list(place.values()), place)
        ax.set(xlabel=STUDENT, xlim=(-0.6, len(students) + 1))
    for ax in axes[: len(names) : 4]:
        ax.set_ylabel("MAE − scratch (BPM)")
    key = axes[len(names)]
    key.set_axis_off()
    for i, recipe in enumerate(recipes):
        _key(key, f"recipe {recipe}", ls="", marker="o", **_hollow(i % 2))
    _key(key, "95 % interval over people", lw=2.2)
    if table.seed_sd.notna().any():
        _key(key, "with other seeds", lw=0.9)
    key.legend(loc="center left", title="Below 0: better than scratch\n* significant", alignment="left")
    lead = "dkd" if "dkd" in names or not names else names[0]
    means = table[(table.student == "mean") & (table.strategy == lead)]
    said = _said(means, lambda rows: f"{_signed(rows.effect.iloc[0])} BPM, {_word(rows.reading.iloc[0])}")
    text = f"{_called(lead)} against scratch, mean over sizes: {said}"
    return _plot(fig, table, "05_gains", text, results.name)


def _word(reading: str) -> str:
    return f"significantly {reading}" if reading in SIGNIFICANT else "not distinguishable"


@styled
def cost(results, strategies=("scratch", "gaussian", "dkd")) -> Plot:
    """MAE against multiply-accumulates of a window, largest teacher, 95 % intervals over people."""
    from ppglib.resnet1d import macs

    everything = tables.conditions(results)
    table = _each(results, lambda recipe: tables.table2(everything, recipe))
    table = table[table.strategy.isin(strategies)]
    table = table.assign(mmacs=[macs(int(blocks)) / 1e6 for blocks in table.student])
    fig, axes, groups = _recipes(table, 5.6, sharey=True)
    for ax, rows in zip(axes, groups):
        for i, (name, line) in enumerate(rows.groupby("strategy", sort=False)):
            x, style = line.mmacs * 1.025 ** (i - 1), {"ls": "-", "lw": 1.5, "elinewidth": 1.3}
            _dots(ax, x, line, "mae", label=_called(name), **style, **look(name))
        sizes = rows.drop_duplicates("student").sort_values("student")
        ax.set_xscale("log")
        ax.set_xticks(sizes.mmacs, [f"{row.mmacs:.2g}\n[{row.student}]" for row in sizes.itertuples()])
        ax.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        ax.set(xlabel="Million multiply-accumulates a window (log) [blocks]")
        ax.legend(loc="upper right")
    axes[0].set_ylabel(MAE)
    small, large = table.student.min(), table.student.max()
    ends = (table.mmacs[table.student == blocks].min() for blocks in (small, large))
    text = "No network to weigh"
    if len(table):
        best = _said(table, lambda rows: " to ".join(f"{m:.1f}" for m in _ends(rows)) + " BPM")
        text = f"From {large} blocks to {small}, arithmetic falls to {100 * next(ends) / next(ends):.0f} %"
        text += f" and the lowest MAE goes from {best}"
    return _plot(fig, table, "07_cost", text, results.name)


def _ends(rows: pd.DataFrame) -> tuple[float, float]:
    """Lowest MAE of the largest and of the smallest networks."""
    best = rows.groupby("student").mae.min()
    return best.iloc[-1], best.iloc[0]


def _grid(table: pd.DataFrame) -> tuple[Figure, np.ndarray, list]:
    """Panels as wide as each recipe has teachers; the rows of each with their places x and y."""
    students, groups = sorted(table.student.unique()), table.groupby("recipe", sort=False)
    widths = [max(2.9, 1.2 + 0.8 * rows.teacher.nunique()) for _, rows in groups] or 4
    fig, axes, found = _recipes(table, widths, max(3.4, 1.5 + 0.56 * len(students)), sharey=True)
    for i, (ax, rows) in enumerate(zip(axes, found)):
        teachers = sorted(rows.teacher.unique())
        places = {"x": rows.teacher.map(teachers.index), "y": rows.student.map(students.index)}
        found[i] = rows.assign(**places)
        _categories(ax, ["scratch" if t == 0 else t for t in teachers], "Teacher (blocks)")
    axes[0].set_yticks(range(len(students)), students)
    axes[0].set(ylabel=STUDENT, ylim=(-0.75, len(students) - 0.4))
    return fig, axes, found


@styled
def figure1(results, strategy: str = "soft") -> Plot:
    """MAE of every student and teacher, "scratch" left-most; colour and size of a disc are MAE (Figure 1)."""
    everything = tables.conditions(results)
    table = _each(results, lambda recipe: tables.figure1(everything, recipe, strategy))
    fig, axes, groups = _grid(table)
    low, high = table.mae.min(), table.mae.max()
    for ax, rows in zip(axes, groups):
        area = np.interp(rows.mae, [low, max(high, low + 1e-9)], AREAS)
        style = {"cmap": "viridis_r", "vmin": low, "vmax": high}
        dots = ax.scatter(rows.x, rows.y + 0.1, s=area, c=rows.mae, **style)
        for x, y, mae, size in zip(rows.x, rows.y + 0.1, rows.mae, area):
            under = {"textcoords": "offset points", "ha": "center", "va": "top", "size": 9.5}
            ax.annotate(f"{mae:.2f}", (x, y), (0, -1 - (size / np.pi) ** 0.5), **under)
        if 0 in set(rows.teacher):
            ax.axvline(0.5, color="0.8", lw=1)
    if len(table):
        fig.colorbar(dots, ax=axes, label=MAE, pad=0.01, fraction=0.05)
    return _plot(fig, table, "04_figure1", f"Lowest MAE: {_said(table, _best)}", results.name)


def _best(rows: pd.DataFrame) -> str:
    best = rows.loc[rows.mae.idxmin()]
    taught = f"taught by {best.teacher}" if best.teacher else "from scratch"
    return f"{best.mae:.2f} BPM with {_blocks(best.student)} {taught}"


def _differences(results, recipe: str, strategy: str) -> pd.DataFrame:
    """Every student of a teacher against the same network from scratch; effect to reading as in a Row."""
    own, rows = ev.ours(results, recipe), []
    for name, student, teacher in own.mae.index:
        plain = ("scratch", student, 0)
        if name == strategy and teacher and plain in own.mae.index:
            row = controls.compare(own, "", f"{name} - scratch", [((name, student, teacher), plain)])
            rows.append({"student": student, "teacher": teacher} | row._asdict() | {"reading": row.reading})
    columns = ["student", "teacher", "compared", "effect", "low", "high", "seed_sd", "reading"]
    return pd.DataFrame(rows, columns=columns)


@styled
def figure1_gain(results, strategy: str = "soft") -> Plot:
    """Figure 1 as difference from scratch; hatched: students at least as large as their teacher."""
    table = _each(results, lambda recipe: _differences(results, recipe, strategy))
    fig, axes, groups = _grid(table)
    reach = max(table.effect.abs().max(), 1e-9) if len(table) else 1.0
    colors = ScalarMappable(TwoSlopeNorm(0, -reach, reach), "RdBu_r")
    for ax, rows in zip(axes, groups):
        for row in rows.itertuples():
            apart, star = row.student >= row.teacher, "*" if row.reading in SIGNIFICANT else ""
            hatch = {"hatch": "////", "edgecolor": "0.75", "alpha": 0.5} if apart else {}
            ax.bar(row.x, 0.94, 0.94, row.y - 0.47, color=colors.to_rgba(row.effect), lw=0, **hatch)
            ink = "white" if abs(row.effect) > 0.65 * reach and not apart else "black"
            style = {"color": ink, "weight": "bold" if star else "normal", "size": 10.5}
            ax.text(row.x, row.y, f"{_signed(row.effect)}{star}", ha="center", va="center", **style)
    fig.colorbar(colors, ax=axes, pad=0.01, fraction=0.05, label="MAE − scratch (BPM)")
    fig.supxlabel("Blue: better; *: significant\nHatched: student at least as large as its teacher", size=11)
    text = f"{_called(strategy)} students of a larger teacher against scratch: "
    below = table[table.student < table.teacher]
    return _plot(fig, table, "04_figure1_gain", text + _said(below, _better_and_worse), results.name)


def _better_and_worse(rows: pd.DataFrame) -> str:
    better, worse = ((rows.reading == word).sum() for word in SIGNIFICANT)
    return f"{better} significantly better, {worse} worse of {len(rows)}"


@styled
def figure2(results, strategy: str = "soft") -> Plot:
    """MAE of students below their teacher, with the scaling law of each teacher that has one (Figure 2)."""
    form, everything = scaling.FORMS["exponential"], tables.conditions(results)

    def points(recipe: str) -> pd.DataFrame:
        rows, law = (
            tables.figure1(everything, recipe, strategy),
            laws.table(ev.ours(results, recipe).mae, strategy),
        )
        return rows[rows.student < rows.teacher].merge(law[["teacher", *form.names, "note"]], on="teacher")

    table = _each(results, points)
    fig, axes, groups = _recipes(table, 6.2, 4.9)
    shade = dict(zip(sorted(table.teacher.unique()), _shades(table.teacher.nunique())))
    for ax, own in zip(axes, groups):
        for i, (teacher, rows) in enumerate(own.groupby("teacher")):
            values, style, text = (
                rows.iloc[0][[*form.names]].astype(float),
                {"color": shade[teacher]},
                "no law",
            )
            if values.notna().all():
                grid = np.linspace(rows.student.min(), rows.student.max(), 200)
                ax.plot(grid, scaling.predict(form, values, grid), **style)
                text = ", ".join(f"{name} {values[name]:.2f}" for name in sorted(form.names))
            x = rows.student + _dodge(i, own.teacher.nunique(), 0.07)
            _dots(ax, x, rows, "mae", elinewidth=0.9, ms=5, **style)
            _key(ax, f"{teacher}: {text}", marker="o", ls="" if text == "no law" else "-", **style)
        without = own[own.note != ""]
        notes = sorted({note.split(":")[0] for note in without.note})
        why = f"no law for teachers of {_listed(without.teacher.unique())}: {_listed(notes)}" if notes else ""
        ax.set(xlabel=f"{STUDENT}\n{why}".strip(), xticks=sorted(own.student.unique()), ylabel=MAE)
        ax.legend(title=f"Teacher: {form.text}", fontsize=10)
    fitted = _said(
        table.drop_duplicates(["recipe", "teacher"]), lambda rows: f"{(rows.note == '').sum()} of {len(rows)}"
    )
    text = f"Teachers whose students determine a scaling law {form.text}: {fitted}"
    return _plot(fig, table, "06_figure2", text, results.name)


@styled
def forecast(forecasts: dict[str, pd.DataFrame], label: str = "") -> Plot:
    """Larger students as forecast from the small ones and as observed; a panel a table of `laws`."""
    fig, axes = _panels(forecasts, 4.2, 3.9)
    for ax, (name, table) in zip(axes, forecasts.items()):
        x, style = np.arange(len(table)), {"capsize": 4, "elinewidth": 1.8}
        text = "forecast (95 % prediction interval)"
        _dots(ax, x - 0.1, table, "predicted", color="0.55", marker="s", label=text, **style)
        text, limits = "observed (95 % interval over people)", ("observed_low", "observed_high")
        _dots(ax, x + 0.1, table, "observed", *limits, color=ACCENT, label=text, **style)
        _categories(ax, table.student.astype(int), STUDENT)
        if table.empty:
            ax.text(0.5, 0.5, "no forecast", ha="center", transform=ax.transAxes)
    axes[0].set_ylabel(MAE)
    _legend(fig, axes, ncols=2)
    made = {name: table for name, table in forecasts.items() if len(table)} or forecasts
    data = pd.concat(made, names=["of"]).reset_index("of")
    inside = _said(data, lambda rows: f"{rows.inside.astype(bool).sum()} of {len(rows)}", "of")
    text = f"Students larger than {laws.SMALL} blocks inside their prediction interval: {inside}"
    return _plot(fig, data, "06_forecast", text, label)


@styled
def effects(table: pd.DataFrame, name: str, rows: str, groups: str, label: str = "") -> Plot:
    """Effects with 95 % intervals, thin where other seeds are added; a panel a recipe if there is one.

    rows: the column that says what an effect is of. groups: a column of verdicts, which colour the rows, or
    of headings to sort them under; then the column `reading` fills those that are significant.
    """
    table = table.dropna(subset=["effect"]).reset_index(drop=True)
    judged, data = table[groups].isin(VERDICTS).all(), table
    table = table.assign(recipe=table.get("recipe", ""), heading="" if judged else table[groups])
    table["mark"] = table[groups] if judged else table.reading.isin(SIGNIFICANT)
    lines = []  # (heading, text), top to bottom; a heading has no text
    for heading, part in table.groupby("heading", sort=False):
        lines += [(heading, "")] * (not judged) + [(heading, text) for text in dict.fromkeys(part[rows])]
    ticks = [textwrap.fill(text or heading, 46) for heading, text in lines]
    height = 1.2 + sum(0.34 + 0.17 * tick.count("\n") for tick in ticks)
    fig, axes, found = _recipes(table, 4.3, height, sharey=True)
    fig.set_figwidth(fig.get_figwidth() + 3.6)
    for ax, own in zip(axes, found):
        ax.axvline(0, color="0.5", lw=1)
        for mark, part in own.groupby("mark", sort=False):
            y = [lines.index(line) for line in zip(part.heading, part[rows])]
            style = (
                {"color": VERDICTS[mark][0], "label": mark} if judged else {"color": INK} | _hollow(not mark)
            )
            style.setdefault("label", "significant" if mark else "not significant")
            _dots(ax, y, part, "effect", flat=True, seeds=True, **style)
        scales = "; scales differ" if len(found) > 1 else ""
        ax.set(xlabel=f"Effect (BPM; below 0 = lower MAE){scales}", ylim=(len(lines) - 0.4, -0.6))
    axes[0].set_yticks(range(len(lines)), ticks, size=10.5)
    for tick, (_, text) in zip(axes[0].get_yticklabels(), lines):
        tick.set_weight("normal" if text else "bold")
    _legend(fig, axes, ncols=4)
    wanted = outcome.YES if judged else True
    counted = _said(table, lambda own: f"{(own.mark == wanted).sum()} of {len(own)}")
    text = f"{'Reproduced, of the claims drawn' if judged else 'Significant effects'}: {counted}"
    return _plot(fig, data, name, text, label)


@styled
def reliability(results, student: int | None = None) -> Plot:
    """Share of windows in the right bin against confidence; below the diagonal = overconfident.

    student: blocks; none = the smallest. Tenths of the confidence with fewer than ENOUGH windows are left
    out: their share is chance.
    """
    sizes = results.runs.student[results.runs.student > 0]
    student = sizes.min() if student is None else student
    table = _each(results, lambda recipe: tables.reliability(results, recipe, student))
    table = table[table.n >= ENOUGH]
    fig, axes, groups = _recipes(table, 4.6, 4.4, sharey=True, sharex=True)
    end = min(1, 1.12 * table[["confidence", "accuracy"]].max(axis=None)) if len(table) else 1
    for ax, rows in zip(axes, groups):
        ax.plot([0, 1], [0, 1], color="0.7", lw=1)
        for name in _ordered(rows.strategy):
            line = rows[rows.strategy == name]
            ax.plot(line.confidence, line.accuracy, lw=1.5, label=_called(name), **look(name))
        turned = {"ha": "right", "va": "bottom", "rotation": 45, "rotation_mode": "anchor"}
        ax.text(0.97 * end, 0.985 * end, "calibrated", color="0.45", **turned)
        ax.set_xlabel("Confidence (largest probability)")
    axes[0].set(ylabel="Share of windows in the right bin", xlim=(0, end), ylim=(0, end))
    _legend(fig, axes, "center right")
    table = table.assign(excess=(table.confidence - table.accuracy) * table.n)
    over = table.groupby(["recipe", "strategy"], sort=False).excess.sum().gt(0).reset_index()
    counted = _said(over, lambda rows: f"{rows.excess.sum()} of {len(rows)} strategies")
    text = f"Networks of {_blocks(student)} are overconfident with {counted}"
    return _plot(fig, table.drop(columns="excess"), "08_reliability", text, results.name)


@styled
def across(results) -> Plot:
    """MAE on a set not in training (filled) and with other people of it in training (hollow), a panel a set.

    The same people behind both, with 95 % intervals over them.
    """
    table = _each(results, lambda recipe: elsewhere.table(results, recipe))
    table = table[table.student.isin(table.student[table.teacher > 0])]
    students, names = sorted(table.student.unique()), _ordered(table.strategy)
    groups = list(table.groupby(["recipe", "dataset"], sort=False))
    titles = [f"{dataset}, recipe {recipe}" for (recipe, dataset), _ in groups]
    fig, axes = _panels(titles, 3.9, 4, 3, sharey=True)
    for ax, (_, rows) in zip(axes, groups):
        for i, name in enumerate(names):
            line = rows[rows.strategy == name]
            x = line.student.map(students.index) + _dodge(i, len(names), 0.26)
            for column, shift in (("held_out", -0.045), ("in_domain", 0.045)):
                style = {"elinewidth": 1.4} | look(name) | _hollow(column == "in_domain")
                _dots(ax, x + shift, line, column, f"{column}_low", f"{column}_high", **style)
        _categories(ax, students, STUDENT)
    for ax in axes[::3]:
        ax.set_ylabel(MAE)
    axes[0].set_ylim(0)
    for name in names:
        _key(axes[0], _called(name), ls="", **look(name))
    _key(axes[0], "set not in training", ls="", marker="o")
    _key(axes[0], "other people of the set in training", ls="", marker="o", mfc="white")
    _legend(fig, axes, ncols=5, columnspacing=1.2)
    both, text = table.dropna(subset=["gap"]), "No network was tested on a set that it was not trained on"
    if len(both):
        text = f"A set not in training costs {both.gap.median():.1f} BPM in the median; the gap is above 0"
        text += f" for {(both.gap_low > 0).sum()} of {len(both)} networks (95 % over people)"
    return _plot(fig, table, "09_across", text, results.name)


@styled
def heart_rates(table: pd.DataFrame, label: str = "") -> Plot:
    """How often each heart rate is: the windows' table with columns dataset, person, hr."""
    fig, (ax,) = _panels([""], 8.5, 3.9)
    groups = list(table.groupby("dataset", sort=False))
    for color, line, (dataset, rows) in zip(_shades(len(groups)), cycle(["-", "--", "-.", ":"]), groups):
        style = {"histtype": "step", "lw": 2.2, "label": f"{dataset} ({len(rows):,} windows)"}
        edges = np.arange(task.LOWEST, task.LOWEST + task.BINS + 1, 5)
        ax.hist(rows.hr, edges, density=True, color=color, ls=line, **style)
    ax.set(xlabel="Heart rate (BPM)", ylabel="Share of windows per BPM")
    ax.legend()
    low, high = table.hr.quantile([0.05, 0.95])
    text = f"Nine windows of ten have a heart rate from {low:.0f} to {high:.0f} BPM"
    data = table.filter(["dataset", "person", "hr", "simulated"])
    return _plot(fig, data, "01_heart_rates", text, label)


@styled
def label_shift(agreement: pd.DataFrame, label: str = "") -> Plot:
    """Share of windows whose spectrum fits the label of another moment: index shift (s), a column a set."""
    fig, (ax,) = _panels([""], 8.5, 3.9)
    ax.axvline(0, color="0.7", lw=1)
    for color, marker, (dataset, share) in zip(
        _shades(agreement.shape[1]), cycle("os^Dv"), agreement.items()
    ):
        ax.plot(share.index, share, color=color, marker=marker, label=dataset)
    ax.set(xlabel="Label taken from so many seconds later (s)", ylabel="Share within 5 BPM", ylim=(0, 1))
    _legend(fig, [ax], "center right")
    best = agreement.dropna(axis=1, how="all").idxmax().rename("shift").rename_axis("dataset").reset_index()
    sets = _said(best, lambda rows: f"{rows['shift'].iloc[0]:g} s", "dataset")
    text = f"Spectrum and label agree best at a shift of {sets}"
    return _plot(fig, agreement.reset_index(), "01_shifted_labels", text, label)


@styled
def examples(drawn: pd.DataFrame, label: str = "") -> Plot:
    """One window of each set, as `inspection.example` gives them: dataset, hr (BPM), time (s), ppg (z)."""
    groups = list(drawn.groupby("dataset", sort=False))
    fig, axes = _panels(
        [f"{name}: {rows.hr.iloc[0]:.1f} BPM" for name, rows in groups], 8.5, 1.7, 1, sharex=True
    )
    for ax, (_, rows) in zip(axes, groups):
        ax.plot(rows.time, rows.ppg, color=INK, lw=1.5)
        for beat in np.arange(0, rows.time.max(), 60 / rows.hr.iloc[0]):
            ax.axvline(beat, color="0.85", lw=1, zorder=0)
        ax.set_ylabel("PPG (z)")
    axes[-1].set_xlabel("Time (s)")
    text = "One window of each set; grey lines are one beat of its label apart"
    return _plot(fig, drawn, "01_one_window_each", text, label)


@styled
def table1(table: pd.DataFrame) -> Plot:
    """Size and arithmetic: blocks, paper and as_in_paper (parameters), live (those in use), mmacs."""
    fig, (left, right) = _panels(["Parameters", "Arithmetic"], 4.9, 3.9)
    left.semilogy(
        table.blocks, table.as_in_paper / 1e3, "o-", color=INK, label="ours, counted as in the paper"
    )
    left.semilogy(table.blocks, table.paper / 1e3, "x", color="#882255", ms=10, mew=2, label="paper")
    left.semilogy(table.blocks, table.live / 1e3, "s:", color="0.55", ms=5, label="ours, in use")
    right.plot(table.blocks, table.mmacs, "o-", color=INK)
    left.legend()
    left.set(xlabel="Blocks", ylabel="Thousand parameters (log)", xticks=table.blocks)
    right.set(
        xlabel="Blocks", ylabel="Multiply-accumulates a window (10⁶)", xticks=table.blocks, ylim=(0, None)
    )
    first, last, equal = table.iloc[0], table.iloc[-1], (table.paper == table.as_in_paper).sum()
    text = f"Parameters equal the paper's at {equal} of {len(table)} sizes; from {first.blocks:.0f} to "
    text += f"{last.blocks:.0f} blocks those in use grow {last.live / first.live:.0f}-fold, arithmetic "
    return _plot(fig, table, "02_table1", f"{text}{last.mmacs / first.mmacs:.0f}-fold")


@styled
def training_curves(curves: pd.DataFrame, label: str = "") -> Plot:
    """Training loss: index epoch, a column a network ("blocks: 1, fold 0"), a colour a size."""
    fig, (ax,) = _panels([""], 8.5, 4.2)
    kinds = pd.Series({name: name.split(",")[0] for name in curves})
    shade = dict(zip(kinds.unique(), _shades(kinds.nunique())))
    for kind, names in kinds.groupby(kinds, sort=False):
        for name, line in zip(names.index, cycle(["-", "--", ":", "-."])):
            style = {"color": shade[kind], "ls": line, "marker": "o" if len(curves) < 10 else None}
            ax.plot(curves.index, curves[name], label=kind if line == "-" else None, **style)
    ax.set(xlabel="Epoch", ylabel="Training loss (nats)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    _legend(fig, [ax], "center right")
    last = curves.iloc[-1]
    worst, best = (
        f"{value:.2f} ({name})" for value, name in ((last.max(), last.idxmax()), (last.min(), last.idxmin()))
    )
    text = f"Training loss after {len(curves)} epochs: {worst} to {best}"
    return _plot(fig, curves.reset_index(), "03_training_curves", text, label)


@styled
def table3(time: pd.DataFrame, memory: pd.DataFrame) -> Plot:
    """Time (device, blocks, seconds) against 12 blocks; memory (device, parameters_mb, memory_mb).

    Devices whose name begins with "paper" are black.
    """
    time = time.assign(relative=time.seconds / time.groupby("device").seconds.transform("last"))
    fig, axes = _panels(["Time of a call", "Memory, without the framework"], 6.2, 5.6)
    for ax, table, x, y in zip(axes, (time, memory), ("blocks", "parameters_mb"), ("relative", "memory_mb")):
        groups = list(table.groupby("device", sort=False))
        for color, marker, (name, rows) in zip(_shades(len(groups)), cycle("s^Dvp*XP<>"), groups):
            style = {"color": color, "marker": marker, "lw": 1.4}
            style |= {"color": "black", "marker": "o", "lw": 2.4} if name.startswith("paper") else {}
            ax.plot(rows[x], rows[y], label=name, **style)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=10)
    small, large = time.blocks.min(), time.blocks.max()
    axes[0].set(
        xlabel="Blocks", ylabel=f"Time ({large} blocks = 1)", ylim=(0, None), xticks=time.blocks.unique()
    )
    axes[1].set(xlabel="Parameters in use (MB)", ylabel="Peak (MB)", ylim=(0, None))
    ends = time[time.blocks == small].assign(
        whose=np.where(time.device[time.blocks == small].str.startswith("paper"), "paper", "ours")
    )
    saved = _said(ends, lambda rows: _range(100 * (1 - rows.relative)), "whose")
    text = f"{_blocks(small)} instead of {large} saves {saved} of the time of a call"
    return _plot(fig, pd.concat([time, memory], ignore_index=True), "07_table3", text)


def _range(percent: pd.Series) -> str:
    return f"{' to '.join(dict.fromkeys(f'{value:.0f}' for value in (percent.min(), percent.max())))} %"


@styled
def training_cost(speed: pd.DataFrame, sweep: pd.DataFrame) -> Plot:
    """Windows a second (blocks, plain, ours, ratio); a sweep (varied, value, seconds, expected), or empty."""
    fig, (left, right) = _panels(["Training", "A whole sweep (dotted: in proportion)"], 5.2, 4)
    for name, marker, color in (("plain", "s", "0.55"), ("ours", "o", ACCENT)):
        left.plot(speed.get("blocks", []), speed.get(name, []), marker=marker, color=color, label=name)
    groups = list(sweep.groupby("varied", sort=False)) if len(sweep) else []
    for color, marker, (name, rows) in zip(_shades(len(groups)), cycle("os^D"), groups):
        times = rows.value / rows.value.min()
        right.plot(times, rows.seconds, marker=marker, color=color, label=f"more {name}")
        right.plot(times, rows.expected, ":", color=color)
    left.set(xlabel="Blocks", ylabel="Windows a second", ylim=(0, None), xticks=speed.get("blocks", []))
    left.yaxis.set_major_formatter("{x:,.0f}")
    right.set(xlabel="Times the smallest", ylabel="Time (s)", ylim=(0, None))
    right.xaxis.get_major_locator().set_params(integer=True)
    for ax in (left, right) if groups else (left,):
        ax.legend()
    text = "Training speed was not measured"
    if len(speed):
        low, high = speed.ratio.min(), speed.ratio.max()
        text = f"Our training loop is {low:.1f} to {high:.1f} times as fast as the plain one"
    return _plot(fig, pd.concat([speed, sweep]), "07_training", text)


@styled
def window_and_distribution(ppg, probability, hr: float, label: str = "") -> Plot:
    """A window (samples,) of 8 s, the distribution (180,) that a network gives it, and its true rate."""
    time, decoded = np.linspace(0, 8, len(ppg), endpoint=False), float(task.CENTRES[np.argmax(probability)])
    fig, (above, below) = _panels(["What the network sees", "What it predicts"], 8.5, 2.6, 1)
    above.plot(time, ppg, color=INK, lw=1.5)
    above.set(xlabel="Time (s)", ylabel="PPG (z)")
    below.bar(task.CENTRES, probability, 1.0, color="0.7")
    below.axvline(hr, color="black", lw=1.5, label=f"true heart rate, {hr:.1f} BPM")
    text, peak = f"decoded by argmax, {decoded:.1f} BPM", 1.08 * np.max(probability)
    below.plot(decoded, peak, "v", color="#882255", ms=11, label=text)
    below.set(xlabel="Heart rate (BPM)", ylabel="Probability", xlim=(task.LOWEST, task.LOWEST + task.BINS))
    below.legend()
    curves = {"ppg (z) against s": (time, ppg), "probability against BPM": (task.CENTRES, probability)}
    curves |= {"true (BPM)": ([hr], [np.nan]), "decoded (BPM)": ([decoded], [np.nan])}
    data = pd.concat(pd.DataFrame({"curve": name, "x": x, "y": y}) for name, (x, y) in curves.items())
    text = f"From 8 s of pulse to a heart rate: decoded {decoded:.1f} BPM, true {hr:.1f} BPM"
    return _plot(fig, data, "00_window", text, label)
