"""The bootstrap resamples people, pairs differences, and keeps seeds out of the interval."""

import numpy as np
import pandas as pd
import pytest
from fake_results import make
from scipy import stats

from ppglib.results import bootstrap, outcome, tables
from ppglib.results.bootstrap import KEY


def study(errors, seeds=1, windows=None):
    """runs and people of {strategy: {(fold, person): mae}}; every seed the same unless mae is a function."""
    runs, people = [], []
    for strategy, by_person in errors.items():
        for fold in {fold for fold, _ in by_person}:
            for seed in range(seeds):
                run = f"{strategy}-{fold}-{seed}"
                runs.append((run, "public", "person", strategy, 1, 0, fold, seed))
                for (f, person), mae in by_person.items():
                    if f == fold:
                        value = mae(seed) if callable(mae) else mae
                        people.append((run, "set", person, (windows or {}).get(person, 10), value))
    return (
        pd.DataFrame(runs, columns=["run_id", *KEY, "fold", "seed"]),
        pd.DataFrame(people, columns=["run_id", "dataset", "person", "n", "mae"]),
    )


def test_pooled_mae_is_weighted_by_windows_over_both_folds():
    runs, people = study({"scratch": {(0, "A"): 2.0, (1, "B"): 5.0}}, windows={"A": 30, "B": 10})
    assert bootstrap.draws(runs, people).iloc[0, 0] == pytest.approx((30 * 2 + 10 * 5) / 40)


def test_seeds_are_averaged_within_a_person_and_do_not_add_people():
    people = {"A": [1.0, 3.0], "B": [5.0, 7.0], "C": [5.0, 7.0], "D": [5.0, 7.0]}
    runs, people = study({"scratch": {(0, p): maes.__getitem__ for p, maes in people.items()}}, seeds=2)
    mae = bootstrap.draws(runs, people)
    assert mae.iloc[0, 0] == pytest.approx(5)
    wide = np.sqrt(4 / 3) * stats.t.ppf(0.975, 1) / 1.96  # of 0 to 4 times A: four people, whatever the seeds
    assert set(np.round(mae.iloc[0, 1:], 6)) == {round(5 + wide * (1 - a), 6) for a in range(5)}
    spread = bootstrap.spread(runs, people).iloc[0]
    assert spread.seeds == 2 and spread.seed_sd == pytest.approx(np.std([4, 6], ddof=1))


def test_folds_with_more_seeds_do_not_weigh_more_and_only_whole_seeds_spread():
    runs, people = study({"scratch": {(0, "A"): lambda seed: [1.0, 3.0][seed], (1, "B"): 6.0}}, seeds=2)
    extra = runs.run_id == "scratch-1-1"
    runs, people = runs[~extra], people[people.run_id != "scratch-1-1"]
    assert bootstrap.draws(runs, people).iloc[0, 0] == pytest.approx((2 + 6) / 2)
    assert bootstrap.by_person(runs, people, "mae")[1].to_numpy().tolist() == [[10, 10]]
    spread = bootstrap.spread(runs, people).iloc[0]
    assert spread.seeds == 1 and np.isnan(spread.seed_sd)


def test_folds_of_different_seeds_are_no_spread():
    errors = {(0, "A"): lambda seed: [1.0, 3.0][seed], (1, "B"): lambda seed: [6.0, 9.0][seed]}
    runs, people = study({"scratch": errors, "soft": errors}, seeds=2)
    lost = runs.run_id.isin(["soft-0-0", "soft-1-1"])
    spread = bootstrap.spread(runs[~lost], people[~people.run_id.isin(runs[lost].run_id)])
    assert spread.seeds.droplevel([0, 1, 3, 4]).to_dict() == {"scratch": 2}


def test_interval_agrees_with_a_plain_bootstrap_and_with_theory():
    rng = np.random.default_rng(0)
    maes = rng.gamma(4, 1, 40)
    runs, people = study({"scratch": {(i % 2, f"P{i}"): m for i, m in enumerate(maes)}})
    value, low, high = bootstrap.interval(bootstrap.draws(runs, people).to_numpy()[0])
    brute = [np.mean(rng.choice(maes, 40)) for _ in range(4000)]
    assert value == pytest.approx(maes.mean())
    wide = np.sqrt(40 / 39) * stats.t.ppf(0.975, 37) / 1.96
    assert [low, high] == pytest.approx(value + wide * (np.percentile(brute, [2.5, 97.5]) - value), abs=0.08)
    assert (high - low) / 2 == pytest.approx(1.96 * maes.std() / np.sqrt(40), rel=0.1)


def test_differences_are_paired_by_person():
    rng = np.random.default_rng(1)
    hard_people = rng.uniform(1, 20, 24)
    one = {(i % 2, f"P{i}"): m for i, m in enumerate(hard_people)}
    runs, people = study({"scratch": one, "soft": {k: m - 0.5 for k, m in one.items()}})
    mae = bootstrap.draws(runs, people).to_numpy()
    value, low, high = bootstrap.interval(mae[1] - mae[0])
    assert (value, low, high) == pytest.approx((-0.5, -0.5, -0.5))  # one by one their intervals are BPM wide
    assert np.ptp(bootstrap.interval(mae[0])[1:]) > 2


def test_a_condition_without_all_test_people_is_left_out():
    both, one = {(0, "A"): 1.0, (1, "B"): 2.0}, {(0, "A"): 1.0}
    mae = bootstrap.draws(*study({"scratch": both, "soft": one}))
    assert mae.index.get_level_values("strategy").tolist() == ["scratch"]
    assert len(bootstrap.draws(*study({"scratch": one, "soft": one}))) == 2  # fold 0 is all there is


def test_test_people_and_others_keep_their_numbers():
    counts = bootstrap.resample(np.arange(24) < 4)
    assert (counts[:4].sum(axis=0) == 4).all() and (counts[4:].sum(axis=0) == 20).all()
    assert counts[:4, 1:].std() > 0.5


def test_one_person_has_no_interval():
    runs, people = study({"scratch": {(0, "A"): 1.0}, "soft": {(0, "A"): 2.0}})
    value, low, high = bootstrap.interval(bootstrap.draws(runs, people))
    assert value.tolist() == [1, 2] and low.tolist() == [-np.inf] * 2 and high.tolist() == [np.inf] * 2


def test_of_fewer_than_four_people_nothing_is_significant_and_no_interval_is_printed():
    for n, sign in ((2, 0), (3, 0), (4, -1)):
        one = {(0, f"P{i}"): 9.0 for i in range(n)}
        mae = bootstrap.draws(*study({"scratch": one, "soft": {k: 5.0 for k in one}})).to_numpy()
        effect = bootstrap.interval(mae[1] - mae[0])
        assert outcome.significant(*effect) == sign == outcome.significant(*effect, 0.1)
        assert outcome.effect_text(*effect) == ("-4.00" if n < 4 else "-4.00 [-4.00, -4.00]")
        assert outcome.finding(*effect).endswith("significant" if sign else "not significant")


def test_what_was_not_measured_has_no_limits():
    value, low, high = bootstrap.interval([[np.nan] * 5, [1.0] + [np.nan] * 4])
    np.testing.assert_array_equal([value, low, high], [[np.nan, 1], [np.nan, -np.inf], [np.nan, np.inf]])


def test_an_interval_does_not_depend_on_other_splits():
    rng = np.random.default_rng(3)
    one = {(i % 2, f"P{i}"): m for i, m in enumerate(rng.uniform(1, 20, 12))}
    more = one | {(0, f"Q{i}"): m for i, m in enumerate(rng.uniform(1, 20, 30))}
    (runs, people), (more_runs, more_people) = study({"scratch": one}), study({"soft": more})
    more_runs = more_runs.assign(split="shuffled")
    together = bootstrap.draws(pd.concat([runs, more_runs]), pd.concat([people, more_people]))
    alone = bootstrap.draws(runs, people)
    np.testing.assert_allclose(together.xs("person", level="split"), alone)


def test_same_numbers_again(tmp_path):
    results = tables.load(make(tmp_path, students=(1, 4, 12), teachers=(12,), grid=False))
    pd.testing.assert_frame_equal(tables.draws(results), tables.draws(results))
    pd.testing.assert_frame_equal(tables.conditions(results), tables.conditions(results))


def test_a_single_column_has_no_interval():
    value, low, high = bootstrap.interval(np.array([[1.0], [2.0]]))
    assert value.tolist() == [1, 2] and np.isnan(low).all() and np.isnan(high).all()


def test_limits_of_an_error_are_no_less_than_0_and_those_of_too_few_people_say_nothing():
    rng = np.random.default_rng(0)
    values = np.concatenate([[3.0], 3 + 4 * rng.standard_normal(1000)])
    found, low, high = bootstrap.interval(values)
    assert low < 0
    assert bootstrap.error_interval(values) == (found, 0, high)
    assert bootstrap.error_interval(np.array([3.0, np.nan, np.nan]))[1:] == (-np.inf, np.inf)


def test_people_drawn_apart_are_drawn_independently():
    counts = bootstrap.resample([True] * 5 + [False] * 5)[:, 1:]
    assert (counts[:5].sum(0) == 5).all() and (counts[5:].sum(0) == 5).all()
    assert abs(np.corrcoef(counts[0], counts[5])[0, 1]) < 0.05
