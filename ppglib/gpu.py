"""Training on a GPU: all windows lie there, a step is one CUDA graph, and several networks share the device.

These networks are so small that a GPU waits for its launches: hundreds a step, a few microseconds of work each.
A graph is one launch; and networks that are trained in threads of one process run side by side, each on a stream
of its own. Unlike one network of grouped convolutions these may differ in size, design and strategy."""

import os
import threading
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from ppglib.fast import Dropout
from ppglib.task import LENGTH

WARM_UP = 1  # steps before the capture, in which libraries choose their kernels; undone afterwards
AHEAD = 2  # steps that a thread sends ahead: one that waits for a place in a full queue keeps all others from sending
os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")  # streams side by side; CUDA's own is 8
# PyTorch has 32 streams and deals them in turn, also those in use: two trainings on one would record each other.
TOGETHER, FREE = 32, []
# Held while something of the whole process is in use: torch's random numbers, or a capture.
ALONE = threading.RLock()


@contextmanager
def own_stream(where: torch.device):
    """On a GPU, work of this thread goes to a stream of its own, one if nested, and overlaps that of others."""
    if where.type == "cpu" or torch.cuda.current_stream() != torch.cuda.default_stream():
        yield
        return
    before = torch.cuda.current_stream()
    with ALONE:
        stream = FREE.pop() if FREE else torch.cuda.Stream()
    stream.wait_stream(before)
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        before.wait_stream(stream)
        FREE.append(stream)


@contextmanager
def own_random(where: torch.device, seed):
    """On a GPU, what is drawn inside follows `seed` alone, whatever other threads draw."""
    if where.type == "cpu":
        yield
        return
    with ALONE, torch.random.fork_rng(devices=[]):
        torch.manual_seed(number_of(seed))
        yield


def number_of(seed) -> int:
    """One number of a seed that is one or several."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


@contextmanager
def own_dropout(network, random: torch.Generator | None):
    """Inside, the network's dropout draws from a generator of its own."""
    layers = [module for module in network.modules() if isinstance(module, Dropout)]
    for layer in layers:
        layer.generator = random
    try:
        yield
    finally:
        for layer in layers:  # a network with a generator could be neither copied nor pickled
            layer.generator = None


def gatherer(signal: np.ndarray, start: np.ndarray, where: torch.device) -> Callable[[Tensor], Tensor]:
    """`windows.gather` on the device: positions (N,) in `start` -> z-scored windows (N, 1, 200), float32."""
    signal, start = (torch.tensor(a, device=where) for a in (signal, start))
    inside = torch.arange(LENGTH, device=where)

    def gather(chosen: Tensor) -> Tensor:
        x = signal[start[chosen][:, None] + inside].float()
        x = x - x.mean(1, keepdim=True)
        return (x / x.std(1, correction=0, keepdim=True))[:, None]

    return gather


def recorded(step: Callable, network, signal, start, optimizer, rates: list[float], random) -> Callable:
    """As `training.plain`: an epoch as a function (order, ramp) -> sum of losses, replays of one graph.

    The graph reads order, rate and ramp from tensors, which each epoch fills. random: what dropout draws from."""
    where = next(network.parameters()).device
    gather, rates = gatherer(signal, start, where), torch.tensor(rates, device=where)
    done = torch.zeros(1, dtype=torch.int64, device=where)
    total, ramp, rate = torch.zeros(3, device=where).unbind()
    optimizer.param_groups[0]["lr"] = rate
    order, graph = None, None
    marks = [torch.cuda.Event(blocking=True) for _ in range(AHEAD)]

    def one() -> None:
        chosen = order.index_select(0, done % len(order))[0]
        rate.copy_(rates.index_select(0, done % len(rates))[0])
        total.add_(step(gather(chosen), chosen, ramp))
        done.add_(1)

    def capture() -> torch.cuda.CUDAGraph:
        parameters = [*network.state_dict(keep_vars=True).values(), *optimizer.param_groups[0]["params"]]
        before = [tensor.detach().clone() for tensor in parameters]
        with ALONE:
            if 2 * torch.cuda.memory_reserved() > torch.cuda.get_device_properties(where).total_memory:
                torch.cuda.empty_cache()  # what graphs of finished trainings held
            for _ in range(WARM_UP):
                one()
            with torch.no_grad():
                for tensor, kept in zip(parameters, before):
                    tensor.copy_(kept)
                for tensor in [done, *(moment for state in optimizer.state.values() for moment in state.values())]:
                    tensor.zero_()
            made = torch.cuda.CUDAGraph()
            made.register_generator_state(random)
            made.capture_begin(capture_error_mode="thread_local")
            one()
            made.capture_end()
        return made

    def epoch(given: np.ndarray, ramp_now: float) -> float:
        nonlocal order, graph
        order = torch.zeros(given.shape, dtype=torch.int64, device=where) if order is None else order
        order.copy_(torch.from_numpy(given))
        ramp.fill_(ramp_now)
        graph = graph or capture()
        total.zero_()
        for i in range(len(given)):
            done_with = marks[i % AHEAD]
            done_with.synchronize()
            graph.replay()
            done_with.record()
        return float(total)

    return epoch
