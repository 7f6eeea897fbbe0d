"""Figures show what their tables say, and are saved whole, with the data behind them."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from fake_results import make

from ppglib.files import InputError
from ppglib.results import controls, evidence, laws, plots, tables


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tables.load(make(tmp_path_factory.mktemp("results"), seeds={}, simulated=True))


@pytest.fixture(scope="module")
def conditions(results):
    return tables.conditions(results)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_save_writes_png_pdf_and_the_data_and_nothing_else(tmp_path, conditions):
    table = tables.figure1(conditions, "public")
    plots.save(plots.figure1(table), table, tmp_path / "new", "figure1")
    paths = [tmp_path / "new" / f"figure1.{kind}" for kind in ("png", "pdf", "csv")]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [
        "figure1.csv",
        "figure1.pdf",
        "figure1.png",
    ]
    assert paths[0].read_bytes().startswith(b"\x89PNG") and paths[1].read_bytes().startswith(b"%PDF")
    behind = pd.read_csv(paths[2])
    assert np.allclose(behind.mae, table.mae, rtol=1e-5) and behind.simulated.all()


def test_save_again_gives_the_same_bytes(tmp_path, conditions):
    table = tables.figure1(conditions, "public")
    for name in "ab":
        plots.save(plots.figure1(table), table, tmp_path, name)
    for kind in ("png", "pdf", "csv"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_unwritable_folder_is_one_sentence(tmp_path, conditions):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot write"):
        plots.save(plt.figure(), conditions, tmp_path / "file", "a")


def test_figure1_encodes_mae_by_colour_and_by_size_and_starts_with_scratch(results, conditions):
    table = tables.figure1(conditions, "public")
    ax = plots.figure1(table, results.name).axes[0]
    dots = ax.collections[0]
    order = np.argsort(table.mae.to_numpy())
    assert (np.diff(dots.get_array()[order]) >= 0).all() and (np.diff(dots.get_sizes()[order]) >= 0).all()
    assert np.allclose(dots.get_array(), table.mae)
    assert (dots.get_sizes().min(), dots.get_sizes().max()) == plots.AREAS
    assert ax.get_xticklabels()[0].get_text() == "From\nscratch"
    assert "simulated" in ax.get_title()
    scratch = dots.get_offsets()[:, 0] == 0
    assert np.allclose(np.sort(dots.get_array()[scratch]), np.sort(table[table.strategy == "scratch"].mae))


def test_figure2_draws_a_law_or_says_why_not(results, conditions):
    table = laws.table(evidence.ours(results, "public").mae)
    points = conditions[(conditions.strategy == "soft") & (conditions.student < conditions.teacher)]
    ax = plots.figure2(points, table, results.name).axes[0]
    note = " ".join(text.get_text() for text in ax.texts)
    for row in table.itertuples():
        assert (f"{row.teacher} blocks: too few points: {row.n}" in note) == (row.note != "")
    curves = [line for line in ax.lines if len(line.get_xdata()) == 200]
    assert len(curves) == (table.note == "").sum() == 4
    law = table[table.teacher == 12].iloc[0]
    x, y = curves[-1].get_data()
    assert np.allclose(y, law.a * np.exp(-law.b * x) + law.c)


def bars(ax):
    """{label: points (n, 2) and the two ends of each bar (n, 2, 2)} of what was drawn with error bars."""
    return {c.get_label(): (c[0].get_xydata(), np.array(c[2][0].get_segments())) for c in ax.containers}


def test_strategies_are_drawn_with_their_intervals(conditions):
    table = tables.table2(conditions, "public")
    found = bars(plots.strategies(table).axes[0])
    assert set(found) == set(table.strategy)
    for name, (points, ends) in found.items():
        rows = table[table.strategy == name]
        assert np.allclose(points[:, 1], rows.mae)
        assert np.allclose(ends[:, :, 1], rows[["low", "high"]])
    assert [t.get_text() for t in plt.gca().get_xticklabels()] == list(
        map(str, sorted(table.student.unique()))
    )


def test_what_was_foretold_and_what_was_seen_are_drawn(results):
    table = laws.foretell(evidence.ours(results, "public").mae, "soft", 12)[0]
    found = bars(plots.foretold(table).axes[0])
    for label, names in (
        ("foretold (of the fit)", ["predicted", "low", "high"]),
        ("observed (over people)", ["observed", "observed_low", "observed_high"]),
    ):
        points, ends = found[label]
        assert np.allclose(points[:, 1], table[names[0]]) and np.allclose(ends[:, :, 1], table[names[1:]])


def test_reliability_has_confidence_across_and_hits_up(results):
    table = tables.reliability(results, "public", 4)
    table["accuracy"] = table.accuracy + 0.01 * table.strategy.map(len)
    lines = {line.get_label(): line for line in plots.reliability(table).axes[0].lines}
    assert set(lines) == {"calibrated", *table.strategy}
    for name, rows in table.groupby("strategy"):
        assert np.allclose(lines[name].get_xydata(), rows[["confidence", "accuracy"]])


def test_effects_are_drawn_beside_their_names_top_to_bottom():
    names, kinds = [f"row {i}" for i in range(9)], [f"kind {i}" for i in range(9)]  # more kinds than colours
    table = pd.DataFrame(dict(name=names, kind=kinds, effect=np.arange(9.0)))
    table["low"], table["high"] = table.effect - 1, table.effect + 2
    table.loc[3, ["low", "high"]] = np.nan
    table.loc[4, "low"] = table.effect[4] + 1e-15  # an interval of rounding errors
    table["seed_sd"] = [np.nan] * 8 + [1 / 1.96]
    ax = plots.effects(table, "name", "kind").axes[0]
    found = bars(ax)
    thin = ax.collections[-1].get_segments()
    assert np.allclose(thin[0][:, 0], [8 - 2**0.5, 8 + 5**0.5])  # row 8 is drawn first: 1 and 1, 2 and 1
    ticks = dict(zip((t.get_text() for t in ax.get_yticklabels()), ax.get_yticks()))
    for row in table.drop([3, 4]).itertuples():
        points, ends = found[row.kind]
        assert np.allclose(points, [[row.effect, ticks[row.name]]])
        assert np.allclose(ends[0, :, 0], [row.low, row.high])
    assert ticks["row 0"] > ticks["row 8"]


def test_every_figure_of_simulated_recordings_says_so(results, conditions):
    label, mae = results.name, evidence.ours(results, "public").mae
    drawn = [
        plots.strategies(tables.table2(conditions, "public"), label),
        plots.foretold(laws.foretell(mae, "soft", 12)[0], label),
        plots.reliability(tables.reliability(results, "public", 4), label),
        plots.effects(controls.table(results, "public"), "compared", "control", label),
    ]
    assert all("simulated" in fig.axes[0].get_title() for fig in drawn)


def test_a_single_row_and_no_row_can_be_drawn(conditions):
    one = tables.figure1(conditions, "public").head(1)
    for table in (one, one.head(0)):
        plots.figure1(table)
        plots.strategies(table)
    plots.figure2(
        one, laws.table(pd.DataFrame({0: {("soft", 1, 12): 5.0}}).rename_axis(index=evidence.LEVELS))
    )
    plots.foretold(
        pd.DataFrame(
            columns=["student", "predicted", "low", "high", "observed", "observed_low", "observed_high"]
        )
    )
