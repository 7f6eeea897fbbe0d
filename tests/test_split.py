"""The split: no person on both sides, ever, unless leaking is the point."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppglib import splits
from ppglib.files import InputError
from ppglib.splits import split
from ppglib.windows import Windows


def fake(people: dict[str, int], each: int = 3) -> Windows:
    rows = [(name, str(p)) for name, count in people.items() for p in range(count) for _ in range(each)]
    table = pd.DataFrame(rows, columns=["dataset", "person"])
    return Windows(np.zeros(0), table, pd.DataFrame(), pd.DataFrame())


SETS = st.dictionaries(st.sampled_from(["spc2015", "bami1", "bami2", "own"]), st.integers(3, 40), min_size=1)


@settings(deadline=None, max_examples=60)
@given(people=SETS, each=st.integers(1, 5))
def test_split_keeps_people_apart(people, each):
    windows = fake(people, each)
    names = (windows.table.dataset + "/" + windows.table.person).to_numpy()
    tested = []
    for fold in (0, 1):
        train, test = split(windows, fold)
        assert sorted([*train, *test]) == list(range(len(names)))
        assert not set(names[train]) & set(names[test])
        for dataset, count in people.items():
            share = len({name for name in names[test] if name.startswith(dataset + "/")})
            assert share == max(1, round(0.2 * count))
        tested.append(set(names[test]))
        np.testing.assert_array_equal(split(windows, fold)[1], test)  # the same each time
    assert not tested[0] & tested[1]


def test_another_set_does_not_move_the_people_of_the_first():
    alone, both = fake({"bami1": 24}), fake({"bami2": 23, "bami1": 24})
    test_alone, test_both = split(alone, 0)[1], split(both, 0)[1]
    of_bami1 = both.table.iloc[test_both].query("dataset == 'bami1'")
    assert set(alone.table.person.iloc[test_alone]) == set(of_bami1.person)


@settings(deadline=None, max_examples=40)
@given(people=st.dictionaries(st.sampled_from(["spc2015", "bami1", "own"]), st.integers(8, 40), min_size=1))
def test_parts_divide_the_training_people(people):
    windows = fake(people)
    names = (windows.table.dataset + "/" + windows.table.person).to_numpy()
    tested = [set(names[split(windows, fold)[1]]) for fold in (0, 1)]
    for fold in (0, 1):
        train, _ = split(windows, fold)
        parts = [split(windows, fold, kind) for kind in splits.PARTS]
        assert sorted(np.concatenate([part for _, part in parts])) == list(train)
        for inside, part in parts:
            assert sorted([*inside, *part]) == list(train)
            assert not set(names[inside]) & set(names[part])
    tuning = set(names[split(windows, 0, splits.TUNING)[1]])
    assert not tuning & (tested[0] | tested[1])


def test_a_set_can_be_held_out_whole():
    windows = fake({"bami1": 4, "bami2": 5, "own": 3})
    train, test = split(windows, 0, "without-bami2")
    assert set(windows.table.dataset[test]) == {"bami2"} and len(test) == 15
    assert sorted([*train, *test]) == list(range(36))
    for kind in ("without-spc2015", "without-"):
        with pytest.raises(InputError, match="none to test on"):
            split(windows, 0, kind)
    with pytest.raises(InputError, match="to train on"):
        split(fake({"own": 4}), 0, "without-own")


def test_too_few_people_for_parts_are_refused():
    with pytest.raises(InputError, match="part4 leaves no window"):
        split(fake({"own": 3}), 0, "part4")


def test_the_shuffled_split_leaks_on_purpose():
    windows = fake({"bami1": 24}, each=50)
    train, test = split(windows, 0, "shuffled")
    other = split(windows, 1, "shuffled")[1]
    people = windows.table.person.to_numpy()
    assert len(test) == 240 and not set(train) & set(test) and not set(test) & set(other)
    assert set(people[train]) == set(people[test]) == set(people)


@pytest.mark.parametrize("arguments", [(2,), (-1,), (0, "window"), (0, "")])
def test_split_refuses_other_folds_and_kinds(arguments):
    with pytest.raises(InputError):
        split(fake({"bami1": 24}), *arguments)


def test_split_needs_three_people():
    with pytest.raises(InputError, match="bami1 has 2 people"):
        split(fake({"bami1": 2}), 0)


def test_five_folds_test_each_person_once(simulated_windows):
    people = (simulated_windows.table.dataset + "/" + simulated_windows.table.person).to_numpy()
    tested = []
    for fold in range(5):
        train, test = split(simulated_windows, fold, "fifths")
        assert not set(people[train]) & set(people[test]) and len(train) + len(test) == len(people)
        tested += sorted(set(people[test]))
    assert sorted(tested) == sorted(set(people))
    with pytest.raises(InputError, match="Fold 5 of the split fifths does not exist: there are folds 0 to 4"):
        split(simulated_windows, 5, "fifths")


def test_the_people_of_the_open_sets_are_those_of_the_committed_results(root):
    """By name: with other test people no committed number could be repeated."""
    folder = root / "data/results/open"
    runs, people = pd.read_csv(folder / "runs.csv"), pd.read_csv(folder / "people.csv", dtype={"person": str})
    names = {"spc2015": [f"train{n:02d}" for n in range(1, 13)]}
    names |= {name: [f"{n:02d}" for n in range(1, last)] for name, last in (("bami1", 25), ("bami2", 24))}
    table = pd.DataFrame([(name, person) for name in names for person in names[name]], columns=["dataset", "person"])
    windows = Windows(np.zeros(0), table, pd.DataFrame(), pd.DataFrame())
    rows = people.merge(runs[["run_id", "split", "fold"]]).query("split != 'shuffled'")
    tested = {key: {*zip(group.dataset, group.person)} for key, group in rows.groupby(["split", "fold"])}
    assert tested.keys() >= {("person", 0), ("person", 1), ("part4", 0), ("without-bami1", 0)}
    for (kind, fold), expected in tested.items():
        assert {*table.iloc[split(windows, fold, kind)[1]].itertuples(index=False, name=None)} == expected
    for fold in (0, 1):  # a fifth of 24 people is five, in the same order
        fifth = table.iloc[split(windows, fold, "fifths")[1]].query("dataset == 'bami1'")
        assert {*zip(fifth.dataset, fifth.person)} == {who for who in tested["person", fold] if who[0] == "bami1"}
