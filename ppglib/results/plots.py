"""The figures: each is a function of a table, and is saved with the table behind it."""

import io
import textwrap
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ppglib import files
from ppglib.results import outcome, tables

# Okabe and Ito's colours, told apart by everyone; brown for their yellow, which is pale on white.
COLORS = {
    "mean": "#bbbbbb",
    "spectral": "#888888",
    "scratch": "#000000",
    "hard": "#d55e00",
    "soft": "#0072b2",
    "feature": "#009e73",
    "dkd": "#cc79a7",
    "soft8": "#e69f00",
    "soft_t1": "#8f5a00",
    "gaussian": "#56b4e9",
}
AREAS = (60, 620)  # points^2: the smallest and the largest MAE of Figure 1
ENOUGH = 50  # windows behind a point of the reliability diagram
VERDICTS = {
    outcome.YES: "#009e73",
    outcome.NO: "#d55e00",
    outcome.CONTROL: "#e69f00",
    outcome.CANNOT: "#bbbbbb",
}


def save(fig: Figure, data: pd.DataFrame, folder: Path, name: str) -> None:
    """Write name.png, name.pdf and name.csv (the data behind the figure), each whole or not at all."""
    for kind in ("png", "pdf"):
        content = io.BytesIO()
        undated = {"metadata": {"CreationDate": None}} if kind == "pdf" else {}
        fig.savefig(content, format=kind, dpi=150, bbox_inches="tight", **undated)
        files.write(Path(folder) / f"{name}.{kind}", content.getvalue())
    tables.save(data, folder, name)


def title(text: str, label: str) -> str:
    """`label` says whose recordings: "simulated recordings" is in the title of every figure of them."""
    return f"{text} ({label})" if label else text


def bars(middle: pd.Series, low: pd.Series, high: pd.Series) -> np.ndarray:
    """(2, n) lengths of error bars: 0 where a limit is missing, or where rounding puts it on the wrong side."""
    return np.nan_to_num([middle - low, high - middle]).clip(0)


def figure1(table: pd.DataFrame, label: str = "") -> Figure:
    """MAE of every student and teacher, "From scratch" left-most; colour and size encode MAE (Figure 1)."""
    teachers, students = sorted(table.teacher.unique()), sorted(table.student.unique())
    low, high = table.mae.min(), table.mae.max()
    area = lambda mae: np.interp(mae, [low, max(high, low + 1e-9)], AREAS)  # noqa: E731
    fig, ax = plt.subplots(
        figsize=(2.6 + 0.85 * len(teachers), 1.6 + 0.62 * len(students)), layout="constrained"
    )
    x, y = table.teacher.map(teachers.index), table.student.map(students.index)
    dots = ax.scatter(x, y, s=area(table.mae), c=table.mae, cmap="viridis_r", vmin=low, vmax=high)
    for column, row, mae in zip(x, y, table.mae):
        below = -2 - (area(mae) / np.pi) ** 0.5  # points: just under the disc
        ax.annotate(
            f"{mae:.2f}", (column, row), (0, below), textcoords="offset points", ha="center", va="top", size=7
        )
    for mae in np.linspace(low, high, 3):
        ax.scatter([], [], s=area(mae), color=dots.cmap(dots.norm(mae)), label=f"{mae:.1f}")
    fig.legend(title="MAE (BPM)", loc="outside right upper", labelspacing=1.6, borderpad=1, frameon=False)
    fig.colorbar(dots, ax=ax, label="MAE (BPM)", pad=0.02)
    ax.set_xticks(range(len(teachers)), ["From\nscratch" if t == 0 else str(t) for t in teachers])
    ax.set_yticks(range(len(students)), students)
    ax.set(xlabel="Teacher (blocks)", ylabel="Student (blocks)")
    ax.set_xlim(-0.6, len(teachers) - 0.4)
    ax.set_ylim(-0.8, len(students) - 0.4)
    if 0 in teachers:
        ax.axvline(0.5, color="0.8", lw=1)
    ax.set_title(title("Teacher and student size", label))
    return fig


def strategies(table: pd.DataFrame, label: str = "") -> Figure:
    """MAE against student size, a line for each strategy, 95 % intervals over people (Table 2)."""
    students = sorted(table.student.unique())
    names = [k for k in dict.fromkeys(table.strategy)]
    fig, ax = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for i, (name, rows) in enumerate(table.groupby("strategy", sort=False)):
        x = rows.student.map(students.index) + 0.05 * (i - (len(names) - 1) / 2)
        style = dict(color=COLORS.get(name), lw=1.2, elinewidth=0.8, ms=4, label=name)
        limits = bars(rows.mae, rows.low, rows.high)
        ax.errorbar(x.to_numpy(), rows.mae.to_numpy(), limits, fmt="o-", **style)
    ax.set_xticks(range(len(students)), students)
    ax.set(xlabel="Student (blocks)", ylabel="MAE (BPM)")
    if names:
        ax.legend(frameon=False, ncols=2)
    ax.set_title(title("Strategies, with 95 % intervals over people", label))
    return fig


def figure2(points: pd.DataFrame, laws: pd.DataFrame, label: str = "") -> Figure:
    """Distilled MAE against student size, the fitted law of each teacher that has one (Figure 2).

    points: student, teacher, mae and, if known, low, high. laws: as `ppglib.laws.table` gives them;
    teachers without a law are named in a note.
    """
    teachers = sorted(points.teacher.unique())
    colors = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(teachers)))[::-1]
    fig, ax = plt.subplots(figsize=(8.5, 5), layout="constrained")
    for i, (teacher, color) in enumerate(zip(teachers, colors)):
        rows = points[points.teacher == teacher].sort_values("student")
        x = rows.student + 0.04 * (i - (len(teachers) - 1) / 2)
        if "low" in rows:
            ax.vlines(x, rows.low, rows.high, color=color, lw=0.8, alpha=0.6)
        ax.plot(x, rows.mae, "o", ms=5, color=color)
        law = laws[(laws.teacher == teacher) & (laws.note == "")]
        text = f"{teacher} blocks: no law"
        if len(law):
            a, b, c = law[["a", "b", "c"]].iloc[0]
            grid = np.linspace(rows.student.min(), rows.student.max(), 200)
            ax.plot(grid, a * np.exp(-b * grid) + c, color=color, lw=1.4)
            text = f"{teacher} blocks: {a:.2f} exp(-{b:.2f} x) + {c:.2f}"
        ax.plot([], [], "o-" if len(law) else "o", color=color, ms=5, label=text)
    without = laws[laws.note != ""]
    if len(without):
        reasons = [f"{r.teacher} blocks: {r.note}" for r in without.itertuples()]
        ax.text(
            0.02,
            0.02,
            "No law:\n" + "\n".join(reasons),
            transform=ax.transAxes,
            va="bottom",
            size=7,
            color="0.35",
        )
        bottom, top = ax.get_ylim()
        ax.set_ylim(bottom - 0.07 * (2 + len(without)) * (top - bottom) / 2, top)
    ax.set_xticks(sorted(points.student.unique()))
    ax.set(xlabel="Student (blocks)", ylabel="MAE (BPM)")
    ax.legend(title="Teacher", frameon=False, fontsize=8)
    ax.set_title(title("Distilled MAE and its law", label))
    return fig


def foretold(table: pd.DataFrame, label: str = "") -> Figure:
    """Larger students as foretold from the small ones (grey, 95 % prediction interval) and as observed."""
    fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
    x = np.arange(len(table))
    table = table.astype({"student": int}).reset_index(drop=True)
    limits = bars(table.predicted, table.low, table.high)
    style = dict(fmt="s", color="0.5", capsize=3, label="foretold (of the fit)")
    ax.errorbar(x - 0.08, table.predicted.to_numpy(), limits, **style)
    limits = bars(table.observed, table.observed_low, table.observed_high)
    seen = "observed" if table.observed_low.isna().any() else "observed (over people)"
    ax.errorbar(x + 0.08, table.observed.to_numpy(), limits, fmt="o", color="#0072b2", capsize=3, label=seen)
    ax.set_xticks(x, table.student)
    ax.set(xlabel="Student (blocks)", ylabel="MAE (BPM)", xlim=(-0.6, len(table) - 0.4))
    fig.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    ax.set_title(title("Fitted on students up to 5 blocks", label))
    return fig


def reliability(table: pd.DataFrame, label: str = "") -> Figure:
    """Share of windows whose bin is right against the network's confidence: below the diagonal = too sure.

    Tenths of the confidence with fewer than ENOUGH windows are left out: their share is chance.
    """
    fig, ax = plt.subplots(figsize=(5, 4.6), layout="constrained")
    table = table[table.n >= ENOUGH]
    end = min(1, 1.15 * table[["confidence", "accuracy"]].max(axis=None)) if len(table) else 1
    ax.plot([0, 1], [0, 1], color="0.7", lw=1, label="calibrated")
    for name, rows in table.groupby("strategy"):
        ax.plot(rows.confidence, rows.accuracy, "o-", ms=4, lw=1.2, color=COLORS.get(name), label=name)
    ax.set(xlabel="Confidence (largest probability)", ylabel="Share of windows in the right bin")
    ax.set(xlim=(0, end), ylim=(0, end))
    ax.legend(frameon=False, fontsize=8)
    ax.set_title(title("Reliability", label))
    return fig


def effects(table: pd.DataFrame, names: str, groups: str, label: str = "") -> Figure:
    """Effects in BPM with their 95 % intervals, top to bottom; colour tells the `groups` column apart.

    The thin bar beyond the caps is what other seeds add (`outcome.widened`), where seed_sd is known.
    """
    rows = table.dropna(subset=["effect"]).iloc[::-1]
    kinds = list(dict.fromkeys(rows[groups].iloc[::-1]))
    colors = (
        VERDICTS if set(kinds) <= set(VERDICTS) else dict(zip(kinds, cycle(plt.get_cmap("Dark2").colors)))
    )
    fig, ax = plt.subplots(figsize=(8.5, 1.7 + 0.32 * len(rows)), layout="constrained")
    for kind in kinds:
        at = np.flatnonzero(rows[groups] == kind)
        part = rows.iloc[at]
        limits, style = bars(part.effect, part.low, part.high), dict(ms=4, color=colors[kind], capsize=2)
        ax.errorbar(part.effect.to_numpy(), at, xerr=limits, fmt="o", label=kind, **style)
    low, high = outcome.widened(rows.effect, rows.low, rows.high, rows.seed_sd)
    ax.hlines(range(len(rows)), low, high, colors="0.4", lw=0.6, zorder=1)
    ax.axvline(0, color="0.6", lw=1)
    ax.set_yticks(range(len(rows)), [textwrap.fill(text, 52) for text in rows[names]], size=8)
    ax.set(xlabel="Effect (BPM, below 0 = lower MAE)", ylim=(-0.6, len(rows) - 0.4))
    fig.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    known = rows.seed_sd.notna()
    seeds = f"; thin: other seeds too{'' if known.all() else ', where counted'}" if known.any() else ""
    ax.set_title(title(f"Effects with 95 % intervals{seeds}", label))
    return fig


def across(table: pd.DataFrame, label: str = "") -> Figure:
    """MAE where the set was not trained on (line) and where other people of it were (dashes), a panel a set.

    table: as `ppglib.across.table` gives it; the same people on both lines, bars are 95 % intervals over them.
    """
    datasets = sorted(table.dataset.unique())
    fig, axes = plt.subplots(
        1,
        len(datasets),
        figsize=(1 + 3.2 * len(datasets), 4),
        layout="constrained",
        sharey=True,
        squeeze=False,
    )
    students = sorted(table.student[table.teacher > 0].unique())
    for ax, dataset in zip(axes[0], datasets):
        shown = table[(table.dataset == dataset) & table.student.isin(students)]
        for i, (name, rows) in enumerate(shown.groupby("strategy")):
            rows = rows.sort_values("student")
            for column, shift, look in (
                ("held_out", 0.0, {"fmt": "o-", "label": name}),
                ("in_domain", 0.05, {"fmt": "o--", "mfc": "white"}),
            ):
                x = rows.student.map(students.index) + 0.12 * (i - 1) + shift
                limits = bars(*(rows[column + end] for end in ("", "_low", "_high")))
                style = dict(color=COLORS.get(name), lw=1.3, ms=4, elinewidth=0.8) | look
                ax.errorbar(x.to_numpy(), rows[column].to_numpy(), limits, **style)
        ax.set_xticks(range(len(students)), students)
        ax.set(title=dataset, xlabel="Student (blocks)")
    axes[0, 0].set_ylabel("MAE (BPM)")
    axes[0, 0].plot([], [], "o-", color="0.5", label="set not in training")
    axes[0, 0].plot([], [], "o--", color="0.5", mfc="white", label="trained on other people of the set")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    fig.suptitle(title("Tested on a set that was not trained on", label))
    return fig
