"""Tracking against all paths of a short chain, and what must hold for any recording."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppglib import task, tracking
from ppglib.files import InputError

FLAT = np.full(180, 1 / 180)
MODEL = tracking.Model(2.0, 1e-3, 0.5)
TABLE = {"dataset": "d", "person": "p", "recording": "r"}


def table_of(*lengths):
    """A window every 2 s of one recording for each length."""
    parts = [pd.DataFrame(TABLE | {"second": 2.0 * np.arange(n)}) for n in lengths]
    return pd.concat([part.assign(person=str(i)) for i, part in enumerate(parts)], ignore_index=True)


def walk(n, rng, scale=1.0):
    """A heart rate that wanders, in BPM."""
    steps = np.convolve(rng.laplace(0, scale, n + 3), np.ones(4) / 2, "valid")
    return 110 + 60 * np.sin(np.cumsum(steps) / 60)


def predicted(hr, rng, wrong=0.2):
    """Bumps around heart rates with errors that last for some windows, and in some windows anywhere."""
    error = 6 * np.convolve(rng.standard_normal(len(hr) + 3), np.ones(4) / 4, "valid")
    lost = rng.random(len(hr)) < wrong
    seen = np.where(lost, rng.uniform(40, 200, len(hr)), hr + error)
    weights = np.exp(-(((task.CENTRES - seen[:, None]) / 5) ** 2) / 2) + 1e-4
    return weights / weights.sum(1, keepdims=True)


@st.composite
def cases(draw, most=6):
    """Probabilities of some bins, runs of their windows in any order, and a model."""
    bins, lengths = draw(st.integers(2, 6)), draw(st.lists(st.integers(1, most), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([0.03, 1.0]))  # the first makes some numbers 0 or nearly so
    p = rng.dirichlet(np.full(bins, shape), sum(lengths))
    runs = np.split(rng.permutation(len(p)), np.cumsum(lengths)[:-1])
    numbers = [draw(st.floats(low, high)) for low, high in ((0.1, 5), (1e-4, 0.9), (0.05, 1))]
    return p, runs, tracking.Model(*numbers), rng


def by_all_paths(p, model):
    """Marginals of every window of one run by enumeration, and those given only the windows up to it."""
    n, bins = p.shape
    kernel = np.array([[np.exp(-abs(i - j) / model.scale) for j in range(bins)] for i in range(bins)])
    moves = (1 - model.jump) * kernel / kernel.sum(1)[:, None] + model.jump / bins
    evidence = p**model.weight

    def marginals(until):
        found = np.zeros((until, bins))
        for path in product(range(bins), repeat=until):
            weight = np.prod(moves[path[:-1], path[1:]])
            found[np.arange(until), path] += weight * np.prod(evidence[np.arange(until), path])
        return found / found.sum(1, keepdims=True)

    return np.stack([marginals(t + 1)[-1] for t in range(n)]), marginals(n)


@pytest.mark.parametrize("seed", range(3))
def test_both_passes_against_all_paths(seed):
    rng = np.random.default_rng(seed)
    p, model = rng.dirichlet(np.full(4, 0.3), 9), tracking.Model(0.7, 0.05, 0.6)
    runs = np.split(rng.permutation(9), [3, 8])  # 3, 5 and 1 windows
    online, smooth = (tracking.track(p, runs, model, how) for how in ("online", "smooth"))
    for run in runs:
        expected = by_all_paths(p[run], model)
        np.testing.assert_allclose(online[run], expected[0], rtol=1e-12)
        np.testing.assert_allclose(smooth[run], expected[1], rtol=1e-12)


def test_a_lone_window_says_what_was_predicted():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 1)
    model = tracking.Model(1.0, 0.1, 1.0)
    for how in tracking.HOW:
        np.testing.assert_allclose(tracking.track(p, [np.array([0])], model, how), p, rtol=1e-12)


@given(cases())
def test_they_are_probabilities_and_none_is_the_input(case):
    p, runs, model, _ = case
    assert (tracking.track(p, runs, model, "none") == p).all()
    for how in ("online", "smooth"):
        found = tracking.track(p, runs, model, how)
        assert found.shape == p.shape and (found >= 0).all()
        np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)


@given(cases())
def test_at_the_end_of_a_run_online_is_smooth(case):
    p, runs, model, _ = case
    online, smooth = (tracking.track(p, runs, model, how) for how in ("online", "smooth"))
    ends = [run[-1] for run in runs]
    np.testing.assert_allclose(online[ends], smooth[ends], rtol=1e-12)


@given(cases(), st.sampled_from(tracking.HOW))
def test_the_order_of_rows_and_of_runs_does_not_matter(case, how):
    p, runs, model, rng = case
    order = rng.permutation(len(p))
    moved = [np.argsort(order)[run] for run in runs][::-1]
    found = tracking.track(p[order], moved, model, how)
    np.testing.assert_allclose(found, tracking.track(p, runs, model, how)[order], rtol=1e-9, atol=1e-300)


@given(cases(), st.sampled_from(tracking.HOW))
def test_nothing_crosses_from_one_run_to_another(case, how):
    p, runs, model, _ = case
    together = tracking.track(p, runs, model, how)
    for run in runs:
        alone = tracking.track(p[run], [np.arange(len(run))], model, how)
        np.testing.assert_allclose(together[run], alone, rtol=1e-9, atol=1e-300)


@given(cases())
def test_online_does_not_look_ahead(case):
    p, runs, model, rng = case
    before, changed = tracking.track(p, runs, model, "online"), p.copy()
    cut = [len(run) // 2 for run in runs]
    for run, k in zip(runs, cut):
        changed[run[k:]] = rng.dirichlet(np.ones(p.shape[1]), len(run) - k)
    after = tracking.track(changed, runs, model, "online")
    for run, k in zip(runs, cut):
        assert (after[run[:k]] == before[run[:k]]).all()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12)), unique=True, min_size=1), st.randoms())
def test_runs_are_the_windows_that_follow_each_other(windows, random):
    random.shuffle(windows)
    table = pd.DataFrame(TABLE | {"recording": r, "second": 2.0 * k} for r, k in windows)
    runs = [[windows[i] for i in run] for run in tracking.segments(table)]
    assert sorted(w for run in runs for w in run) == sorted(windows)
    for run in runs:
        (recording, first), (_, last) = run[0], run[-1]
        assert run == [(recording, k) for k in range(first, last + 1)]
        assert not {(recording, first - 1), (recording, last + 1)} & set(windows)


def test_a_gap_and_labels_every_8_seconds_break_a_run():
    table = table_of(6)
    table["second"] = [0.0, 2.0, 4.0, 7.0, 9.0, 10.0]
    assert [run.tolist() for run in tracking.segments(table)] == [[0, 1, 2], [3, 4], [5]]
    for column in ("dataset", "person", "recording"):
        other = table_of(2).assign(**{column: ["x", "y"]})
        assert [run.tolist() for run in tracking.segments(other)] == [[0], [1]]
    assert [len(run) for run in tracking.segments(table_of(6).assign(second=8.0 * np.arange(6)))] == [1] * 6


def test_a_window_that_is_there_twice_is_refused():
    with pytest.raises(InputError, match="same second"):
        tracking.segments(pd.concat([table_of(3), table_of(1)]))


def test_real_windows_are_runs(simulated_windows):
    runs = tracking.segments(simulated_windows.table)
    start = simulated_windows.table.start.to_numpy()
    assert sum(map(len, runs)) == len(start) and len(runs) >= len(simulated_windows.recordings)
    assert all((np.diff(start[run]) == 50).all() for run in runs)


def test_a_lost_track_is_found_again():
    """Ten windows say 80 BPM, then all say 160: no small step leads there, a jump does."""
    hr = np.repeat([80.5, 160.5], [10, 30])
    p = np.exp(-np.abs(task.CENTRES - hr[:, None]) / 3)
    p /= p.sum(1, keepdims=True)
    for how, most in (("online", 3), ("smooth", 1)):
        bpm = task.decode(tracking.track(p, [np.arange(40)], MODEL, how), "median")
        assert (np.abs(bpm - hr) > 5).sum() <= most
        assert np.abs(bpm - hr)[10 + most :].max() < 2


def test_a_single_wrong_window_is_mended():
    hr = np.full(20, 80.5)
    seen = np.where(np.arange(20) == 10, 160.5, hr)
    p = np.exp(-np.abs(task.CENTRES - seen[:, None]) / 3) + 0.01  # no network is certain
    for how in ("online", "smooth"):
        bpm = task.decode(tracking.track(p, [np.arange(20)], MODEL, how), "median")
        assert np.abs(bpm - hr)[3:].max() < 2


def test_certain_windows_that_contradict_each_other_stay_finite():
    p = np.eye(180)[np.random.default_rng(0).integers(180, size=500)]
    model = tracking.Model(0.1, 1e-4, 1.0)
    for how in ("online", "smooth"):
        found = tracking.track(p, [np.arange(500)], model, how)
        np.testing.assert_allclose(found, p, atol=1e-12)


@pytest.fixture(scope="module")
def simulated():
    """Two tables of 5 recordings with what a network might predict for them: to fit on, and to test on."""
    found = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        hr = np.concatenate([walk(100, rng) for _ in range(5)])
        found.append((predicted(hr, rng), table_of(*[100] * 5).assign(hr=hr)))
    return found


@pytest.fixture(scope="module")
def tried(simulated):
    (p, table), _ = simulated
    return tracking.fit([p], table)


def chosen(tried):
    ((scale, jump, weight, *_),) = tried[tried.chosen].to_numpy()
    return tracking.Model(scale, jump, weight)


def test_more_windows_make_fewer_errors(simulated, tried):
    p, table = simulated[1]
    mae = tracking.evaluate(p, table, chosen(tried))
    assert list(mae) == list(tracking.HOW)
    assert mae["smooth"] < 0.9 * mae["online"] < 0.7 * mae["none"]
    for how, value in mae.items():
        found = tracking.track(p, tracking.segments(table), chosen(tried), how)
        assert value == pytest.approx(np.abs(task.decode(found, "median") - table.hr).mean())


def test_the_least_error_is_chosen_and_it_is_that_of_its_model(simulated, tried):
    p, table = simulated[0]
    assert len(tried) == len(tracking.SCALES) * len(tracking.JUMPS) * len(tracking.WEIGHTS)
    (best,) = tried[tried.chosen].to_dict("records")
    assert best["online"] + best["smooth"] == (tried.online + tried.smooth).min()
    assert {how: best[how] for how in tracking.HOW} == tracking.evaluate(p, table, chosen(tried))


def test_several_networks_are_fitted_together(simulated, tried):
    (p, table), _ = simulated
    other = tracking.fit([p[::-1].copy()], table)  # so wrong that only moving far helps
    both = tracking.fit([p, p[::-1].copy()], table)
    np.testing.assert_allclose(both.smooth, (tried.smooth + other.smooth) / 2)
    assert both[both.chosen].smooth.item() > tried[tried.chosen].smooth.item()


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"how": "viterbi"}, "no tracking 'viterbi'"),
        ({"probabilities": np.ones((5, 180))}, "do not fit segments of 4 windows"),
        ({"probabilities": np.ones(4)}, "do not fit"),
        ({"segments": [np.array([0, 1, 1, 2])]}, "do not fit"),
        ({"probabilities": np.zeros((4, 180))}, "all zero"),
        ({"probabilities": np.full((4, 180), np.nan)}, "finite"),
        ({"probabilities": np.full((4, 180), np.inf)}, "finite"),
        ({"probabilities": np.linspace(-0.1, 1, 720).reshape(4, 180)}, "negative"),
        ({"model": MODEL._replace(weight=0.0)}, "weight 0.0"),
        ({"model": MODEL._replace(jump=0.0)}, "jump 0.0"),
        ({"model": MODEL._replace(scale=np.nan)}, "Scale nan"),
    ],
)
def test_wrong_inputs_are_one_sentence(changed, text):
    right = {"probabilities": np.tile(FLAT, (4, 1)), "segments": [np.arange(4)], "model": MODEL}
    with pytest.raises(InputError, match=text) as error:
        tracking.track(**right | {"how": "online"} | changed)
    assert str(error.value).count("\n") == 0 and str(error.value).endswith(".")


@pytest.mark.parametrize("lengths", [(0,), (1,), (1, 1)])
def test_what_cannot_be_fitted_is_refused(lengths):
    table = table_of(*lengths).assign(hr=80.0)
    with pytest.raises(InputError, match="No window follows another"):
        tracking.fit([np.tile(FLAT, (len(table), 1))], table)


def test_no_window_is_no_error():
    runs = tracking.segments(table_of(1)[:0])
    assert tracking.track(np.ones((0, 180)), runs, MODEL, "smooth").shape == (0, 180)
