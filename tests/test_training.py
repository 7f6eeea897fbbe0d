"""One run: what each strategy minimizes, that it learns, and that nothing leaks."""

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ppglib import losses, training
from ppglib.beyond import OFFSETS, dense
from ppglib.files import InputError
from ppglib.metrics import evaluate
from ppglib.resnet1d import ResNet1D
from ppglib.splits import split
from ppglib.strategies import STRATEGIES, Constants
from ppglib.task import to_bin
from ppglib.training import train
from ppglib.windows import gather

SHORT = dict(epochs=1, batch=64, rate=1e-2, schedule="one-cycle", precision="float32")


@pytest.fixture(scope="module")
def windows(simulated_windows):
    return simulated_windows


@pytest.fixture(scope="module")
def everything(windows):
    return split(windows, 0)[0]


@pytest.fixture(scope="module")
def rows(everything):
    """Four batches: enough for what needs no network that has learned something."""
    return everything[::3]


def trained(windows, rows, strategy="scratch", teacher=None, blocks=1, seed=0, **constants):
    """The network and its loss curve; dropout 0 as in the smoke study."""
    torch.manual_seed(seed)
    curve = []
    network = ResNet1D(blocks, 0.0)
    given = SHORT | constants
    return train(network, windows, rows, strategy, teacher, seed=seed, progress=curve.append, **given), curve


@pytest.fixture(scope="module")
def taught(windows, rows):
    """A teacher, trained a little, and what it predicts for the training windows."""
    network, _ = trained(windows, rows, blocks=2)
    network.train()  # as a careless caller leaves it: its batch norms would learn from what it sees
    before = {name: value.clone() for name, value in network.state_dict().items()}
    said = {name: training.teach(network, windows, rows, name) for name in ("feature", "dense_soft")}
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    return network, said["feature"], said["dense_soft"]["logits"]


def teacher_for(strategy, taught):
    """A network, or for out-of-fold teachers what they predict."""
    return {"": None, "out of fold": taught[1]}.get(STRATEGIES[strategy].teacher, taught[0])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_trains(strategy, windows, rows, taught):
    student, curve = trained(windows, rows, strategy, teacher_for(strategy, taught))
    assert len(curve) == (3 if "dense" in strategy else 1) and not student.training
    assert np.isfinite(evaluate(student, windows, split(windows, 0)[1])["mae"])


def test_a_network_as_teacher_is_what_it_predicts(windows, rows, taught):
    network, said, _ = taught
    for strategy in ("dkd", "feature"):
        students = [trained(windows, rows, strategy, teacher)[0] for teacher in (network, said)]
        assert all(torch.equal(a, b) for a, b in zip(*(s.parameters() for s in students)))


def loss_of(strategy, student, windows, rows, said, **constants):
    """As a function (windows (N, 1, 200), positions (N,), ramp) -> loss."""
    c, said = replace(Constants(), **SHORT | constants), said if STRATEGIES[strategy].teacher else {}
    member = training.Member(student, rows, strategy, c, said)
    losses, extra = training.make_loss([member], [windows.table.hr.to_numpy()[rows]])

    def loss(x, chosen, ramp):
        feature_map = student.feature_map(x)
        return losses(student.classify(feature_map)[None], feature_map[None], chosen[None], [ramp])[0]

    return loss, extra


def test_the_totals_are_those_of_the_paper(windows, rows, taught):
    """Each strategy's loss on a batch against the formula written out."""
    chosen = np.arange(32)
    positions = torch.from_numpy(chosen)
    hr = windows.table.hr.to_numpy()[rows[chosen]]
    y = torch.from_numpy(to_bin(hr))
    x = torch.from_numpy(gather(windows.signal, windows.table.start.to_numpy()[rows[chosen]]))[:, None]
    student = ResNet1D(1).eval()
    s, t = student(x), torch.from_numpy(taught[1]["logits"][chosen])
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
    assert expected.keys() | {"feature"} == STRATEGIES.keys()
    for strategy, value in expected.items():
        loss, extra = loss_of(strategy, student, windows, rows, taught[1])
        torch.testing.assert_close(loss(x, positions, 0.5), value, rtol=1e-5, atol=1e-6)
        assert extra == []


def test_each_total_takes_the_constants_of_its_own_row(windows, rows, taught):
    """None at its default and no two alike; the feature map by hand: means of two moments, then a matrix."""
    given = dict(soft_temperature=2.0, dkd_temperature=3.0, alpha=0.5, beta=5.0, sigma=3.0, window=4, feature_weight=0.25)
    positions, network = torch.arange(32), ResNet1D(1).eval()
    hr, start = (windows.table[name].to_numpy()[rows[:32]] for name in ("hr", "start"))
    x, y = torch.from_numpy(gather(windows.signal, start))[:, None], torch.from_numpy(to_bin(hr))
    s, t, said = network(x), torch.from_numpy(taught[1]["logits"][:32]), torch.from_numpy(taught[1]["map"][:32])
    expected = {
        "soft": losses.soft_kd(s, t, 2.0),
        "soft_t1": losses.soft_kd(s, t, 1.0),
        "soft_oof": losses.soft_kd(s, t, 2.0),
        "dense_soft": losses.soft_kd(s, t, 2.0),
        "dkd": F.cross_entropy(s, y) + 0.5 * losses.dkd(s, t, y, 3.0, 0.5, 5.0),
        "soft8": F.cross_entropy(s, y) + 0.5 * 5.0 * losses.soft_kd(s, t, 3.0),
        "window_dkd": F.cross_entropy(s, y) + 0.5 * losses.window_dkd(s, t, y, 3.0, 0.5, 5.0, 4),
        "gaussian": losses.gaussian(s, torch.from_numpy(hr), 3.0),
    }
    for strategy, value in expected.items():
        loss, _ = loss_of(strategy, network, windows, rows, taught[1], **given)
        torch.testing.assert_close(loss(x, positions, 0.5), value, rtol=1e-5, atol=1e-6)
    loss, (weight, bias) = loss_of("feature", network, windows, rows, taught[1], **given)
    shorter = network.feature_map(x)[:, :, 0].unflatten(2, (-1, 2)).mean(3)
    missed = torch.einsum("tc,ncl->ntl", weight[0, :, :, 0, 0], shorter) + bias[0, :, None] - said[:, :, 0]
    expected = F.cross_entropy(s, y) + 0.25 * missed.square().mean()
    torch.testing.assert_close(loss(x, positions, 0.5), expected, rtol=1e-4, atol=1e-5)


def test_distillation_fades_in_where_a_strategy_says_so():
    c = replace(Constants(), epochs=24)  # a twelfth: two epochs
    assert [training.ramp_of("dkd", c, epoch) for epoch in (1, 2, 3)] == [0.5, 1.0, 1.0]
    assert training.ramp_of("soft", c, 1) == training.ramp_of("dkd", replace(c, warm_up=0.0), 1) == 1.0


def test_one_cycle_goes_up_to_the_rate_and_down_to_almost_nothing():
    rates = training.one_cycle(0.1, 100)
    assert len(rates) == 100 and max(rates) == pytest.approx(0.1) and 25 <= int(np.argmax(rates)) <= 32
    assert rates[0] == pytest.approx(0.1 / 25) and rates[-1] < 1e-5  # PyTorch's defaults


def test_feature_trains_its_regressor(windows, rows, taught):
    student, said = ResNet1D(1), taught[1]
    loss, extra = loss_of("feature", student, windows, rows, said)
    loss(torch.randn(32, 1, 200), torch.arange(32), 1.0).backward()
    assert sum(p.numel() for p in extra) == 32 * said["map"].shape[1] + said["map"].shape[1]
    assert all(p.grad.abs().sum() > 0 for p in extra)


def test_cached_teacher_outputs_equal_live_ones(windows, rows, taught):
    network, said, _ = taught
    x = torch.from_numpy(gather(windows.signal, windows.table.start.to_numpy()[rows]))[:, None]
    with torch.no_grad():
        live = network.eval()(x[100:228])
    torch.testing.assert_close(torch.from_numpy(said["logits"][100:228]), live, rtol=1e-5, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(windows, rows):
    a, b, c = (trained(windows, rows, seed=seed)[0] for seed in (0, 0, 1))
    weights = [torch.cat([p.flatten() for p in network.parameters()]) for network in (a, b, c)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_another_seed_sees_the_windows_in_another_order(windows, rows, monkeypatch):
    seen = {}
    for seed in (0, 1, (0, 1)):
        starts = seen[seed] = []
        monkeypatch.setattr(training, "gather", lambda signal, start, starts=starts: starts.append(start) or gather(signal, start))
        torch.manual_seed(0)
        train(ResNet1D(1, 0.0), windows, rows, seed=seed, progress=lambda loss: None, **SHORT)
    orders = [np.concatenate(starts) for starts in seen.values()]
    assert not any(np.array_equal(*pair) for pair in itertools.combinations(orders, 2))


def test_strategies_of_one_seed_see_the_same_windows(windows, rows, taught, monkeypatch):
    """With the first weights it is what pairs them: the order of windows comes from the seed alone."""
    seen = []

    def gathered(signal, starts):
        seen[-1].append(np.array(starts))
        return gather(signal, starts)

    monkeypatch.setattr(training, "gather", gathered)
    for strategy in ("scratch", "dkd"):
        seen.append([])
        trained(windows, rows, strategy, taught[1] if STRATEGIES[strategy].teacher else None)
    assert all(np.array_equal(*pair) for pair in zip(*seen, strict=True))


def test_labels_of_test_people_do_not_touch_the_training(windows, rows):
    changed = windows.table.copy()
    changed.loc[split(windows, 0)[1], "hr"] = 200.5
    a, _ = trained(windows, rows)
    b, _ = trained(replace(windows, table=changed), rows)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))


@pytest.mark.parametrize(
    "strategy, teacher, constants, said",
    [
        ("sof", None, {}, "There is no strategy 'sof': choose from scratch, .*dense_soft"),
        ("soft", None, {}, "soft needs a teacher's logits"),
        ("feature", {"logits": np.zeros((1, 180))}, {}, "feature needs a teacher's map"),
        ("soft_oof", ResNet1D(1), {}, "soft_oof needs several teachers"),
        ("scratch", ResNet1D(1), {}, "scratch takes no teacher"),
        ("soft", {"logits": np.zeros((3, 180))}, {}, "logits have 3 rows for [0-9]+ samples"),
        ("scratch", None, {"epochs": 2.5}, "epochs must be of type int, not 2.5"),
        ("scratch", None, {"rate": "0.1"}, "rate must be of type float, not '0.1'"),
        ("scratch", None, {"alpha": 1.0}, "scratch has no constant 'alpha': it depends on epochs, batch"),
        ("gaussian", None, {"sigma": 0.0}, "sigma must lie between 0.1 and 100.0, not 0.0"),
        ("scratch", None, {"schedule": "cosine"}, "schedule has 'cosine'; possible are constant, one-cycle"),
        ("scratch", None, {"batch": 5000}, "training windows, fewer than one batch of 5000"),
    ],
)
def test_wrong_input_is_one_sentence(windows, rows, strategy, teacher, constants, said):
    with pytest.raises(InputError, match=said):
        trained(windows, rows, strategy, teacher, **constants)


def test_rows_may_be_a_mask_and_none_are_one_sentence(windows, rows):
    mask = np.zeros(len(windows.table), bool)
    mask[rows] = True
    a, b = (trained(windows, chosen)[0] for chosen in (rows, mask))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    with pytest.raises(InputError, match="no windows to predict"):
        evaluate(a, windows, rows[:0])


def test_a_network_that_diverges_is_one_sentence(windows, rows, monkeypatch):
    monkeypatch.setattr(F, "cross_entropy", lambda logits, y: logits.sum() * float("nan"))
    with pytest.raises(InputError, match="scratch with 1 blocks diverged in epoch 1.*lower rate"):
        trained(windows, rows)


def test_it_learns(windows, everything):
    network, curve = trained(windows, everything[::2], epochs=12)
    test = split(windows, 0)[1]
    hr = windows.table.hr.to_numpy()
    by_the_mean = np.abs(hr[everything].mean() - hr[test]).mean()
    assert curve[-1] < curve[0] - 1
    assert evaluate(network, windows, test)["mae_median"] < 0.6 * by_the_mean


def test_dense_training_draws_every_offset_and_adds_noise(windows, everything, monkeypatch):
    rows, seen = everything, []
    monkeypatch.setattr(training, "gather", lambda signal, start: seen.append(start) or gather(signal, start))
    dense_run = functools.partial(trained, windows, rows, "dense_scratch", dense_times=1)
    curve = dense_run()[1]
    drawn = np.concatenate(seen)
    place = np.searchsorted(windows.table.start.to_numpy()[rows], drawn, side="right") - 1
    assert len(np.unique(place)) > 0.9 * len(rows)
    moved = drawn - windows.table.start.to_numpy()[rows][place]
    share = np.bincount(moved // 5, minlength=OFFSETS)[:OFFSETS] / len(moved)
    assert (np.abs(share[1:] - 0.1) < 0.03).all() and (moved % 5 == 0).all()
    assert dense_run(dense_noise=0.5)[1] != curve


def test_dense_teachers_predict_the_same_where_a_window_is_labelled(taught, windows, rows):
    network, said, logits = taught
    assert len(logits) == OFFSETS * len(said["logits"])
    np.testing.assert_allclose(logits[::OFFSETS], said["logits"], rtol=1e-4, atol=1e-4)
    x = torch.from_numpy(gather(windows.signal, dense(windows, rows)[0][7:9]))[:, None]
    with torch.no_grad():
        live = network.eval()(x).numpy()
    np.testing.assert_allclose(logits[7:9], live, rtol=1e-4, atol=1e-4)


def test_each_epoch_sees_every_window_at_most_once_and_in_a_new_order(windows, rows, monkeypatch):
    seen = []
    monkeypatch.setattr(training, "gather", lambda signal, start: seen.append(start) or gather(signal, start))
    trained(windows, rows, epochs=2)
    first, second = np.split(np.array(seen), 2)
    assert len(np.unique(first)) == first.size == len(rows) // 64 * 64
    assert not np.array_equal(first, second)


def test_every_epoch_has_its_own_ramp_and_all_whole_batches(windows, rows, monkeypatch):
    seen, ramps = [], []
    monkeypatch.setattr(training, "gather", lambda signal, start: seen.append(len(start)) or gather(signal, start))
    monkeypatch.setattr(training, "ramp_of", lambda strategy, c, epoch: ramps.append(epoch) or 1.0)
    trained(windows, rows[:128], epochs=3)
    assert ramps == [1, 2, 3] and seen == [64] * 6


def test_rates_follow_the_schedule_and_dense_strategies_have_more_epochs():
    c, parameters = replace(Constants(), rate=0.1, epochs=4, dense_times=3), [*ResNet1D(1).parameters()]
    assert training.make_optimizer(c, parameters, 5)[1] == [0.1] * 5
    assert training.make_optimizer(replace(c, schedule="one-cycle"), parameters, 5)[1] == training.one_cycle(0.1, 5)
    assert [training.epochs_of(name, c) for name in ("scratch", "dense_scratch", "dense_soft")] == [4, 12, 12]
