"""Intervals hold their level: of networks that do not differ, few are called significantly better or worse.

A study is simulated: people with a level of their own, and differences between two networks with mean 0. What is
counted is how often `bootstrap.draws` and `interval` exclude 0."""

import numpy as np
import pandas as pd
import pytest

from ppglib.results import bootstrap
from ppglib.results.bootstrap import KEY

DIFFERENCES = {  # all of mean 0; the last is skewed by 1.4, as the median pair of networks of the study `open` by 0.9
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy tails": lambda rng, shape: rng.standard_t(3, size=shape),
    "one in ten is four times as far": lambda rng, shape: rng.normal(size=shape) * rng.choice([1, 4], shape, p=[0.9, 0.1]),
    "even": lambda rng, shape: rng.uniform(-1, 1, shape),
    "skewed": lambda rng, shape: rng.gamma(2, 1, shape) - 2,
}
STRONG = {"skewed by 2": lambda rng, shape: rng.exponential(1, shape) - 1}  # no interval of a few people holds its level
MOST, MOST_STRONG = 0.07, 0.09  # of all cases in which there is nothing to find


def share(kind: str, people: int, cases: int, seed: int = 0) -> float:
    """Share of `cases` pairs of networks without a difference, tested on so many people, that are called different."""
    rng = np.random.default_rng([seed, people, *kind.encode()])
    level, difference = rng.uniform(3, 9, people), (DIFFERENCES | STRONG)[kind](rng, (cases, people))
    maes = np.concatenate([level[None], level + 0.5 * difference])  # one reference, and a network for each case
    names = [f"network {i}" for i in range(cases + 1)]
    runs = pd.DataFrame({"run_id": names, "strategy": names, "fold": 0, "seed": 0, "student": 1, "teacher": 0})
    runs = runs.assign(recipe="public", split="person")[["run_id", *KEY, "fold", "seed"]]
    rows = {"run_id": np.repeat(names, people), "person": np.tile([f"P{i}" for i in range(people)], cases + 1)}
    mae = bootstrap.draws(runs, pd.DataFrame({**rows, "dataset": "set", "n": 100, "mae": maes.ravel()}))
    mae = mae.droplevel([0, 1, 3, 4]).loc[names].to_numpy()
    _, low, high = bootstrap.interval(mae[1:] - mae[0])
    return float(((low > 0) | (high < 0)).mean())


@pytest.mark.parametrize("people", [1, 2, 3])
def test_with_fewer_than_four_people_nothing_is_significant(people):
    assert share("normal", people, 50) == 0


@pytest.mark.parametrize("people", [4, 6, 12, 24])
def test_intervals_hold_their_level(people, monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 1000)
    for kind in ("normal", "skewed"):
        assert share(kind, people, 1000) <= MOST + 2 * np.sqrt(MOST / 1000)


def test_they_are_not_wide_for_nothing(monkeypatch):
    """A difference of two standard deviations is found with 8 people in most cases."""
    monkeypatch.setattr(bootstrap, "DRAWS", 1000)
    monkeypatch.setitem(DIFFERENCES, "normal", lambda rng, shape: rng.normal(2, 1, shape))
    assert share("normal", 8, 300) > 0.95
    monkeypatch.setitem(DIFFERENCES, "normal", lambda rng, shape: rng.normal(0, 1, shape))
    assert share("normal", 24, 2000) > 0.03  # 5 % is what they are for


@pytest.mark.slow
@pytest.mark.parametrize("kind", DIFFERENCES | STRONG)
@pytest.mark.parametrize("people", [*range(4, 13), 14, 16, 20, 24, 30])
def test_intervals_hold_their_level_at_every_number_of_people(kind, people, monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 1000)
    most = MOST_STRONG if kind in STRONG else MOST
    assert share(kind, people, 5000) <= most + 2 * np.sqrt(most / 5000)
