"""Bins, decoders and metrics against brute force."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ppglib import metrics, task
from ppglib.resnet1d import ResNet1D
from ppglib.splits import split
from ppglib.windows import gather


@given(st.lists(st.floats(30, 209.999), min_size=1, max_size=20))
def test_a_heart_rate_lies_in_its_bin(hr):
    k = task.to_bin(np.array(hr))
    assert ((k + 30 <= hr) & (np.array(hr) < k + 31)).all()


@pytest.mark.parametrize("hr", [29.99, 210.0])
def test_heart_rates_outside_the_bins_are_refused(hr):
    with pytest.raises(ValueError, match=r"\[30, 210\)"):
        task.to_bin(np.array([hr]))


@given(hnp.arrays(np.float64, (3, 180), elements=st.floats(0, 1)))
def test_decoders_against_brute_force(weights):
    weights[:, 7] += 1e-3  # no row without mass
    p = weights / weights.sum(1, keepdims=True)
    np.testing.assert_allclose(task.decode(p, "expectation"), [sum(r * task.CENTRES) for r in p])
    assert (task.decode(p, "argmax") == task.CENTRES[p.argmax(1)]).all()
    for row, median in zip(p, task.decode(p, "median")):
        edges = 30 + np.arange(181)
        below = np.interp(median, edges, np.concatenate([[0], np.cumsum(row)]))
        assert below == pytest.approx(0.5, abs=1e-9)


def test_the_median_minimizes_the_expected_absolute_error():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(180, 0.05), 20)
    fine = np.linspace(30, 210, 3601)
    for row, median in zip(p, task.decode(p, "median")):
        draws = rng.choice(180, 20000, p=row) + 30 + rng.random(20000)
        best = fine[np.argmin([np.abs(draws - x).mean() for x in fine[::20]]) * 20]
        assert np.abs(draws - median).mean() <= np.abs(draws - best).mean() + 0.3


def test_an_unknown_decoder_is_refused():
    with pytest.raises(ValueError, match="mode"):
        task.decode(np.full((1, 180), 1 / 180), "mode")


def example(n=400, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(180, 0.02), n)
    table = pd.DataFrame(
        {
            "hr": rng.uniform(30, 210, n),
            "dataset": rng.choice(["a", "b"], n),
            "person": rng.choice(["1", "2", "3"], n),
            "activity": rng.choice(["", "run"], n),
        }
    )
    return p, table


def test_metrics_against_brute_force():
    p, table = example()
    found = metrics.measure(p, table)
    error = np.array([30.5 + row.argmax() - hr for row, hr in zip(p, table.hr)])
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found["within5"] == pytest.approx((np.abs(error) <= 5).mean())
    nll = [-np.log(max(row[int(hr) - 30], np.finfo(float).tiny)) for row, hr in zip(p, table.hr)]
    assert found["nll"] == pytest.approx(np.mean(nll))
    hit = np.array([row.argmax() == int(hr) - 30 for row, hr in zip(p, table.hr)])
    confidence = p.max(1)
    ece = 0
    for k in range(10):
        inside = (confidence >= k / 10) & ((confidence < (k + 1) / 10) | (k == 9))
        if inside.any():
            ece += inside.mean() * abs(hit[inside].mean() - confidence[inside].mean())
    assert found["ece"] == pytest.approx(ece)


def test_pooled_errors_follow_from_the_people():
    p, table = example(seed=1)
    found = metrics.measure(p, table)
    people = pd.DataFrame(found["people"])
    assert people.n.sum() == len(table)
    pooled = {name: np.average(people[name], weights=people.n) for name in people.columns[4:]}
    pooled["rmse"] = np.sqrt(pooled.pop("squared"))
    assert pooled == pytest.approx({name: found[name] for name in pooled})
    assert set(pooled) == {"mae", "mae_expectation", "mae_median", "rmse", "within5", "nll"}


def test_a_perfect_network_has_no_error():
    _, table = example(seed=2)
    p = np.eye(180)[table.hr.astype(int) - 30]
    table["hr"] = np.floor(table.hr) + 0.5
    found = metrics.measure(p, table)
    assert found["mae"] == found["mae_median"] == found["rmse"] == found["nll"] == found["ece"] == 0
    assert found["within5"] == 1


def test_permuted_pieces_change_nothing_for_a_network_that_sees_one_at_a_time(simulated_windows):
    torch.manual_seed(0)
    _, test = split(simulated_windows, 0)
    for pieces, alike in ((20, True), (1, False)):
        network = ResNet1D(2, pieces=pieces).eval()
        people = pd.DataFrame(metrics.evaluate(network, simulated_windows, test)["people"])
        found = pd.DataFrame(metrics.permuted(network, simulated_windows, test))
        assert set(found.seconds) == {0.4, 1.0, 2.0, 4.0} and len(found) == 4 * len(people)
        shortest = found[found.seconds == 0.4].merge(people, on=["dataset", "person"])
        assert (shortest.n_x == shortest.n_y).all()
        assert np.allclose(shortest.mae_expectation_x, shortest.mae_expectation_y, atol=1e-4) == alike


def test_permuted_windows_have_the_same_pieces(simulated_windows, monkeypatch):
    rows = np.arange(64)
    seen = []
    monkeypatch.setattr(metrics, "predict", lambda network, w, rows: seen.append(w.signal) or np.ones((64, 180)))
    metrics.permuted(None, simulated_windows, rows)
    whole = gather(simulated_windows.signal, simulated_windows.table.start.to_numpy()[rows])
    for signal, seconds in zip(seen, metrics.PIECES, strict=True):
        split_up = [w.reshape(rows.size, -1, round(25 * seconds)) for w in (signal, whole)]
        pieces = [{piece.tobytes() for piece in window} for window in zip(*split_up) for window in window]
        assert pieces[::2] == pieces[1::2]
        assert (signal.reshape(whole.shape) != whole).any(axis=1).all()


def one_hot(*bins):
    return np.eye(180)[list(bins)]


def test_an_error_of_exactly_5_bpm_is_within_5():
    table = pd.DataFrame(dict(hr=[75.5, 65.5, 75.6, 65.4], dataset="a", person="1", activity=""))
    assert metrics.measure(one_hot(40, 40, 40, 40), table)["within5"] == 0.5


def test_a_median_between_two_bins_is_their_border():
    assert task.decode((one_hot(10) + one_hot(50)) / 2, "median") == [41.0]


def test_calibration_where_the_truth_follows_the_probabilities():
    """Hits and misses at every confidence, against a loop over tenths."""
    rng = np.random.default_rng(5)
    p = rng.dirichlet(np.full(180, 0.03), 600)
    hr = np.array([rng.choice(180, p=row) for row in p]) + 30.25
    found = metrics.measure(p, pd.DataFrame(dict(hr=hr, dataset="a", person="1", activity="")))
    hit, tenth = p.argmax(1) == hr.astype(int) - 30, np.floor(10 * p.max(1)).astype(int)
    gaps = [(tenth == k).mean() * abs(hit[tenth == k].mean() - p.max(1)[tenth == k].mean()) for k in np.unique(tenth)]
    assert 0.2 < hit.mean() < 0.8 and found["ece"] == pytest.approx(sum(gaps))
    assert [row["bin"] for row in found["reliability"]] == np.unique(tenth).tolist()


def test_the_mean_that_needs_no_network_is_that_of_the_training_labels(simulated_windows):
    train, test = split(simulated_windows, 0)
    hr = simulated_windows.table.hr.to_numpy()
    (mean,) = {*metrics.baselines(simulated_windows, train, test)["mean"]}
    assert mean == pytest.approx(hr[train].mean()) and abs(mean - hr[test].mean()) > 0.1


def test_measures_of_a_person_are_means():
    table = pd.DataFrame(dict(hr=[70.5, 70.5, 73.5], dataset="a", person="1", activity=""))
    (row,) = metrics.measure(one_hot(40, 40, 40), table)["people"]
    assert row["n"] == 3 and row["mae"] == pytest.approx(1.0)
