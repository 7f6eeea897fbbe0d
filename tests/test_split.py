"""The split: no person on both sides, ever, unless leaking is the point."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppglib.errors import InputError
from ppglib.windows import Windows, split


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
