"""Training on a GPU: the same as step by step, alone or beside others. What needs a device is skipped without one."""

import copy
from concurrent.futures import ThreadPoolExecutor
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
from ppglib.training import train
from ppglib.windows import gather

N, BATCH = 512, 64
ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(scope="module")
def windows():
    return noise_windows(N)


def test_the_devices_windows_are_those_of_the_processor(windows):
    start = windows.table.start.to_numpy()
    chosen = np.array([5, 0, N - 1])
    found = gpu.gatherer(windows.signal, start, torch.device("cpu"))(torch.from_numpy(chosen))
    np.testing.assert_allclose(found[:, 0].numpy(), gather(windows.signal, start[chosen]), atol=1e-5)


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
    alone = plan(study, 10.0, measured.rename(columns={"together": "graph"}))
    assert alone.to_dict("records") == [row]
    sizes = [run.student for run in grid.runs(study)]
    assert row["networks"] == len(sizes) and row["windows"] == 0.8 * 10 * 1800
    assert row["hours"] == pytest.approx(sum(sizes) * 0.8 * 10 * 1800 / 3600)  # blocks seconds a window


def trained(windows, strategy, seed=0, dropout=0.0, blocks=2, **constants):
    teacher = {"": None, "map": {"logits", "map"}}.get(STRATEGIES[strategy].teacher, {"logits"})
    rng, rows = np.random.default_rng(7), np.arange(N)
    n = len(training.samples(windows, rows, strategy)[0])
    shapes = {"logits": (n, 180), "map": (n, 64, 1, 50)}
    said = teacher and {name: rng.standard_normal(shapes[name], np.float32) for name in sorted(teacher)}
    given = {"epochs": 3, "batch": BATCH, "rate": 1e-3, "schedule": "one-cycle", "precision": "float32"} | constants
    with gpu.ALONE:
        torch.manual_seed(seed)
        network = ResNet1D(blocks, dropout)
    curve = []
    train(network, windows, rows, strategy, said, seed=seed, progress=curve.append, **given)
    return curve, network.cpu()


@pytest.fixture
def exactly(monkeypatch):
    """The same kernels each time, in full precision."""
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def stepwise(step, network, signal, start, optimizer, rates, random):
    """As `training.plain`, on the windows of `recorded`: so small networks make much of a last bit."""
    gather, left = gpu.gatherer(signal, start, torch.device("cuda")), iter(rates)

    def epoch(order, ramp):
        total = 0.0
        for chosen in torch.from_numpy(order).cuda():
            optimizer.param_groups[0]["lr"] = next(left)
            total += float(step(gather(chosen), chosen, ramp))
        return total

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
    cases = [("scratch", 0, 0.2, 1), ("dkd", 1, 0.2, 2), ("feature", 2, 0.5, 4), ("gaussian", 3, 0.2, 1)] * 2
    alone = [trained(windows, *case) for case in cases]
    with ThreadPoolExecutor(len(cases)) as pool:
        together = list(pool.map(lambda case: trained(windows, *case), cases))
    for (curve, network), (expected, other) in zip(together, alone):
        np.testing.assert_allclose(curve, expected, rtol=1e-3)
        assert_alike(network, other, 1e-3)


@ON_GPU
def test_dropout_changes_from_step_to_step(windows, exactly):
    """A graph that repeated its mask would learn as fast as without dropout."""
    one_step = {"epochs": 8, "batch": N, "rate": 1e-8, "schedule": "constant"}
    curve, _ = trained(windows, "scratch", dropout=0.5, **one_step)
    assert len(set(np.round(curve, 6))) == 8
