"""Figures show what their tables say, their titles say it too, and they are saved whole with their data."""

import numpy as np
import pandas as pd
import pytest
from fake_results import make
from matplotlib.colors import to_hex, to_rgb

from ppglib import files, scaling
from ppglib.files import InputError
from ppglib.results import bootstrap, claims, controls, evidence, frames, kit, laws, outcome, plots, plots_of_agreement, plots_of_people, tables
from ppglib.strategies import STRATEGIES, Strategy
from ppglib.windows import Windows


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "DRAWS", 300)
        yield


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return tables.load(make(folder, recipes=("public", "tuned"), simulated=True))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """One recipe of another name, three sizes, one seed, a strategy missing and one that nobody knows."""
    results = tables.load(
        make(tmp_path_factory.mktemp("small"), (1, 2, 4), (2, 4, 6), recipes=("demo",), seeds={})
    )
    runs = results.runs[results.runs.strategy != "hard"].replace({"strategy": {"soft8": "novel"}})
    return results._replace(runs=runs, people=results.people[results.people.run_id.isin(runs.run_id)])


@pytest.fixture(scope="module")
def gains(results):
    return plots.gains(results)


@pytest.fixture(scope="module")
def figure1(results):
    return plots.figure1(results)


def drawn(ax, flat=False):
    """[(points (n, 2), ends of each bar (n, 2))] of everything with error bars, in the order drawn."""
    side = 0 if flat else 1
    return [(c[0].get_xydata(), np.array(c[2][0].get_segments())[:, :, side]) for c in ax.containers]


def panel(plot, title):
    return next(ax for ax in plot.fig.axes if ax.get_title(loc="left") == title)


def judged():
    verdicts = [outcome.YES, outcome.NO, outcome.CONTROL, outcome.CANNOT]
    table = pd.DataFrame({"id": [1, 2, 3, 9], "claim": list("abcd"), "verdict": verdicts})
    table["how"] = ["", "reversed", "", ""]
    other = table.iloc[:3].assign(verdict=outcome.YES, how="")
    return {"paper's tables": table, "tuned": other}


def test_save_writes_picture_and_data_and_returns_the_plot(tmp_path, figure1):
    assert figure1.save(tmp_path / "new") is figure1
    paths = [tmp_path / f"new/figures/04_figure1.{kind}" for kind in ("csv", "pdf", "png")]
    assert sorted((tmp_path / "new/figures").iterdir()) == paths
    assert paths[2].read_bytes().startswith(b"\x89PNG") and paths[1].read_bytes().startswith(b"%PDF")
    behind = pd.read_csv(paths[0])
    assert np.allclose(behind.mae, figure1.data.mae, rtol=1e-5) and behind.simulated.all()
    assert figure1.data.mae.map("{:.6g}".format).astype(float).tolist() == behind.mae.tolist()


def test_save_again_gives_the_same_bytes(tmp_path, figure1):
    for name in "ab":
        figure1.save(tmp_path / name)
    for kind in ("png", "pdf", "csv"):
        one, other = (tmp_path / name / f"figures/04_figure1.{kind}" for name in "ab")
        assert one.read_bytes() == other.read_bytes()


def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path, figure1, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot write"):
        figure1.save(tmp_path / "file")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        figure1.save(tmp_path)
    assert list((tmp_path / "figures").iterdir()) == []


def test_a_notebook_shows_a_plot_once_with_its_title_as_text(figure1):
    assert figure1._repr_png_().startswith(b"\x89PNG")
    assert repr(figure1).replace("\n", " ") == figure1.title == figure1.fig.get_suptitle().replace("\n", " ")
    import matplotlib.pyplot as plt

    assert not plt.get_fignums() and plt.rcParams["font.size"] == 10  # nothing is left behind


def test_strategies_look_as_their_table_says_and_no_verdict_looks_like_one(results, monkeypatch):
    shown = [row for row in STRATEGIES.values() if row.group != "beyond"]
    colors = {to_hex(row.color) for row in shown}
    assert len(colors) == len({row.marker for row in shown}) == len(shown)
    for color, *_ in plots.VERDICTS.values():
        assert min(np.linalg.norm(np.subtract(to_rgb(color), to_rgb(other))) for other in colors) > 0.15
    assert plots.look("novel") == {"color": Strategy.color, "marker": Strategy.marker}
    assert to_hex(Strategy.color) not in colors
    assert set(plots.VERDICTS) == {outcome.YES, outcome.NO, outcome.CONTROL, outcome.CANNOT}
    mine = Strategy("mine", lambda b, c: 0, color="#123456", marker="h")
    monkeypatch.setitem(STRATEGIES, "mine", mine)
    renamed = results._replace(runs=results.runs.replace({"strategy": {"soft8": "mine"}}))
    container = panel(plots.gains(renamed), "mine").containers[0]
    assert container[0].get_color() == "#123456" and container[0].get_marker() == "h"


def contrast(color):
    """Of a colour on white, as WCAG counts it."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color))
    return 1.05 / (0.05 + 0.2126 * red + 0.7152 * green + 0.0722 * blue)


def test_every_colour_of_lines_and_marks_stands_out_on_white_and_verdicts_have_marks_of_their_own(results, gains):
    assert contrast("white") == 1 and contrast("black") == pytest.approx(21)
    colors = [row.color for row in STRATEGIES.values()] + [Strategy.color, kit.INK, kit.ACCENT, kit.PAPER]
    colors += [mark["color"] for mark in kit.MARKS.values()] + [line["color"] for line in plots_of_agreement.LINES.values()]
    colors += [color[:3] for _, color, *_ in kit.shades([(i, i) for i in range(6)])]
    assert min(map(contrast, colors)) >= 3, [color for color in colors if contrast(color) < 3]
    for fill, *_, ink in plots.VERDICTS.values():  # words on their fill
        assert max(contrast(fill), contrast(ink)) / min(contrast(fill), contrast(ink)) >= 4.5
    assert len({kit.MARKS[verdict]["marker"] for verdict in plots.VERDICTS}) == len(plots.VERDICTS)
    shown = [gains, plots.cost(results), plots.figure2(results), plots.controls(results), plots.reliability(results), plots_of_people.per_person(results)]
    lines = [line for plot in shown for ax in plot.fig.axes for line in ax.lines]
    assert min(contrast(line.get_color()) for line in lines) >= 3
    texts = [text for plot in shown for ax in plot.fig.axes for text in [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()]]
    assert min(contrast(text.get_color()) for text in texts) >= 4.5


def test_teachers_of_a_law_are_told_apart_without_colour(results):
    ax = panel(plots.figure2(results), "public")
    teachers = {text.partition(":")[0]: line for line, text in zip(*ax.get_legend_handles_labels())}
    assert len({(line.get_marker(), line.get_linestyle()) for line in teachers.values()}) == len(teachers) == 8


def test_no_line_of_a_title_begins_with_a_unit():
    text = "Pieces of 1 s in another order: 3.2 BPM at 16 % and 2 sets"
    broken = {line.split()[0] for width in range(12, 60) for line in kit.wrapped(text, width).splitlines()[1:]}
    assert "\u00a0" not in kit.wrapped(text, 20) and kit.wrapped(text, 99) == text
    assert not broken & {"s", "BPM", "%"} and "sets" in broken


def test_verdicts_have_a_colour_and_a_word_for_every_claim_and_evidence():
    plot = plots.verdicts({name: table.assign(simulated=True) for name, table in judged().items()})
    (ax,) = plot.fig.axes
    cells = {(round(bar.get_x()), round(bar.get_y() + bar.get_height() / 2)): to_hex(bar.get_facecolor())
             for bar in ax.patches if bar.get_width() == 0.95}  # fmt: skip
    words = {(round(t.get_position()[0] - 0.475), t.get_position()[1]): t.get_text() for t in ax.texts}
    for column, table in enumerate(judged().values()):
        for row, found in enumerate(table.itertuples()):
            assert cells[column, row] == plots.VERDICTS[found.verdict][0]
            assert words[column, row].startswith(plots.VERDICTS[found.verdict][1])
    assert len(cells) == 7  # the second column has no claim 9
    assert "reversed" in words[0, 1] and [t.get_text() for t in ax.texts][:4] == ["1", "a", "2", "b"]
    assert "4 claims" in plot.title and "1 (paper's tables), 3 (tuned)" in plot.title
    assert "simulated" in plot.title and len(plot.data) == 7


def test_gains_are_the_paired_differences_with_their_intervals(results, gains):
    own = evidence.ours(results, "tuned")
    expected = controls.by_size(own, [("dkd", "scratch")])
    points, ends = drawn(panel(gains, "dkd"))[1]  # after the public recipe's
    assert np.allclose(points[:-1, 1], expected.effect)
    assert np.allclose(ends[:-1], expected[["low", "high"]])
    mean = controls.table(results, "tuned").query("compared == 'dkd - scratch'").iloc[0]
    assert np.allclose([*points[-1:, 1], *ends[-1]], mean[["effect", "low", "high"]].astype(float))
    seeds = panel(gains, "dkd").collections
    wide = np.concatenate([lines.get_segments() for lines in seeds if lines.get_linewidth()[0] == 0.9])
    assert len(wide) == 18 and (np.ptp(wide[9:-1, :, 1], axis=1) > np.ptp(ends[:-1], axis=1)).all()
    means = gains.data[(gains.data.recipe == "tuned") & (gains.data.student == "mean")]
    assert f"{' and '.join(means.strategy[means.reading == 'better'])} (tuned)" in gains.title
    rows = gains.data[gains.data.strategy == "dkd"]
    stars = [text for text in panel(gains, "dkd").texts if text.get_text() == "*"]
    assert len(stars) == rows.reading.isin(["better", "worse"]).sum() > 0


def test_recipes_stand_side_by_side(gains):
    (public, _), (tuned, _) = drawn(panel(gains, "soft"))
    assert (tuned[:, 0] - public[:, 0] > 0.3).all()
    fills = {to_hex(c[0].get_markerfacecolor()) for c in panel(gains, "soft").containers}
    assert fills == {STRATEGIES["soft"].color, "#ffffff"}


def test_cost_has_multiply_accumulates_across_and_mae_up(results):
    from ppglib.resnet1d import macs

    plot = plots.cost(results)
    rows = tables.table2(tables.conditions(results), "public").query("strategy == 'dkd'")
    ax = panel(plot, "public")
    line = next(line for line in ax.lines if line.get_label() == "dkd")
    assert ax.get_xscale() == "log" and line.get_color() == STRATEGIES["dkd"].color
    assert np.allclose(line.get_xydata(), np.transpose([[macs(b) / 1e6 for b in rows.student], rows.mae]))
    rows = tables.table2(tables.conditions(results), "public").query("strategy == 'scratch'")
    [(points, ends)] = drawn(ax)
    assert np.allclose(points[:, 1], rows.mae) and np.allclose(ends, rows[["low", "high"]])
    assert f"{100 * macs(1) / macs(12):.0f} %" in plot.title


def test_figure1_is_mae_by_colour_and_by_size_and_starts_with_scratch(results, figure1):
    table = tables.figure1(tables.conditions(results), "public")
    ax = panel(figure1, "public")
    dots = ax.collections[0]
    order = np.argsort(table.mae.to_numpy())
    assert (np.diff(dots.get_array()[order]) >= 0).all() and (np.diff(dots.get_sizes()[order]) >= 0).all()
    assert np.allclose(dots.get_array(), table.mae)
    both = np.concatenate([panel(figure1, r).collections[0].get_sizes() for r in ("public", "tuned")])
    assert (both.min(), both.max()) == plots.AREAS  # one scale for both recipes
    assert ax.get_xticklabels()[0].get_text() == "scratch"
    assert [text.get_text() for text in ax.texts] == table.mae.map("{:.2f}".format).tolist()
    scratch = dots.get_offsets()[:, 0] == 0
    assert np.allclose(dots.get_array()[scratch], table[table.strategy == "scratch"].mae)
    assert f"{table.mae.min():.2f} BPM by" in figure1.title and "simulated recordings" in figure1.title


def test_figure1_gain_is_the_difference_from_scratch_with_equals_set_apart(results):
    plot = plots.figure1_gain(results)
    own = evidence.ours(results, "public")
    ax, rows = panel(plot, "public"), plot.data[plot.data.recipe == "public"]
    (dots,) = ax.collections
    dots.update_scalarmappable()
    assert len(ax.texts) == len(rows) == 64 and np.allclose(dots.get_array(), rows.effect)
    for (red, _, blue, _), text, row in zip(dots.get_facecolor(), ax.texts, rows.itertuples()):
        gap = own.mae.loc["soft", row.student, row.teacher][0] - own.mae.loc["scratch", row.student, 0][0]
        assert np.isclose(row.effect, gap) and (blue > red) == (gap < 0)
        assert (text.get_color() == "black") == (row.student < row.teacher)
    text = {t.get_text() for t in ax.texts}
    assert f"{rows.effect.min():+.2f}*".replace("-", "−") in text
    below = rows[rows.student < rows.teacher]
    assert f"better than scratch: {(below.reading == 'better').sum()} of {len(below)} (public)" in plot.title


def test_figure2_draws_a_law_or_says_why_not(results):
    plot = plots.figure2(results)
    table = laws.table(evidence.ours(results, "public").mae)
    ax = panel(plot, "public")
    curves = [line for line in ax.lines if np.isfinite(np.asarray(line.get_ydata(), float)).sum() == 200]
    assert len(curves) == (table.note == "").sum() == 4
    law, form = table[table.teacher == 12].iloc[0], scaling.FORMS["exponential"]
    x, y = curves[-1].get_data()
    assert np.allclose(y, scaling.predict(form, law[list(form.names)].astype(float), x))
    labels = ax.get_legend_handles_labels()[1]
    assert f"12: a {law.a:.2f}, b {law.b:.2f}, c {law.c:.2f}" in labels and "3: too few points" in labels
    assert "4 of 8 (public), 4 of 8 (tuned)" in plot.title
    points, ends = drawn(ax)[-1]
    rows = plot.data[(plot.data.recipe == "public") & (plot.data.teacher == 12)]
    assert np.allclose(points[:, 1], rows.mae) and np.allclose(ends, rows[["low", "high"]])


def test_figures_of_a_simulated_study_say_so_without_being_told(results):
    """As the notebooks call them; the paper's own numbers beside it are not simulated."""
    paper = tables.load_paper()
    judged = claims.judge(results, paper)
    for plot in (
        plots.verdicts(judged),
        plots.claim_effects(judged),
        plots.forecast(frames.forecasts(results, paper)),
    ):
        assert plot.title.endswith("simulated recordings") and plot.data.simulated.any()
    assert not judged["paper's tables"].simulated.any()
    real = claims.judge(results._replace(name=""), paper)
    assert "simulated" not in plots.verdicts(real).title


def test_what_was_forecast_and_what_was_observed_are_drawn(results):
    table = laws.forecast(evidence.ours(results, "public").mae, "soft", 12)[0]
    table = table.assign(simulated=True)
    plot = plots.forecast({"public": table, "demo": table.head(0)})
    predicted, observed = drawn(panel(plot, "public"))
    for (points, ends), names in ((predicted, ["predicted", "low", "high"]),
                                  (observed, ["observed", "observed_low", "observed_high"])):  # fmt: skip
        assert np.allclose(points[:, 1], table[names[0]]) and np.allclose(ends, table[names[1:]])
    assert f"{table.inside.sum()} of {len(table)} (public)" in plot.title and "simulated" in plot.title


def test_effects_of_claims_have_the_colour_of_their_verdict():
    table = pd.DataFrame({"id": [1, 2, 3], "claim": list("abc"), "kind": "gap", "unit": "BPM"})
    table["verdict"] = [outcome.NO, outcome.YES, outcome.NO]
    table["effect"] = [0.0, -1.0, np.nan]
    table["low"], table["high"], table["seed_sd"] = table.effect - 1, table.effect + 2, 1 / 1.96
    other = table.assign(kind=["law", "gap", "gap"], unit=["BPM", "%", "BPM"])
    table, other = table.assign(simulated=True), other.assign(simulated=True)
    plot = plots.claim_effects({"paper's tables": table, "tuned": table, "public": other})
    (ax,) = plot.fig.axes
    colors = [to_hex(c[0].get_color()) for c in ax.containers]
    assert colors == [plots.VERDICTS[verdict][0] for verdict in (outcome.NO, outcome.YES)]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1. a", "2. b"]  # c has no effect
    assert ax.yaxis_inverted() and "1 of 2 (tuned), simulated" in plot.title
    thin = ax.collections[0].get_segments()[0]
    assert np.allclose(thin[:, 0], [-(2**0.5), 5**0.5])  # 1 and 1, 2 and 1
    assert plot.name == "08_effects" and {*plot.data} == {*table, "recipe"}


def test_effects_of_controls_stand_under_their_question_filled_if_significant(results):
    plot = plots.controls(results)
    ax = panel(plot, "tuned")
    texts = [text.get_text() for text in plot.fig.axes[0].get_yticklabels()]
    headed = [text.split("\n")[0] for text in texts]
    assert headed.index("gain over scratch") < headed.index("dkd - scratch") < headed.index(controls.LEAK)
    own = controls.table(results, "tuned").dropna(subset="effect")
    own = own.iloc[pd.factorize(own.control)[0].argsort(kind="stable")]
    for container, (points, ends) in zip(ax.containers, drawn(ax, flat=True)):
        hollow = to_hex(container[0].get_markerfacecolor()) == "#ffffff"
        rows = own[own.reading.isin(["better", "worse"]) != hollow]
        assert np.allclose(points[:, 0], rows.effect) and np.allclose(ends, rows[["low", "high"]])
        assert [texts[int(y)].split("\n")[-1] for y in points[:, 1]] == rows.compared.tolist()


def test_reliability_has_confidence_across_and_hits_up(results):
    plot = plots.reliability(results)
    table = tables.reliability(results, "public", 1)
    lines = {line.get_label(): line for line in panel(plot, "public").lines[1:]}
    assert set(lines) == {name for name in table.strategy}
    for name, rows in table.groupby("strategy"):
        points = lines[name].get_xydata()
        assert np.allclose(points, rows[["confidence", "accuracy"]])
    sums = (table.confidence - table.accuracy).mul(table.n).groupby(table.strategy).sum()
    excess = sums / table.groupby("strategy").n.sum()
    assert f"hits: {excess.idxmax()} {excess.max():+.2f} (public)" in plot.title.replace("\n", " ")


def test_reliability_leaves_out_what_few_windows_say(results):
    few = results._replace(reliability=results.reliability.assign(n=1))
    assert len(plots.reliability(few).data) == 0


def test_across_shows_both_numbers_of_the_same_people(results):
    own = results.runs.strategy.isin(["scratch", "soft", "spectral"])
    runs = results.runs[(results.runs.recipe == "public") & own]
    away = runs[runs.split == "person"].assign(split="without-set1")
    away["run_id"] += "-away"
    people = results.people[results.people.run_id.isin(runs.run_id)]
    moved = people.assign(run_id=people.run_id + "-away", mae=people.mae + 1)
    moved = moved[moved.run_id.isin(away.run_id) & (moved.dataset == "set1")]
    spectral = moved[moved.run_id.isin(away.run_id[away.strategy == "spectral"])]
    new = moved.groupby("run_id").head(2).assign(mae=99.0, person=lambda rows: "new " + rows.person)  # at home by none
    both = results._replace(runs=pd.concat([runs, away]), people=pd.concat([people, moved, new]))
    plot = plots.across(both)
    texts = [text.get_text() for text in panel(plot, "public, set1").texts]  # far above the networks
    assert texts == [f"better baseline: spectral peak, {spectral.mae.mean():.1f} BPM ↑"]
    assert f"{moved.person.nunique()} test people" in plot.title
    shown = drawn(panel(plot, "public, set1"))
    for i, name in enumerate(("scratch", "soft")):
        rows = plot.data[plot.data.strategy == name]
        for (points, ends), column in zip(shown[2 * i : 2 * i + 2], ("held_out", "in_domain")):
            assert np.allclose(points[:, 1], rows[column])
            assert np.allclose(ends, rows[[f"{column}_low", f"{column}_high"]])
    assert f"{plot.data.gap.median():.1f} BPM" in plot.title and "0 of" not in plot.title


def test_figures_of_windows_say_what_they_show():
    shifts = pd.DataFrame(
        {"dataset": [*"aaabbb"], "shift": [-2.0, 0, 2] * 2, "within5": [0.2, 0.9, 0.3, 0.8, 0.1, 0.1]}
    )
    plot = plots.label_shift(shifts)
    assert "0 s (a), -2 s (b)" in plot.title and "shift" in plot.data
    assert np.allclose(plot.fig.axes[0].lines[1].get_ydata(), [0.2, 0.9, 0.3])
    time = np.arange(200) / 25
    one = pd.DataFrame({"dataset": "a", "hr": 60.0, "time": time, "ppg": np.sin(time)})
    (ax,) = plots.examples(one).fig.axes
    assert (
        ax.get_title(loc="left") == "a"
        and ax.get_ylabel() == "60.0 BPM"
        and np.allclose(ax.lines[0].get_ydata(), one.ppg)
    )
    assert [line.get_xdata()[0] for line in ax.lines[1:]] == list(range(8))  # a beat a second


def test_a_window_and_its_distribution_mark_truth_and_what_was_decoded():
    probability = np.full(180, 0.001)
    probability[70] = 0.821
    signal = np.sin(np.arange(300.0))
    windows = Windows(
        signal, pd.DataFrame({"start": [0, 50], "hr": [60.0, 98.0], "simulated": True}), None, None
    )
    plot = plots.window_and_distribution(windows, 1, probability)
    above, below = plot.fig.axes
    assert above.lines[0].get_xdata()[-1] == 8 - 1 / 25
    assert np.corrcoef(above.lines[0].get_ydata(), signal[50:250])[0, 1] > 0.999
    assert np.allclose([bar.get_height() for bar in below.patches], probability)
    assert below.lines[0].get_xdata()[0] == 98.0 and below.lines[1].get_xdata()[0] == 100.5
    assert "decoded 100.5 BPM, true 98.0 BPM, simulated" in plot.title and len(plot.data) == 200


def test_figures_of_sizes_and_costs_count_what_they_show():
    table = pd.DataFrame({"blocks": [1, 12], "paper": [10, 99], "as_in_paper": [10, 100]})
    table["live"], table["mmacs"] = [8, 80], [2.0, 6.0]
    title = plots.table1(table).title
    assert "1 of 2 sizes" in title and "10-fold" in title and "3-fold" in title
    time = pd.DataFrame({"device": ["paper: x"] * 2 + ["y"] * 2, "blocks": [1, 12] * 2})
    time["seconds"] = [1.0, 10, 1, 2]
    memory = time.assign(parameters_mb=time.blocks, memory_mb=time.seconds)
    plot = plots.table3(time, memory)
    assert "50 to 90 %" in plot.title
    assert to_hex(plot.fig.axes[0].lines[0].get_color()) == "#000000"  # the paper's
    speed = pd.DataFrame({"blocks": [1, 4], "plain": [1.0, 2], "ours": [3.0, 8], "ratio": [3.0, 4]})
    plot = plots.training_cost(speed)
    assert "3.0 to 4.0 times" in plot.title
    assert [list(line.get_ydata()) for line in plot.fig.axes[0].lines] == [[1, 2], [3, 8]]
    assert "Nothing" in plots.training_cost(pd.DataFrame()).title
    curves = pd.DataFrame({"blocks: 1, fold 0": [3.0, 2], "blocks: 1, fold 1": [3.0, 1]}, index=[1, 2])
    plot = plots.training_curves(curves.rename_axis("epoch"), "simulated recordings")
    assert "2.00 (blocks: 1, fold 0) to 1.00 (blocks: 1, fold 1)" in plot.title
    one, other = plot.fig.axes[0].lines
    assert not np.array_equal(one.get_color(), other.get_color())


def test_a_small_study_can_be_drawn(small):
    plot = plots.gains(small)
    assert set(plot.data.strategy) == {"soft", "feature", "dkd", "gaussian", "novel"}
    assert set(plot.data.recipe) == {"demo"} and panel(plot, "novel").containers
    for draw in (
        plots.cost,
        plots.figure1,
        plots.figure1_gain,
        plots.figure2,
        plots.reliability,
        plots.controls,
    ):
        assert "demo" in draw(small).title
    assert "simulated" not in plot.title
    assert plots.across(small).title == "Nothing to draw"


def test_a_study_without_students_or_intervals_can_be_drawn(small):
    runs = small.runs[small.runs.strategy == "scratch"]
    one = small.people[(small.people.person == "P000") | (small.people.person == "P100")]
    alone = small._replace(runs=runs, people=one[one.run_id.isin(runs.run_id)])
    few = small._replace(people=one.groupby("run_id").head(1))
    nothing = small._replace(runs=small.runs[small.runs.student == 0], people=small.people.head(0))
    nothing = nothing._replace(people=small.people[small.people.run_id.isin(nothing.runs.run_id)])
    draw = (plots.gains, plots.cost, plots.figure1, plots.figure1_gain, plots.figure2, plots.across)
    for study in (alone, few, nothing):
        for make_plot in draw:
            assert make_plot(study).fig.axes
