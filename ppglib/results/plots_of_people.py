"""Figures of people: how they are divided, how much they differ, and one person's heart rate as a network predicts it."""

from itertools import cycle

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are first used
from matplotlib.colors import LinearSegmentedColormap, to_rgba

from ppglib import task
from ppglib.results import kit, networks, tables
from ppglib.results.kit import ACCENT, INK, MAE, PAPER, Plot, look
from ppglib.results.tables import BASELINES

SHADE = LinearSegmentedColormap.from_list("probability", ["white", "#9bb8d3", "#1f4e79"])
TRUE, ARGMAX, MEDIAN = "black", PAPER, ACCENT  # lines of a person's heart rate, told apart by their style too
STEPS = (0, 70, 90, 110, 130, 150, 170, 210)  # BPM: groups of true heart rates
FEWEST = 20  # windows of a group that is drawn
DECODER = "median"  # of errors over people


def folds(results, sets: pd.DataFrame) -> Plot:
    """How people are divided: a column a person, a row a fold of a set; full: tested in it, hollow: trained on.

    sets: of `networks.sets`. Whom no fold tests stand last in their set."""
    rows = results.people.merge(tables.judged(results.runs)[["run_id", "fold"]])
    tested = rows.drop_duplicates(["dataset", "person", "fold"]).sort_values(["dataset", "fold", "person"])
    every, parts = sorted(tested.fold.unique()), []
    for own in sets.itertuples():
        mine = tested[tested.dataset == own.dataset]
        people = [*mine.person, *[""] * (int(own.people) - len(mine))]
        parts += [pd.DataFrame({"dataset": own.dataset, "fold": fold, "person": people, "tests": [*(mine.fold == fold), *[False] * people.count("")]})
                  for fold in every]  # fmt: skip
    data = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["dataset", "fold", "person", "tests"])
    lines = [*dict.fromkeys(zip(data.dataset, data.fold))]
    fig, [ax] = kit.figure(1, 1, 9.6, 0.7 + 0.34 * max(1, len(lines)))
    y = pd.Series([*zip(data.dataset, data.fold)]).map(lines.index)
    x = data.groupby(["dataset", "fold"], sort=False).cumcount()
    for tests, style in ((True, {"mfc": ACCENT, "ms": 10}), (False, {"mfc": "white", "ms": 6})):
        mask = (data.tests == tests).to_numpy(bool)
        ax.plot(x[mask], y[mask], "s", color=ACCENT, label="tested" if tests else "trained on", **style)
    ticks = [f"{dataset}, fold {fold}" for dataset, fold in lines]
    ax.set(yticks=range(len(lines)), yticklabels=ticks, ylim=(len(lines) - 0.4, -0.6), xticks=[], xlabel="A column a person")
    people, count = sets.people.sum(), len(tested.drop_duplicates(["dataset", "person"]))
    text = f"{count} of {people:.0f} people are tested, nobody by a network that was trained on them, in {len(every)} fold" + "s" * (len(every) > 1)
    return Plot(fig, data.assign(simulated=bool(results.name)), "people_folds", text)


def per_person(results) -> Plot:
    """MAE of every test person as a dot, a row a strategy at the largest teacher and the smallest student, means as bars."""
    data = _of_people(results)
    spread = data.groupby(["recipe", "strategy"], sort=False).mae.agg(["min", "max"])
    order = kit.ordered(data.strategy)
    fig, panels = kit.panels(data, "recipe", 6.2, 1 + 0.42 * max(1, len(order)), 2, sharey=True, sharex=True)
    for ax, rows in panels:
        for name, own in rows.groupby("strategy", sort=False):
            y = order.index(name) + 0.3 * ((np.arange(len(own)) * 0.618034) % 1 - 0.5)  # no dot hides another
            style = {"ms": 5.5, "mew": 0.8, "mfc": to_rgba(look(name)["color"], 0.5)} | look(name)
            ax.plot(own.mae, y, ls="", **style)
            ax.vlines(own.mae.mean(), order.index(name) - 0.38, order.index(name) + 0.38, color="black", lw=2)
        ax.set(yticks=range(len(order)), yticklabels=order, ylim=(max(1, len(order)) - 0.5, -0.5))
        ax.set_xlim(0, 1.04 * data.mae.max() if len(data) else 1)
        ax.set_xlabel(f"{MAE} of a person, decoded by {DECODER}")
        ax.grid(axis="x", color="0.88")
        ax.set_axisbelow(True)
    means = data.groupby(["recipe", "strategy"], sort=False).mae.mean()
    text = "Nothing to draw"
    if len(data):
        people, between = (spread["max"] - spread["min"]).median(), means.groupby("recipe").agg(np.ptp).max()
        more = "Strategies differ more than people" if people <= between else "People differ more than strategies"
        size = networks.sized(str(data.student.iloc[0]))
        text = f"{more}: at {size} MAE of one network spans {people:.1f} BPM over people, means of strategies {between:.1f} BPM"
    return Plot(fig, data, "people_mae", text)


def _of_people(results) -> pd.DataFrame:
    """MAE of each test person, means over seeds: recipe, strategy, student, dataset, person, mae, simulated."""
    runs = tables.judged(results.runs[~results.runs.strategy.isin([*BASELINES, *tables.beyond()])])
    runs = runs[(runs.student == runs.student.min()) & runs.teacher.isin([0, runs.teacher.max()])]
    key = ["recipe", "strategy", "student", "dataset", "person"]
    rows = results.people.merge(runs[["run_id", "recipe", "strategy", "student"]])
    rows = rows.assign(mae=rows[task.DECODERS[DECODER]], weight=rows.n).assign(total=lambda r: r.mae * r.weight)
    sums = rows.groupby(key, sort=False)[["total", "weight"]].sum()
    return (sums.total / sums.weight).rename("mae").reset_index().assign(simulated=bool(results.name))


def by_set(results) -> Plot:
    """MAE of every strategy at the smallest student and the largest teacher, a panel a set of recordings, recipes side by side."""
    sets = sorted(results.people.dataset.unique())
    parts = [tables.conditions(results, DECODER, name).assign(dataset=name) for name in sets]
    data = pd.concat(parts, ignore_index=True)
    data = tables.judged(data[~data.strategy.isin([*BASELINES, *tables.beyond()])])
    data = data[(data.student == data.student.min()) & data.teacher.isin([0, data.teacher.max()])]
    fig, panels = kit.panels(data, "dataset", 4.2, 3.8, 3)  # each its own scale: intervals of few people would hide all others
    names, recipes = kit.ordered(data.strategy), list(data.recipe.unique())
    for ax, rows in panels:
        for (name, recipe), own in rows.groupby(["strategy", "recipe"], sort=False):
            at = names.index(name) + 0.3 * (recipes.index(recipe) - (len(recipes) - 1) / 2)
            fill = kit.FILLS[recipes.index(recipe) % 2]
            kit.dots(ax, [at], own, "mae", elinewidth=1.4, **look(name) | {"mfc": fill})
        ax.set(xticks=range(len(names)), ylim=(0, None))
        ax.set_xticklabels(names, rotation=40, ha="right", rotation_mode="anchor")
    for recipe, fill in zip(recipes, cycle(kit.FILLS)):
        panels[0][0].plot([], [], "o", color=INK, mfc=fill, label=f"recipe {recipe}, 95 % interval over people")
    panels[0][0].set_ylabel(f"{MAE} by {DECODER}, own scale")
    means = data.groupby("dataset").mae.mean().sort_values()
    text = "Nothing to draw"
    if len(means):
        size = networks.sized(str(data.student.iloc[0]))
        text = f"At {size} the mean MAE of strategies is {means.iloc[0]:.1f} BPM on {means.index[0]}"
        text += f" and {means.iloc[-1]:.1f} BPM on {means.index[-1]}" if len(means) > 1 else ""
    return Plot(fig, data, "people_by_set", text)


def by_heart_rate(table: pd.DataFrame, label: str = "") -> Plot:
    """Mean absolute error by groups of true heart rates, a line a set. table: a row a window, with dataset, hr (true)
    and decoded (BPM). Groups of fewer than FEWEST windows are not drawn."""
    rows = table.assign(error=(table.decoded - table.hr).abs(), group=pd.cut(table.hr, STEPS, right=False))
    data = rows.groupby(["dataset", "group"], observed=True, sort=True).agg(hr=("hr", "mean"), mae=("error", "mean"), windows=("hr", "size"))
    data = data[data.windows >= FEWEST].reset_index().assign(group=lambda r: r.group.astype(str))
    fig, [ax] = kit.figure(1, 1, 8.5, 3.6)
    for (name, own), color, marker, line in kit.shades(data.groupby("dataset", sort=False)):
        ax.plot(own.hr, own.mae, color=color, marker=marker, ls=line, ms=7, label=name)
    ax.set(xlabel="True heart rate (BPM)", ylabel=MAE, ylim=(0, None))
    text = "Too few windows to draw"
    if len(data):
        least, most = data.loc[data.mae.idxmin()], data.loc[data.mae.idxmax()]
        text = f"The error is {most.mae:.1f} BPM around {most.hr:.0f} BPM and {least.mae:.1f} BPM around {least.hr:.0f} BPM"
    return Plot(fig, data, "people_by_heart_rate", text, label)


def over_time(seen: pd.DataFrame, probabilities: np.ndarray, ppg: np.ndarray, at: int, label: str = "") -> Plot:
    """One recording: heart rate over time, true and predicted, on the distribution as shading; below, one window and its
    spectrum.

    seen: a row a window: second, hr (true, BPM), argmax, median, low, high (BPM). probabilities: (N, 180). ppg: (200,)
    of the window `at`, a row of `seen`, which the lower panels show."""
    fig = kit.figure(1, 1, 9.6, 6.2)[0]
    fig.clear()
    spec = fig.add_gridspec(2, 2, height_ratios=(2.1, 1), width_ratios=(1.35, 1))
    above, below, beside = fig.add_subplot(spec[0, :]), fig.add_subplot(spec[1, 0]), fig.add_subplot(spec[1, 1])
    minutes, row = (seen.second + task.WINDOW_SECONDS / 2) / 60, seen.iloc[at]
    half = task.STEP_SECONDS / 120
    for run in np.split(np.arange(len(seen)), np.flatnonzero(np.diff(seen.second) > task.STEP_SECONDS) + 1):
        edges = np.append(minutes.iloc[run] - half, minutes.iloc[run[-1]] + half)
        strength = np.sqrt(probabilities[run].T)  # the square root, or only peaks would be seen
        above.pcolormesh(edges, np.arange(task.BINS + 1) + task.LOWEST, strength, cmap=SHADE, vmin=0, vmax=np.sqrt(probabilities.max()), rasterized=True)
        line = run if len(run) > 1 else run.repeat(2)
        own, when, first = seen.iloc[line], minutes.iloc[line], run[0] == 0
        above.plot(when, own.low, color=MEDIAN, lw=1.2, ls=":", label="80 % band" if first else None)
        above.plot(when, own.high, color=MEDIAN, lw=1.2, ls=":")
        above.plot(when, own["median"], color=MEDIAN, lw=1.8, label="median" if first else None)
        above.plot(when, own.hr, color=TRUE, lw=1.8, ls="--", label="true" if first else None)
    above.plot(minutes, seen["argmax"], ls="", marker="x", color=ARGMAX, ms=4, label="argmax")
    above.axvline(minutes.iloc[at], color=INK, lw=1, ls="-.", label="window below")
    reach = seen[["hr", "low", "high"]].to_numpy()
    above.set(xlabel="Time (min)", ylabel="Heart rate (BPM)", xlim=(minutes.iloc[0] - half, minutes.iloc[-1] + half))
    above.set_ylim(max(task.HR_RANGE[0], np.nanmin(reach) - 12), min(task.HR_RANGE[1], np.nanmax(reach) + 12))
    below.plot(np.arange(task.LENGTH) / task.RATE, ppg, color=INK)
    below.set(xlabel="Time in the window (s)", ylabel="PPG (z)")
    rate, power = spectrum(ppg)
    beside.plot(rate, power, color=INK)
    for value, color, style in ((row.hr, TRUE, "--"), (row["median"], MEDIAN, "-")):
        beside.axvline(value, color=color, ls=style, lw=1.8)
    beside.set(xlabel="Spectrum (BPM)", yticks=[], xlim=task.HR_RANGE)
    error = (seen["median"] - seen.hr).abs()
    text = f"{len(seen)} windows, MAE by median {error.mean():.1f} BPM; at {minutes.iloc[at]:.1f} min {row['median']:.0f} BPM, true {row.hr:.0f} BPM"
    return Plot(fig, seen, "12_over_time", text, label)


def spectrum(ppg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(BPM, power) of a window (200,): a periodogram, padded so that a step is about half a BPM."""
    rate, power = scipy.signal.periodogram(ppg, task.RATE, window="hann", nfft=3000)
    inside = (60 * rate >= task.HR_RANGE[0]) & (60 * rate <= task.HR_RANGE[1])
    return 60 * rate[inside], power[inside]


def fields(ppg: np.ndarray, hr: float, designs: pd.DataFrame, label: str = "") -> Plot:
    """What one output of each network sees, drawn over a window: ppg (200,), hr its heart rate (BPM).

    designs: name and field (s) of each, one bar each, centred: where in the window an output looks is its own."""
    rows = designs.sort_values("field", ignore_index=True)
    fig, [above, below] = kit.figure(2, 1, 8.5, 2.2, sharex=True)
    above.plot(np.arange(task.LENGTH) / task.RATE, ppg, color=INK)
    for beat in np.arange(0, task.WINDOW_SECONDS, 60 / hr):
        above.axvline(beat, color="0.55", lw=1, zorder=0)
    above.set(ylabel="PPG (z)", xlim=(0, task.WINDOW_SECONDS))
    below.barh(rows.index, rows.field, 0.62, left=(task.WINDOW_SECONDS - rows.field) / 2, color="#a9c3dd", edgecolor=INK)
    for y, own in rows.iterrows():
        narrow = own.field < task.WINDOW_SECONDS / 2  # the text stands beside it
        at, side = ((task.WINDOW_SECONDS + own.field) / 2 + 0.1, "left") if narrow else (task.WINDOW_SECONDS / 2, "center")
        below.text(at, y, f"{own.field:.2g} s, {own.field * hr / 60:.1f} beats", ha=side, va="center", size=11)
    below.set(yticks=range(len(rows)), yticklabels=rows["name"], xlabel="Time in the window (s)", ylim=(len(rows) - 0.4, -0.6))
    least, most = rows.iloc[0], rows.iloc[-1]
    text = f"One output of {least['name']} sees {least.field:.2g} s of the window, of {most['name']} {most.field:.2g} s; grey lines are a beat apart"
    return Plot(fig, rows.assign(hr=hr), "12_fields", text, label)
