"""Training on a GPU: the same as step by step, alone or beside others. What needs a device is skipped without one."""

import copy
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ppglib import gpu, training
from ppglib.bench.gpu_training import plan, traffic
from ppglib.bench.training import noise_windows
from ppglib.resnet1d import Design, ResNet1D
from ppglib.strategies import STRATEGIES
from ppglib.study import grid, studies
from ppglib.windows import gather

N, BATCH = 520, 64
ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(scope="module")
def windows():
    return noise_windows(N)


def test_the_devices_windows_are_those_of_the_processor(windows):
    start = windows.table.start.to_numpy()
    chosen = np.array([5, 0, N - 1])
    gathered = gpu.gatherer(windows.signal, np.stack([start, start[::-1]]), torch.device("cpu"))
    found = gathered(torch.from_numpy(np.stack([chosen, chosen])))
    for own, starts in zip(found, (start, start[::-1])):
        np.testing.assert_allclose(own[:, 0].numpy(), gather(windows.signal, starts[chosen]), atol=1e-5)


@ON_GPU
def test_own_dropout_keeps_the_rate():
    network, x = ResNet1D(1, 0.2).train(), torch.ones(100_000, device="cuda")
    (layer,) = (module for module in network.modules() if isinstance(module, gpu.Dropout))
    with gpu.own_dropout(network, torch.Generator("cuda").manual_seed(0)):
        first = layer(x)
    with gpu.own_dropout(network, torch.Generator("cuda").manual_seed(0)):
        torch.rand(7, device="cuda")  # somebody else draws
        assert torch.equal(layer(x), first)
    assert float((first == 0).float().mean()) == pytest.approx(0.2, abs=0.005)
    assert float(first.max()) == pytest.approx(1 / 0.8)


def test_own_dropout_leaves_nothing_behind():
    network = ResNet1D(1, 0.2)
    (layer,) = (module for module in network.modules() if isinstance(module, gpu.Dropout))
    with gpu.own_dropout(network, torch.Generator()):
        assert layer.generator is not None
    assert layer.generator is None
    copy.deepcopy(network)


def test_traffic_by_hand():
    """1 block: stem 1 -> 32 on 200 samples, then twice 32 -> 32; two bytes each, three times."""
    assert traffic(Design(1)) == 6 * 200 * (1 + 32 + 32 + 32 + 32 + 32)


def test_a_plan_is_networks_times_epochs_times_windows():
    study = replace(studies.read("smoke"), students=[1], teachers=[4], strategies=["scratch"], swept=[], epochs=1)
    measured = pd.DataFrame({"blocks": [1, 2], "together": [1.0, 0.5]})
    (row,) = plan(study, 10.0, measured).to_dict("records")
    sizes = [run.student for run in grid.runs(study)]
    assert row["networks"] == len(sizes) and row["windows"] == 0.8 * 10 * 1800
    assert row["hours"] == pytest.approx(sum(sizes) * 0.8 * 10 * 1800 / 3600)  # blocks seconds a window


def member(windows, strategy, seed=0, dropout=0.0, design=Design(2), **constants):
    """A network whose teacher says anything, and a list that gets its losses."""
    rows = np.arange(seed % 2, N)  # not all learn of the same
    teacher = {"": None, "map": {"logits", "map"}}.get(STRATEGIES[strategy].teacher, {"logits"})
    rng = np.random.default_rng(7)
    n = len(training.samples(windows, rows, strategy)[0])
    shapes = {"logits": (n, 180), "map": (n, 64, 1, 50)}
    said = teacher and {name: rng.standard_normal(shapes[name], np.float32) for name in sorted(teacher)}
    given = {"epochs": 3, "batch": BATCH, "rate": 1e-3, "schedule": "one-cycle", "precision": "float32"} | constants
    with gpu.ALONE:
        torch.manual_seed(seed)
        network = ResNet1D(**vars(design), dropout=dropout)
    curve = []
    c = training.constants_of(strategy, given)
    return training.Member(network, rows, strategy, c, said or {}, seed, curve.append), curve


def trained(windows, *what, **constants):
    """Losses and network of a member that is trained alone."""
    alone, curve = member(windows, *what, **constants)
    training.train_together([alone], windows)
    return curve, alone.network.cpu()


@pytest.fixture
def exactly(monkeypatch):
    """The same kernels each time, in full precision."""
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def stepwise(step, network, signal, start, optimizer, rates, random):
    """As `training.plain`, on the windows of `recorded`: so small networks make much of a last bit."""
    gather, left = gpu.gatherer(signal, start, torch.device("cuda")), iter(rates)

    def epoch(order, ramps):
        total = torch.zeros(len(ramps), device="cuda")
        for chosen in torch.from_numpy(order).cuda():
            optimizer.param_groups[0]["lr"] = next(left)
            total += step(gather(chosen), chosen, torch.tensor(ramps, device="cuda"))
        return total.tolist()

    return epoch


def assert_alike(network, other, tolerance):
    """In weights. A bias before a batch norm has no gradient but rounding, which Adam makes as large as any."""
    for a, b in zip(network.parameters(), other.parameters()):
        if a.ndim > 1:
            torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


@ON_GPU
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_recorded_step_is_the_step(strategy, windows, exactly, monkeypatch):
    curve, network = trained(windows, strategy)
    monkeypatch.setitem(training.LOOPS, "cuda", stepwise)
    expected, other = trained(windows, strategy)
    np.testing.assert_allclose(curve, expected, rtol=1e-4)
    assert_alike(network, other, 1e-4)


@ON_GPU
def test_networks_beside_each_other_are_what_they_are_alone(windows, exactly):
    """Other sizes and strategies in the other threads; dropout draws nothing from them."""
    cases = [("scratch", 0, 0.2, Design(1)), ("dkd", 1, 0.2), ("feature", 2, 0.5, Design(4)), ("gaussian", 3, 0.2)] * 2
    alone = [trained(windows, *case) for case in cases]
    with ThreadPoolExecutor(len(cases)) as pool:
        together = list(pool.map(lambda case: trained(windows, *case), cases))
    for (curve, network), (expected, other) in zip(together, alone):
        np.testing.assert_allclose(curve, expected, rtol=1e-3)
        assert_alike(network, other, 1e-3)


SMALL = Design(2, width=4)
DESIGNS = {
    "widened": Design(5, width=4),
    "pieces": Design(3, width=4, pieces=2),
    "dilated": Design(4, width=6, strides=(4, 1, 1, 1, 2), dilations=(1, 2, 3, 1, 2, 4, 1, 1, 2)),
}


@pytest.fixture
def in_double(monkeypatch):
    """On the CPU. Rounding, of which Adam makes steps as large as any without a gradient, hides nothing then."""
    torch.set_num_threads(1)
    monkeypatch.setattr(training, "device", lambda: torch.device("cpu"))
    monkeypatch.setattr(training, "gather", lambda *given: gather(*given).astype(float))


@pytest.mark.parametrize("strategies", [
    [name for name, row in STRATEGIES.items() if not row.dense and row.teacher != "map"] + ["soft", "dkd"],
    ["dense_soft", "dense_scratch", "dense_soft"],
])  # fmt: skip
def test_networks_as_one_are_what_they_are_alone(strategies, windows, in_double):
    """Each with an order, a teacher, a ramp and weights of its own; all parameters and statistics, and the losses."""
    assert_as_one([(strategy, seed, 0.0, SMALL) for seed, strategy in enumerate(strategies)], windows)


@pytest.mark.parametrize("design", DESIGNS)
def test_networks_of_any_design_are_as_one_what_they_are_alone(design, windows, in_double):
    assert_as_one([("scratch", 1, 0.0, DESIGNS[design]), ("gaussian", 2, 0.0, DESIGNS[design])], windows)


def assert_as_one(cases, windows):
    several = [member(windows, *case, epochs=2) for case in cases]
    for one, _ in several:
        one.network.double()
    training.train_together([one for one, _ in several], windows)
    for case, (one, curve) in zip(cases, several):
        alone, expected = member(windows, *case, epochs=2)
        alone.network.double()
        training.train_together([alone], windows)
        np.testing.assert_allclose(curve, expected, rtol=1e-6)
        assert not one.network.training
        for name, value in alone.network.state_dict().items():
            torch.testing.assert_close(one.network.state_dict()[name], value, atol=1e-7, rtol=1e-7)


@pytest.fixture
def seeded(monkeypatch):
    """On the CPU, and regressors of feature maps are drawn as on a GPU: by the seed of their network."""

    @contextmanager
    def own_random(where, seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield

    monkeypatch.setattr(training, "own_random", own_random)
    monkeypatch.setattr(training, "device", lambda: torch.device("cpu"))


def test_networks_as_one_stay_near_those_alone_in_float32(windows, seeded):
    cases = [("scratch", 1), ("soft", 2), ("dkd", 3), ("feature", 4), ("feature", 5)]
    constants = {"epochs": 2, "rate": 5e-4, "schedule": "constant"}  # 16 steps
    several = [member(windows, *case, **constants) for case in cases]
    training.train_together([one for one, _ in several], windows)
    for case, (one, curve) in zip(cases, several):
        expected, network = trained(windows, *case, **constants)
        np.testing.assert_allclose(curve, expected, rtol=1e-5)
        assert_alike(one.network, network, 5e-4)


@pytest.mark.parametrize("other", [{"rate": 1e-2}, {"batch": 32}, {"epochs": 1}, {"design": Design(1)}, {"dropout": 0.5}])
def test_networks_that_have_not_all_in_common_are_not_trained_as_one(windows, other):
    with pytest.raises(ValueError, match="cannot be trained as one"):
        training.train_together([member(windows, "scratch")[0], member(windows, "gaussian", **other)[0]], windows)


@ON_GPU
def test_networks_as_one_are_what_they_are_alone_on_the_gpu(windows, exactly):
    cases = [("scratch", 1, 0.0, Design(10)), ("soft", 2, 0.0, Design(10)), ("soft", 3, 0.0, Design(10))]
    several = [member(windows, *case) for case in cases]
    training.train_together([one for one, _ in several], windows)
    for case, (one, curve) in zip(cases, several):
        np.testing.assert_allclose(curve, trained(windows, *case)[0], rtol=1e-3)


@ON_GPU
def test_dropout_changes_from_step_to_step(windows, exactly):
    """A graph that repeated its mask would learn as fast as without dropout."""
    one_step = {"epochs": 8, "batch": N, "rate": 1e-8, "schedule": "constant"}
    curve, _ = trained(windows, "scratch", dropout=0.5, **one_step)
    assert len(set(np.round(curve, 6))) == 8
