"""Controls, and what other seeds would do: what was put in comes out."""

import numpy as np
import pandas as pd
import pytest
from fake_results import LAW, OFFSETS, make, truth

from ppglib.results import bootstrap, controls, evidence, tables


pytestmark = pytest.mark.usefixtures("few_draws")


def test_shared_people_are_compared_over_those_whom_both_splits_test(tmp_path):
    results = tables.load(make(tmp_path, seeds={}))
    shuffled = results.runs.run_id[results.runs.split == "shuffled"]
    others = results.people[results.people.run_id.isin(shuffled)].assign(mae=50.0)
    rows = controls.table(results, "public").query("control == @controls.LEAK")
    for others in (others.assign(person="only here " + others.person), others.assign(dataset="only here")):
        more = results._replace(people=pd.concat([results.people, others]))
        pd.testing.assert_frame_equal(rows, controls.table(more, "public").query("control == @controls.LEAK"))


def with_luck(results, chosen, spread, column="mae"):
    """The same results, seed 1 as it was, seed 0 and 2 of the chosen runs better and worse by `spread` BPM."""
    runs = results.runs.set_index("run_id").loc[results.people.run_id]
    luck = np.where(runs.eval(chosen), spread * (runs.seed - 1), 0)
    return results._replace(people=results.people.assign(**{column: results.people[column] + luck}))


ONE, EIGHT = ("public", "person", "dkd", 1, 12), ("public", "person", "dkd", 8, 12)


def test_a_size_whose_seeds_differ_more_counts_them(tmp_path):
    results = tables.load(make(tmp_path, recipes=("public", "tuned")))
    wild = with_luck(results, "recipe == 'public' and student == 1 and strategy == 'dkd'", 2.0)
    before, after = (np.sqrt(evidence.seed_variance(r)) for r in (results, wild))
    repeated = results.runs.query("recipe == 'public' and student == 1").groupby(bootstrap.KEY).ngroups
    expected = 2 / np.sqrt(repeated * 3)  # one of so many conditions, means of three seeds
    assert after[ONE] == pytest.approx(expected, rel=0.05) and before[ONE] < 0.1 * expected
    assert after[EIGHT] == before[EIGHT] and after.xs("tuned").equals(before.xs("tuned"))
    assert evidence.seed_variance(tables.load(make(tmp_path / "once", seeds={}))).isna().all()


def test_every_decoder_has_its_own_seeds(tmp_path):
    results = with_luck(tables.load(make(tmp_path)), "student == 8", 1.0, "mae_median")
    argmax, median = (evidence.ours(results, "public", decoder=d).seed_variance for d in ("argmax", "median"))
    assert median[EIGHT[2:]] == pytest.approx(1 / 3, rel=0.1) and argmax[EIGHT[2:]] < 0.01


def without(results, gone):
    """The same results as if some runs were still to come."""
    gone = results.runs.query(gone).run_id
    runs, people = (table[~table.run_id.isin(gone)] for table in (results.runs, results.people))
    return results._replace(runs=runs, people=people)


def test_a_network_of_one_fold_moves_more_than_the_mean_of_two(tmp_path):
    results = tables.load(make(tmp_path))
    variance = evidence.seed_variance(without(results, "split == 'shuffled' and fold == 1"))
    assert variance["public", "shuffled", "scratch", 8, 0] == pytest.approx(2 * variance[EIGHT])


def test_controls_across_recipes_and_splits_count_seeds(tmp_path):
    results = tables.load(make(tmp_path, recipes=("public", "tuned"), noise=0))
    wild = with_luck(with_luck(results, "recipe == 'public'", 0.3), "recipe == 'tuned'", 0.1)
    table = controls.table(wild, "public").set_index("compared")
    three, rest = 3, 6  # sizes with three seeds and with one
    leak, worth = (table.seed_sd[k] for k in ("shuffled - person, scratch", "tuned - public, scratch"))
    assert leak == pytest.approx(0.3 * np.sqrt(2 / 3), rel=0.1)
    assert worth == pytest.approx(np.hypot(0.3, 0.1) * np.sqrt(three / 3 + rest) / 9, rel=0.1)


def test_a_recipe_without_repeats_beside_one_with_them_has_controls_without_seeds(tmp_path):
    results = tables.load(make(tmp_path, recipes=("public", "tuned")))
    half = without(results, "recipe == 'public' and seed > 0")
    public, tuned = (controls.table(half, r).set_index("compared") for r in ("public", "tuned"))
    assert public.seed_sd.isna().all() and public.effect["shuffled - person, scratch"] < 0
    assert tuned.seed_sd["dkd - soft8"] > 0


def test_controls_find_what_was_put_in(tmp_path):
    results = tables.load(make(tmp_path, recipes=("public", "tuned"), seeds={}, tuned=-0.5, leak=-0.8))
    table = controls.table(results, "public").set_index("compared")
    effects = {
        "dkd - soft8": OFFSETS["dkd"] - OFFSETS["soft8"],
        "soft - gaussian": OFFSETS["soft"] - OFFSETS["gaussian"],
        "dkd - gaussian": OFFSETS["dkd"] - OFFSETS["gaussian"],
        "gaussian - scratch": OFFSETS["gaussian"] - OFFSETS["scratch"],
        "dkd - soft8, median": OFFSETS["dkd"] - OFFSETS["soft8"],
        "dkd - scratch, median": OFFSETS["dkd"] - OFFSETS["scratch"],
        "shuffled - person, scratch": -0.8,
        "tuned - public, scratch": -0.5,
        "median - argmax": -0.1,
        "expectation - argmax": 0.05,
    }
    for compared, expected in effects.items():
        assert table.effect[compared] == pytest.approx(expected, abs=0.1), compared
    assert table.reading["dkd - soft8"] == "better" and table.reading["expectation - argmax"] == "worse"
    assert table.reading["shuffled - person, soft"] == "not run"
    shown = results.runs.query("recipe == 'public' and split == 'person' and student > 0 and teacher in (0, 12)")
    assert table.n["median - argmax"] == shown.groupby(bootstrap.KEY).ngroups


def test_each_decoder_has_effects_of_its_own(tmp_path):
    results = tables.load(make(tmp_path, seeds={}))
    dkd = results.people.run_id.isin(results.runs.run_id[results.runs.strategy == "dkd"])
    other = results._replace(people=results.people.assign(mae_median=results.people.mae_median + dkd))
    table = controls.table(other, "public").set_index("compared").effect
    assert table["dkd - scratch, median"] == pytest.approx(table["dkd - scratch"] + 1)
    table = controls.beyond(other, "public").set_index(["compared", "decoder"]).effect
    assert table["gaussian - dkd", "median"] == pytest.approx(table["gaussian - dkd", "argmax"] - 1)


def test_controls_are_at_the_largest_teacher(tmp_path):
    results = tables.load(make(tmp_path, seeds={}))
    runs = results.runs.query("strategy == 'soft' and teacher == 8 and student < 8").assign(strategy="dkd")
    people = results.people[results.people.run_id.isin(runs.run_id)]
    for table in (runs, people):
        table.loc[:, "run_id"] = "dkd of " + table.run_id
    more = results._replace(runs=pd.concat([results.runs, runs]), people=pd.concat([results.people, people]))
    for made in (controls.table, controls.beyond):
        pd.testing.assert_frame_equal(made(results, "public"), made(more, "public"))
    sizes = controls.by_size(evidence.ours(results, "public"), [("soft", "scratch")])
    assert sizes.student.tolist() == [1, 2, 3, 4, 5, 6, 8, 10]


def test_what_lies_beyond_dkd_is_decoded_in_three_ways(tmp_path):
    table = controls.beyond(tables.load(make(tmp_path, seeds={})), "public").set_index(
        ["compared", "decoder"]
    )
    for compared in ("cdf - dkd", "scratch - dkd", "dense_soft - dense_scratch"):
        one, other = compared.split(" - ")
        for decoder in tables.DECODERS:  # which move all strategies alike in these files
            expected = OFFSETS[one] - OFFSETS[other]
            assert table.effect[compared, decoder] == pytest.approx(expected, abs=0.1), compared
    assert set(table.reading["cdf - dkd"]) == {"better"} and set(table.reading["dist - dkd"]) == {"not run"}


def test_sizes_have_their_own_effects(tmp_path):
    world = lambda k, s, t: truth(k, s, t) - 0.5 * (k == "dkd" and s == 4)  # noqa: E731
    own = evidence.ours(tables.load(make(tmp_path, seeds={}, formula=world)), "public")
    rows = controls.by_size(own, [("dkd", "soft"), ("gaussian", "scratch")])
    dkd = rows[rows.compared == "dkd - soft"].set_index("student")
    assert list(dkd.index) == [1, 2, 3, 4, 5, 6, 8, 10] and set(rows.compared) == {
        "dkd - soft",
        "gaussian - scratch",
    }
    expected = [-0.4 - 0.5 * (s == 4) for s in dkd.index]
    assert dkd.effect.tolist() == pytest.approx(expected, abs=0.1) and (dkd.low < dkd.high).all()


def test_sizes_count_seeds(tmp_path):
    own = evidence.ours(tables.load(make(tmp_path, seeds={})), "public")
    seeds = own._replace(seed_variance=own.seed_variance.fillna(1.0))
    first, second = (controls.by_size(e, [("dkd", "scratch")]) for e in (own, seeds))
    assert set(first.reading) == {"better"} and set(second.reading) == {"not distinguishable"}
    assert second.seed_sd.tolist() == pytest.approx([2**0.5] * 8)


def test_seeds_can_take_away_significance():
    row = controls.Row("", "", 3, -0.1, -0.15, -0.05)
    readings = [row._replace(seed_sd=sd).reading for sd in (np.nan, 0.04, 0.05)]
    assert readings == ["better", "better", "not distinguishable"]


def strength(results):
    own, first = (evidence.ours(r, "public") for r in (results, tables.first_seed(results)))
    return controls.teacher_strength(own, first.mae[0])


def test_a_u_shape_in_teacher_strength_is_found(tmp_path):
    own = lambda t: truth("scratch", t, 0)  # noqa: E731
    world = lambda k, s, t: truth(k, s, 0) + (0.8 * (own(t) - own(4)) ** 2 if t else 0)  # noqa: E731
    shapes = []
    for formula in (world, None):
        results = tables.load(make(tmp_path, formula=formula, seeds={}, law=LAW, noise=0.005))
        rows, slopes = strength(results)
        assert len(rows) == 36 and list(slopes) == ["all", 1, 2, 3, 4, 5]  # 6 blocks have three teachers
        four = rows[rows.student == 4]
        assert slopes[4]["line"][0] == pytest.approx(np.polyfit(four.teacher_mae, four.mae, 1)[0])
        shapes.append(controls.strength_shape(slopes["all"]))
    assert shapes[0].startswith("a U") and not shapes[1].startswith("a U")
    ends = {
        k: controls.strength_shape({"strongest": (v, v - 1, v + 1), "weakest": (2, 1, 3)})
        for v, k in ((2, "up"), (-2, "down"), (0.5, "flat"))
    }
    assert ends["up"].startswith("no U: stronger") and ends["down"].startswith("a U")
    assert ends["flat"].startswith("no significant U")
    hill = controls.strength_shape({"strongest": (2, 1, 3), "weakest": (-2, -3, -1)})
    assert hill.startswith("an upside-down U")


def test_pairs_are_grouped_by_what_the_teacher_is_to_the_student(tmp_path):
    """Every pair of Figure 1 once, and the harm that was put in, where it was put in."""
    harm = lambda s, t: 0.9 if t < s else 0.2 if t == s else -0.4  # noqa: E731
    world = lambda k, s, t: truth("scratch", s, 0) + (harm(s, t) if t else 0)  # noqa: E731
    results = tables.load(make(tmp_path, formula=world, seeds={}))
    rows = controls.by_relation(evidence.ours(results, "public")).set_index("teacher")
    assert rows.effect.tolist() == pytest.approx([0.9, 0.2, -0.4], abs=0.1)
    assert rows.pairs.to_dict() == {"smaller": 21, "as large": 7, "larger": 36}  # 8 x 8
    assert rows.worse.to_dict() == {"smaller": 21, "as large": 7, "larger": 0}
    assert (rows.low < rows.high).all()


def test_relations_are_of_all_seeds_and_count_them(tmp_path):
    results = tables.load(make(tmp_path, noise=0.3))
    mae = tables.figure1(tables.conditions(results), "public").set_index(["student", "teacher"]).mae
    gap = [mae[s, t] - mae[s, 0] for s, t in mae.index if t == s]
    own = evidence.ours(results, "public")
    row = controls.by_relation(own).set_index("teacher").loc["as large"]
    assert row.effect == pytest.approx(np.mean(gap))
    variance = [
        own.seed_variance[k, s, t] for s in (2, 3, 4, 5, 6, 8, 10) for k, t in (("soft", s), ("scratch", 0))
    ]
    assert row.seed_sd == pytest.approx(np.sqrt(sum(variance)) / 7)


def test_a_teacher_is_as_strong_as_the_network_that_taught(tmp_path):
    results = tables.load(make(tmp_path))
    lucky = results.people.run_id.isin(results.runs.run_id[results.runs.seed > 0])
    other = results._replace(people=results.people.assign(mae=results.people.mae - 2 * lucky))
    (own, _), (same, slopes) = strength(results), strength(other)
    pd.testing.assert_series_equal(own.teacher_mae, same.teacher_mae)
    assert not own.mae.equals(same.mae)  # students are means over their seeds
    four, variance = same[same.student == 4], evidence.ours(other, "public").seed_variance
    deviation = (four.teacher_mae - four.teacher_mae.mean()).to_numpy()
    expected = np.sqrt((deviation**2 * variance["soft", 4][four.teacher]).sum()) / (deviation**2).sum()
    assert slopes[4]["line"][3] == pytest.approx(expected)
