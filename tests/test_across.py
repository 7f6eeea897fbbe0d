"""Across datasets: gaps and gains that were put in come out, paired over the right people."""

import pandas as pd
import pytest
from fake_results import make

from ppglib.results import across, evidence, tables

WORSE = {"scratch": 1.5, "soft": 2.0}  # BPM, on a set that was not trained on


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A fake study, and beside it set1 held out: the same people's MAEs, worse by WORSE, and two more people."""
    study = tables.load(make(tmp_path_factory.mktemp("results"), seeds={}))
    runs, people = [], []
    for strategy, teacher in (("scratch", 0), ("soft", 12)):
        for student in (1, 4, 8):
            same = study.runs.query(
                "strategy == @strategy and student == @student and teacher == @teacher and split == 'person'"
            )
            run_id = f"held-out-{strategy}-{student}"
            runs.append(same.iloc[0].to_dict() | {"run_id": run_id, "split": "without-set1", "fold": 0})
            tested = study.people[study.people.run_id.isin(same.run_id) & (study.people.dataset == "set1")]
            more = tested.head(2).assign(person=["new1", "new2"], mae=9.0)
            tested = tested.assign(mae=tested.mae + WORSE[strategy])
            people.append(pd.concat([tested, more]).assign(run_id=run_id))
    return study._replace(
        runs=pd.concat([study.runs, pd.DataFrame(runs)], ignore_index=True),
        people=pd.concat([study.people, *people], ignore_index=True),
    )


def test_the_gap_is_over_the_people_tested_both_ways(results):
    assert across.held_out(results, "public") == ["set1"] and across.held_out(results, "tuned") == []
    table = across.table(results, "public")
    assert len(table) == 6 and (table.people == 10).all()
    for row in table.itertuples():
        for value in (row.gap, row.gap_low, row.gap_high):
            assert value == pytest.approx(WORSE[row.strategy])
        in_domain = tables.conditions(results, dataset="set1").query(
            "split == 'person' and strategy == @row.strategy and student == @row.student and teacher == @row.teacher"
        )
        assert row.in_domain == pytest.approx(in_domain.mae.item())
        assert row.held_out == pytest.approx(row.in_domain + WORSE[row.strategy])
        assert row.everyone == pytest.approx((8 * row.held_out + 2 * 9.0) / 10)
        assert row.everyone_low < row.everyone < row.everyone_high


def test_the_gain_is_that_of_the_held_out_people(results):
    gains = across.gains(results, "public").set_index(["strategy", "student"]).loc["soft"]
    table = across.table(results, "public").pivot(index="student", columns="strategy", values="everyone")
    by_size = (table.soft - table.scratch).dropna()
    assert gains.n["all"] == 3 and gains.effect["all"] == pytest.approx(by_size.mean())
    assert gains.effect[map(str, by_size.index)].tolist() == pytest.approx(by_size.tolist())
    assert (gains.low <= gains.effect).all() and (gains.effect <= gains.high).all()


def test_gains_count_the_seeds_of_the_recipe(tmp_path, results):
    """No held-out network is repeated: a network moves as those of the split by person, of one fold, do."""
    study = tables.load(make(tmp_path, noise=0.3))
    held_out = results.runs.split == "without-set1"
    more = results.people.run_id.isin(results.runs.run_id[held_out])
    both = study._replace(
        runs=pd.concat([study.runs, results.runs[held_out]]),
        people=pd.concat([study.people, results.people[more]]),
    )
    gains = across.gains(both, "public").set_index("student")
    per_mean = evidence.seed_variance(both)["public", "person", "soft", 8, 12]  # of three seeds and two folds
    assert gains.seed_sd["8"] == pytest.approx((2 * 6 * per_mean) ** 0.5)


def test_without_such_runs_there_is_nothing(results):
    alone = results._replace(runs=results.runs[results.runs.split == "person"])
    assert across.table(alone, "public").empty and across.gains(alone, "public").empty


def test_held_out_runs_alone_have_no_gap(results):
    alone = results._replace(runs=results.runs[results.runs.split == "without-set1"])
    alone = alone._replace(people=results.people[results.people.run_id.isin(alone.runs.run_id)])
    table = across.table(alone, "public")
    assert len(table) == 6 and table.everyone.notna().all() and table.gap.isna().all()
