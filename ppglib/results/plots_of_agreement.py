"""Figures of predicted against true heart rates; their tables are those of `ppglib.results.agreement`."""

import numpy as np
import pandas as pd

from ppglib.results import agreement, kit
from ppglib.results.kit import ACCENT, INK, PAPER, Plot

LINES = {"spectral": {"color": PAPER, "ls": "--"}, "neurokit2": {"color": "#666633", "ls": "-."}}  # of the baselines
TICKS = (0.5, 1, 2, 5, 10, 20, 50)  # BPM
POINTS = 4000  # of a cloud: more hide each other


def over_time(rows: pd.DataFrame, method: str, label: str = "") -> Plot:
    """True heart rates of one person's windows, predicted ones and their band; a panel a recording."""
    dataset, who = rows[["dataset", "person"]].iloc[0]
    fig, panels = kit.panels(rows, "recording", 9, 2.9, 1)
    for ax, own in panels:
        minutes = (own.start + own.end).to_numpy() / 120
        apart = np.flatnonzero(np.diff(minutes) > 0.1) + 1  # lines end where windows are missing
        values = [minutes, *own[["low", "high", method, "truth"]].to_numpy(float).T]
        minutes, low, high, found, truth = (np.insert(value, apart, np.nan) for value in values)
        ax.fill_between(minutes, low, high, color=ACCENT, alpha=0.25, linewidth=0, label=f"{method}, 80 % band")
        ax.plot(minutes, truth, color="black", lw=1.8, label="true")
        ax.plot(minutes, found, ".-", color=ACCENT, ms=3, lw=0.8, label=method)
        ax.set_ylabel("heart rate (BPM)")
    panels[-1][0].set_xlabel("time (min)")
    known = rows[rows.truth.notna()]
    told = agreement.summary(known, method, True)
    text = "{} errs by {mae:.1f} BPM over {windows} windows; its band holds {in_band:.0%}".format(method, **told)
    text = "no true heart rate, or none predicted" if np.isnan(told["mae"]) else text
    return Plot(fig, rows, f"heart_rate_{dataset}_{who}", f"{dataset} {who}: {text}", label)


def bland_altman(predictions: pd.DataFrame, methods: list[str], label: str = "") -> Plot:
    """Predicted minus true against their mean, a row a set and a panel a method, with bias and limits of agreement."""
    known = predictions[predictions.truth.notna()]
    who, truth = known[["dataset", "person"]], known.truth
    long = [who.assign(method=m, mean=(known[m] + truth) / 2, off=known[m] - truth) for m in methods]
    long = pd.concat(long, ignore_index=True)
    order = list(known.dataset.unique())
    long = long.dropna(subset="off").sort_values("dataset", key=lambda names: names.map(order.index), kind="stable")
    fig, panels = kit.panels(long, ["dataset", "method"], 3.6, 3.2, len(methods), sharey=True, sharex=True)
    rng, told = np.random.default_rng(0), {}
    for ax, rows in panels:
        bias, low, high = agreement.limits(rows.off, rows.dataset + "/" + rows.person)
        told[tuple(rows[["dataset", "method"]].iloc[0])] = bias, low, high
        shown = rows.iloc[np.sort(rng.permutation(len(rows))[:POINTS])]
        ax.scatter(shown["mean"], shown.off, 5, pd.factorize(shown.person)[0], cmap="turbo", alpha=0.5, linewidths=0)
        ax.set_title("\n".join(rows[["dataset", "method"]].iloc[0]), loc="left", weight="bold", size=11)
        for value, style, side in ((bias, "-", 0), (low, "--", 1), (high, "--", 0)):
            ax.axhline(value, color="black", lw=1.2, ls=style)
            at = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "top" if side else "bottom", "size": 11}
            if side or value == high or high - bias > 25:  # else it would lie on the upper one
                ax.annotate(f"{value:+.1f}", (1, value), **at)
    fig.supxlabel("mean of predicted and true (BPM)", size=12)
    fig.supylabel("predicted − true (BPM)", size=12)
    ours = {dataset: value for (dataset, method), value in told.items() if method == methods[0]}
    text = ", ".join("{:+.1f} [{:+.0f}, {:+.0f}] ({})".format(*value, dataset) for dataset, value in ours.items())
    text = f"{methods[0]} minus truth in BPM, with 95 % limits of agreement: {text}"
    return Plot(fig, long, "bland_altman", text, label)


def confidence(predictions: pd.DataFrame, methods: list[str], label: str = "") -> Plot:
    """Error of the surest windows against how many are kept, and the stated share within 5 BPM against the real one."""
    kept, honest = (of(predictions, methods[0]) for of in (agreement.coverage, agreement.calibration))
    known = predictions[predictions.truth.notna()]
    datasets = list(kept.dataset.unique()) or [""]
    fig, axes = kit.figure(len(datasets), 2, 4.6, 3.4)
    for (left, right), dataset in zip(np.reshape(axes, (-1, 2)), datasets):
        rows, said, own = (t[t.dataset == dataset] for t in (kept, honest, known))
        left.plot(100 * rows.kept, rows.mae, "o-", color=ACCENT, ms=4, label=methods[0])
        for name in methods[1:]:
            style = LINES.get(name, {"color": INK, "ls": ":"})
            left.axhline((own[name] - own.truth).abs().mean(), label=f"{name}, all", **style)
        left.set(xlabel="share of windows kept, the surest (%)", ylabel="MAE (BPM)", yscale="log")
        left.set_yticks(TICKS, TICKS)
        left.set_ylim(*np.array(left.dataLim.intervaly) * (0.8, 1.25))
        left.minorticks_off()
        left.set_title(dataset, loc="left", weight="bold")
        right.plot([0, 1], [0, 1], color="0.55", lw=1, label="honest")
        right.plot(said.p_within_5, said.within_5, "o-", color=ACCENT, ms=4)
        right.set(xlabel="p_within_5, a tenth of the windows each", ylabel="share within 5 BPM")
        right.set(xlim=(0, 1.02), ylim=(0, 1.02))
    half = lambda rows: "{:.1f} and {:.1f} BPM".format(  # noqa: E731
        rows.mae[np.isclose(rows.kept, 0.5)].iloc[0], rows.mae.iloc[-1]
    )
    text = f"MAE of the surer half of the windows of {methods[0]}, and of all: {kit.said(kept, half, 'dataset')}"
    return Plot(fig, kept, "confidence", text, label)
