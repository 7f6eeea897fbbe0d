"""One run: what each strategy minimizes, that it learns, and that nothing leaks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ppglib import grid, losses, studies, training
from ppglib.bins import to_bin
from ppglib.errors import InputError
from ppglib.resnet1d import ResNet1D
from ppglib.splits import split
from ppglib.totals import make_loss
from ppglib.windows import OFFSETS, dense, gather


@pytest.fixture(scope="module")
def study():
    return replace(studies.read("smoke"), epochs=1)


@pytest.fixture(scope="module")
def windows(simulated_windows):
    return simulated_windows


@pytest.fixture(scope="module")
def taught(study, windows):
    """A teacher, trained a little, and what it says of the training windows."""
    run = grid.make_run(study, "person", "scratch", 2, 0, 0, 0)
    network, record = training.train(run, windows, None)
    network.train()  # as a careless caller leaves it: its batch norms would learn from what it sees
    before = {name: value.clone() for name, value in network.state_dict().items()}
    said = {what: training.teach(network, run, windows, what) for what in ("logits", "map", "dense")}
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    return network, run, said, record


def run_of(study, strategy, student=1):
    teacher = 0 if strategy in studies.NO_TEACHER else 2
    return grid.make_run(study, "person", strategy, student, teacher, 0, 0)


@pytest.mark.parametrize("strategy", studies.CONSTANTS)
def test_every_strategy_trains(strategy, study, windows, taught):
    _, _, said, _ = taught
    run = run_of(study, strategy)
    if strategy == "dense_soft":
        said = {"logits": said["dense"]}
    student, record = training.train(run, windows, said if run.teacher else None)
    assert np.isfinite(record["mae"]) and len(record["curve"]) == (3 if "dense" in strategy else 1)
    assert record["steps"] == len(record["curve"]) * (record["n_train"] // 64)
    assert (record["teacher_py"] is None) == (run.teacher == 0)
    assert record["n_train"] + record["n_test"] == len(windows.table)


def test_the_totals_are_those_of_the_paper(study, windows, taught):
    """Each strategy's loss on a batch against the formula written out."""
    study = replace(study, epochs=24)  # warm-up: two epochs
    _, _, said, _ = taught
    rows, _ = split(windows, 0)
    chosen = np.arange(32)
    hr = windows.table.hr.to_numpy()[rows[chosen]]
    y = torch.from_numpy(to_bin(hr))
    x = torch.from_numpy(gather(windows.signal, windows.table.start.to_numpy()[rows[chosen]]))[:, None]
    student = ResNet1D(1).eval()
    s, t = student(x), torch.from_numpy(said["logits"][chosen])
    truth = F.cross_entropy(s, y)
    expected = {
        "scratch": truth,
        "hard": losses.hard_kd(s, t),
        "soft": losses.soft_kd(s, t, 4.0),
        "dkd": truth + 0.5 * losses.dkd(s, t, y, 4.0, 1.0, 8.0),
        "soft8": truth + 0.5 * 8 * losses.soft_kd(s, t, 4.0),
        "gaussian": losses.gaussian(s, torch.from_numpy(hr), 2.0),
        "soft_t1": losses.soft_kd(s, t, 1.0),
        "cdf": losses.cdf(s, t),
        "wasserstein": losses.wasserstein(s, t),
        "window_dkd": truth + 0.5 * losses.window_dkd(s, t, y, 4.0, 1.0, 8.0, 2),
        "dist": truth + losses.dist(s, t),
        "soft_oof": losses.soft_kd(s, t, 4.0),
        "dense_soft": losses.soft_kd(s, t, 4.0),
        "dense_scratch": truth,
    }
    assert expected.keys() | {"feature"} == studies.CONSTANTS.keys()
    for strategy, value in expected.items():
        run = run_of(study, strategy)
        teacher = said if run.teacher else None
        all_hr = windows.table.hr.to_numpy()[rows]
        loss, extra = make_loss(run, all_hr, teacher, student, torch.device("cpu"))
        torch.testing.assert_close(loss(x, chosen, epoch=1), value, rtol=1e-5, atol=1e-6)
        assert extra == []


def test_feature_trains_its_regressor(study, windows, taught):
    _, _, said, _ = taught
    rows, _ = split(windows, 0)
    student = ResNet1D(1)
    run = run_of(study, "feature")
    loss, extra = make_loss(run, windows.table.hr.to_numpy()[rows], said, student, torch.device("cpu"))
    x = torch.randn(32, 1, 200)
    loss(x, np.arange(32), 1).backward()
    assert sum(p.numel() for p in extra) == 32 * said["map"].shape[1] + said["map"].shape[1]
    assert all(p.grad.abs().sum() > 0 for p in extra)


def test_cached_teacher_outputs_equal_live_ones(windows, taught):
    network, run, said, _ = taught
    rows, _ = split(windows, run.fold)
    x = torch.from_numpy(gather(windows.signal, windows.table.start.to_numpy()[rows]))[:, None]
    with torch.no_grad():
        live = network.eval()(x[100:228])
    torch.testing.assert_close(torch.from_numpy(said["logits"][100:228]), live, rtol=1e-5, atol=1e-5)


def test_the_same_run_gives_the_same_weights_and_another_seed_others(study, windows):
    run = run_of(study, "scratch")
    a, _ = training.train(run, windows, None)
    b, _ = training.train(run, windows, None)
    c, _ = training.train(replace(run, seed=1), windows, None)
    weights = [torch.cat([p.flatten() for p in network.parameters()]) for network in (a, b, c)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_strategies_of_one_seed_start_alike_and_see_the_same_windows(study, windows, taught, monkeypatch):
    """What pairs them: first weights and the order of windows come from fold and seed alone."""
    starts, seen = [], []
    network_of, windows_of = training.ResNet1D, training.gather

    def built(*args):
        network = network_of(*args)
        starts.append(network.stem[0].weight.detach().clone())
        return network

    def gathered(signal, rows):
        seen[-1].append(np.array(rows))
        return windows_of(signal, rows)

    monkeypatch.setattr(training, "ResNet1D", built)
    monkeypatch.setattr(training, "gather", gathered)
    for strategy in ("scratch", "dkd"):
        seen.append([])
        run = run_of(study, strategy)
        training.train(run, windows, taught[2] if run.teacher else None)
    assert torch.equal(*starts)
    assert all(np.array_equal(*pair) for pair in zip(*seen, strict=True))


def test_labels_of_test_people_do_not_touch_the_training(study, windows):
    run = run_of(study, "scratch")
    _, test = split(windows, 0)
    changed = windows.table.copy()
    changed.loc[test, "hr"] = 200.5
    a, _ = training.train(run, windows, None)
    b, _ = training.train(run, replace(windows, table=changed), None)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))


def test_a_record_says_which_precision_was_used(study, windows):
    _, record = training.train(run_of(replace(study, precision="auto"), "scratch"), windows, None)
    assert record["precision"] in ("bfloat16", "float32")


def test_a_network_that_diverges_is_one_sentence(study, windows, monkeypatch):
    monkeypatch.setattr(F, "cross_entropy", lambda logits, y: logits.sum() * float("nan"))
    with pytest.raises(InputError, match="diverged in epoch 1.*lower rate"):
        training.train(run_of(study, "scratch"), windows, None)


def test_it_learns(windows):
    study = replace(studies.read("smoke"), epochs=12)
    _, record = training.train(run_of(study, "scratch", 2), windows, None)
    hr = windows.table.hr.to_numpy()
    train, test = split(windows, 0)
    by_the_mean = np.abs(hr[train].mean() - hr[test]).mean()
    assert record["curve"][-1] < record["curve"][0] - 1
    assert record["mae_median"] < 0.6 * by_the_mean


def test_dense_training_draws_every_offset_and_adds_noise(study, windows, monkeypatch):
    seen = []
    monkeypatch.setattr(training, "gather", lambda signal, start: seen.append(start) or gather(signal, start))
    base = run_of(replace(study, dense_times=1, dense_noise=0.0), "dense_scratch")
    curve = training.train(base, windows, None)[1]["curve"]
    rows, _ = split(windows, 0)
    place = np.searchsorted(windows.table.start.to_numpy()[rows], np.concatenate(seen[:-1]), side="right") - 1
    assert len(np.unique(place)) > 0.95 * len(rows)
    moved = np.concatenate(seen[:-1]) - windows.table.start.to_numpy()[rows][place]
    share = np.bincount(moved // 5, minlength=OFFSETS)[:OFFSETS] / len(moved)
    assert (np.abs(share[1:] - 0.1) < 0.03).all() and (moved % 5 == 0).all()
    noisy = run_of(replace(study, dense_times=1, dense_noise=0.5), "dense_scratch")
    assert training.train(noisy, windows, None)[1]["curve"] != curve


def test_dense_teachers_say_the_same_where_a_window_is_labelled(taught, windows):
    _, run, said, _ = taught
    assert len(said["dense"]) == OFFSETS * len(said["logits"])
    np.testing.assert_allclose(said["dense"][::OFFSETS], said["logits"], rtol=1e-4, atol=1e-4)
    rows, _ = split(windows, run.fold)
    starts, _ = dense(windows, rows)
    x = torch.from_numpy(gather(windows.signal, starts[7:9]))[:, None]
    with torch.no_grad():
        live = taught[0].eval()(x).numpy()
    np.testing.assert_allclose(said["dense"][7:9], live, rtol=1e-4, atol=1e-4)


def test_a_teacher_labels_the_people_left_out_of_its_training(taught, windows):
    network, run, _, record = taught
    _, test = split(windows, run.fold)
    logits = training.teach(network, run, windows, "left_out")
    error = np.abs(logits.argmax(1) + 30.5 - windows.table.hr.to_numpy()[test]).mean()
    assert error == pytest.approx(record["mae"])


def test_each_epoch_sees_every_window_at_most_once():
    order = np.random.default_rng(0)
    first, second = (np.concatenate(list(training.batches(order, 103, 10))) for _ in range(2))
    assert len(set(first)) == len(first) == 100
    assert not np.array_equal(first, second)
