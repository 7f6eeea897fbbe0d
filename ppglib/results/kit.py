"""How every figure is made: a figure with its data, name and title, panels, points with intervals, and looks.

Colours, markers and line styles: those of strategies belong to them alone, and no verdict has one of them."""

import io
import re
import textwrap
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ppglib import files
from ppglib.results import outcome
from ppglib.results.tables import BASELINES
from ppglib.strategies import STRATEGIES, Strategy

INK, ACCENT, PAPER = "#444444", "#332288", "#882255"  # what belongs to no strategy
# Verdict: colour (Tol's "muted", apart from every strategy's), symbol, short, and the colour of text on it.
VERDICTS = {
    outcome.YES: ("#117733", "✓", "reproduced", "white"),
    outcome.NO: (PAPER, "✗", "not reproduced", "white"),
    outcome.CONTROL: ("#999933", "≈", "control explains", "black"),
    outcome.CANNOT: ("#eeeeee", "–", "not testable", "0.25"),
}
SIGNIFICANT = ("better", "worse")  # readings of an effect that is
FILLS = ("auto", "white")  # of the first recipe's marker, and of the second's
MARKS = {  # of an effect
    verdict: {"color": color, "marker": mark, "ms": 8} for (verdict, (color, *_)), mark in zip(VERDICTS.items(), "oXd|")
}
MARKS[outcome.CANNOT]["color"] = INK
MARKS |= {"significant": {"color": INK}, "not significant": {"color": INK, "mfc": "white"}}
MAE, STUDENT = "MAE (BPM)", "Student (blocks)"


class Plot:
    """A figure with the data behind it, its file name, and its title: what the data say, in one sentence."""

    def __init__(self, fig: Figure, data: pd.DataFrame, name: str, text: str, label: str = ""):
        """Title the figure, which says so where recordings are simulated, and explain what has a label."""
        label = label or "simulated recordings" * bool("simulated" in data and data.simulated.any())
        self.title = ", ".join(filter(None, [text if len(data) else "Nothing to draw", *outcome.told(data), label]))
        self.fig, self.data, self.name, found = fig, data, name, {}
        for ax in fig.axes:
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=11)
            found |= {} if ax.get_legend() else dict(zip(*ax.get_legend_handles_labels()[::-1]))
        if found:
            columns = max(1, int(fig.get_figwidth() / (1 + 0.09 * max(map(len, found)))))
            style = {"ncols": columns, "fontsize": 11, "frameon": False}
            fig.legend(found.values(), found, loc="outside lower center", **style)
        lines = wrapped(self.title, int(8.4 * fig.get_figwidth()))
        fig.suptitle(lines, x=0.01, ha="left", size=14, weight="bold")
        fig.draw_without_rendering()  # lays it out, once: every further time would move it a little
        fig.set_layout_engine("none")

    def __repr__(self) -> str:
        return textwrap.fill(self.title, 105)

    def _repr_png_(self, kind: str = "png", dpi: int = 100, **options) -> bytes:
        content = io.BytesIO()
        self.fig.savefig(content, format=kind, dpi=dpi, bbox_inches="tight", **options)
        if kind == "png":  # in 256 colours: a third of the size
            few = Image.open(content).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
            said = PngInfo()
            said.add_itxt("Title", self.title)  # for pages that show the file
            few.save(content := io.BytesIO(), "png", optimize=True, pnginfo=said)
        return content.getvalue()

    def save(self, out) -> "Plot":
        """Write figures/NAME.png, .pdf and .csv below `out`, each whole or not at all."""
        folder = Path(out) / "figures"
        files.write(folder / f"{self.name}.png", self._repr_png_(dpi=130))
        files.write(folder / f"{self.name}.pdf", self._repr_png_("pdf", metadata={"CreationDate": None}))
        files.write_table(folder / f"{self.name}.csv", self.data)
        return self


def wrapped(text: str, width: int) -> str:
    """The text in lines, none of which begins with the unit of a number."""
    whole = re.sub(r"(?<=\d) (?=(?:s|BPM|MMAC|kB|%)(?!\w))", "\u00a0", text)
    return textwrap.fill(whole, width).replace("\u00a0", " ")


def figure(rows: int, columns: int, width: float, height: float, **share) -> tuple[Figure, list]:
    """A figure and its axes; width and height of one of them in inches."""
    fig = Figure((max(6.5, columns * width), rows * height + 0.6), layout="constrained")
    return fig, list(fig.subplots(rows, columns, squeeze=False, **share).ravel())


def panels(data: pd.DataFrame, by, width: float, height: float, columns=4, **share) -> tuple[Figure, list]:
    """A figure with a titled panel for each group of rows, at least one, and [(axes, rows)]."""
    groups = list(data.groupby(by, sort=False)) or [("", data)]
    columns = min(columns, len(groups))
    fig, axes = figure(-(-len(groups) // columns), columns, width, height, **share)
    for ax, (name, _) in zip(axes, groups):
        ax.set_title(", ".join([name] if isinstance(name, str) else name), loc="left", weight="bold")
    for ax in axes[len(groups) :]:
        ax.set_axis_off()
    return fig, [(ax, rows) for ax, (_, rows) in zip(axes, groups)]


def dots(ax, at, rows: pd.DataFrame, middle: str, low="low", high="high", flat=False, **style):
    """Points with 95 % intervals, where known; an effect also with thin bars for what other seeds add."""
    values, low, high = (rows[name].astype(float) for name in (middle, low, high))
    style = {"ls": "", "marker": "o", "elinewidth": 2.2, "mew": 1.4, "ms": 6} | style
    if middle == "effect":
        lowest, highest = (end.where(np.isfinite(end)) for end in outcome.widened(values, low, high, rows.seed_sd))
        (ax.hlines if flat else ax.vlines)(at, lowest, highest, color=style["color"], lw=0.9)
        for x, top in () if flat else zip(at, highest.where(rows.reading.isin(SIGNIFICANT))):
            ax.text(x, top, "*", ha="center", weight="bold", size=14)
    arms = np.array([values - low, high - values])
    limits = {"xerr" if flat else "yerr": np.where(np.isfinite(arms), arms, 0).clip(0)}
    ax.errorbar(*((values, at) if flat else (at, values)), **limits, **style)


def beside(ax, students: list, series, step: float) -> None:
    """Series, each (rows, names of their columns, style), side by side at each student."""
    for i, (rows, columns, style) in enumerate(series):
        at = rows.student.map(students.index) + step * (i - (len(series) - 1) / 2)
        dots(ax, at, rows, *columns, **style)
    categories(ax, students, STUDENT)


def shades(groups) -> zip:
    """(name, rows), a colour from light to dark, a marker and a line of each group: not those of strategies."""
    groups = list(groups)
    colors = colormaps["viridis_r"](np.linspace(0.42, 1, len(groups)))  # lighter ones fade on white
    return zip(groups, colors, cycle("s^Dvp*XP<>"), cycle(["-", "--", "-.", ":"]))


def lines(ax, data: pd.DataFrame, by: str, x: str, y: str, **axis) -> None:
    """y over x, a line for each group of rows; crosses are the paper's."""
    for (name, rows), color, marker, ls in shades(data.groupby(by, sort=False)):
        style = look(name) if by == "strategy" else {"color": color, "marker": marker, "ls": ls}
        style |= {"color": "black", "marker": "x", "ms": 9, "ls": "--"} if name.startswith("paper") else {}
        ax.plot(rows[x], rows[y], label=name, **style)
    ax.set(**axis)


def bar(ax, baselines: pd.DataFrame, label=True) -> None:
    """The better of the two baselines as a line; where it is far above all networks, a word at the top says where.

    baselines: `tables.baselines` of the panel's recipe."""
    for row in baselines.sort_values("mae").head(1).itertuples():
        low, high = ax.get_ylim()
        name, ls = BASELINES[row.strategy], {"mean": ":", "spectral": "-."}[row.strategy]
        if row.mae <= high + 0.5 * (high - low):
            ax.axhline(row.mae, color=INK, ls=ls, lw=1.4, label=f"better baseline: {name}" if label else None)
            ax.set_ylim(low, max(high, row.mae + 0.05 * (high - low)))
        else:
            text = f"better baseline: {name}, {row.mae:.1f} BPM ↑"
            ax.text(0.99, 0.985, text, ha="right", va="top", size=10, color=INK, transform=ax.transAxes)


def look(strategy: str) -> dict:
    """Colour and marker of a strategy; of one that is not in the table, those that a new row begins with."""
    row = STRATEGIES.get(strategy, Strategy)
    return {"color": row.color, "marker": row.marker} | ({"ms": 9} if row.marker == "*" else {})  # else it looks smaller


def ordered(names) -> list[str]:
    """Strategies in the order of their table, others after them by name."""
    return sorted(set(names), key=lambda name: ([*STRATEGIES, name].index(name), name))


def categories(ax, values, label: str) -> None:
    ax.set(xticks=range(len(values)), xticklabels=values, xlabel=label, xlim=(-0.6, len(values) - 0.4))


def said(data: pd.DataFrame, say, by: str = "recipe") -> str:
    """What `say` says of the rows of each recipe: "3 of 8 (public), 0 of 8 (tuned)"."""
    return ", ".join(f"{say(rows)} ({name})" for name, rows in data.groupby(by, sort=False))


def count(yes: pd.Series) -> str:
    return f"{yes.astype(bool).sum()} of {len(yes)}"
