"""Training on a GPU: all windows lie there, a step is one CUDA graph, and networks of one design are trained as one.

These networks are so small that a GPU waits for its launches: hundreds a step, a few microseconds of work each.
A graph is one launch; with convolutions in groups a kernel does the work of all networks; and what is trained in
threads of one process runs side by side, each on a stream of its own."""

import copy
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ppglib.fast import Dropout, MeanOverTime
from ppglib.resnet1d import Block, ResNet1D
from ppglib.task import LENGTH

WARM_UP = 1  # steps before the capture, in which libraries choose their kernels; undone afterwards
AHEAD = 2  # steps that a thread sends ahead: one that waits for a place in a full queue keeps all others from sending
os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")  # streams side by side; CUDA's own is 8
TOGETHER = 32  # networks that are trained as one
# PyTorch has 32 streams and deals them in turn, also those in use: two trainings on one would record each other.
FREE = []
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


class Together(nn.Module):
    """Networks of one design as one, which computes exactly what they do: every layer is all of theirs, side by side.

    networks: what it starts from; `part` gives their weights back."""

    def __init__(self, networks: Sequence[ResNet1D]):
        super().__init__()
        self.networks, self.trunk = len(networks), copy.deepcopy(networks[0])
        others = [dict(network.named_modules()) for network in networks]
        for name, module in self.trunk.named_modules():
            for key, tensor in [*module._parameters.items(), *module._buffers.items()]:
                if tensor is not None and tensor.ndim:  # a batch norm's count is the same in all
                    tensor.data = torch.cat([getattr(other[name], key).data for other in others])
            if isinstance(module, Block):
                module.networks = self.networks
            if isinstance(module, nn.Conv2d):
                module.__class__, module.groups = Convolutions, self.networks

    def feature_map(self, x: Tensor) -> Tensor:
        """(G, N, 1, 200) -> (G, N, C, 1, L), of each network its own windows."""
        return self.trunk.features(x[:, :, 0].movedim(0, 1)).unflatten(1, (self.networks, -1)).movedim(1, 0)

    def classify(self, feature_map: Tensor) -> Tensor:
        """(G, N, C, 1, L) -> logits (G, N, 180)."""
        means = MeanOverTime.apply(feature_map.movedim(0, 1).flatten(1, 2)).unflatten(1, (self.networks, -1))
        head = self.trunk.head
        weight, bias = (t.unflatten(0, (self.networks, -1)) for t in (head.weight, head.bias))
        return torch.baddbmm(bias[:, None], means.movedim(1, 0), weight.mT)

    @torch.no_grad()
    def part(self, i: int, network: ResNet1D) -> None:
        """Give `network` the weights of the i-th."""
        for own, all_of_them in zip(network.state_dict().values(), self.trunk.state_dict().values()):
            own.copy_(all_of_them.chunk(self.networks)[i] if own.ndim else all_of_them)


class Convolutions(nn.Conv2d):
    """The same layer of several networks, in groups; of one input each as one convolution of all.

    There it has zeros between the networks, for cuDNN takes four times as long for groups of one input (H100)."""

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_cuda or self.weight.shape[1] > 1:
            return super().forward(x)
        own = torch.eye(self.groups, device=x.device).repeat_interleave(len(self.weight) // self.groups, 0)
        weight = own[:, :, None, None] * self.weight
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation)


def gatherer(signal: np.ndarray, start: np.ndarray, where: torch.device) -> Callable[[Tensor], Tensor]:
    """`windows.gather` on the device: positions (G, N) in the rows of `start` -> windows (G, N, 1, 200), float32."""
    signal, start = (torch.tensor(a, device=where) for a in (signal, start))
    own = torch.arange(len(start), device=where)[:, None]
    inside = torch.arange(LENGTH, device=where)

    def gather(chosen: Tensor) -> Tensor:
        x = signal[start[own, chosen][..., None] + inside].float()
        x = x - x.mean(-1, keepdim=True)
        return (x / x.std(-1, correction=0, keepdim=True))[..., None, :]

    return gather


def recorded(step: Callable, network, signal, start, optimizer, rates: list[float], random) -> Callable:
    """As `training.plain`: an epoch as a function (order, ramps) -> sums of losses, replays of one graph.

    The graph reads order, rate and ramp from tensors, which each epoch fills. random: what dropout draws from."""
    where = next(network.parameters()).device
    gather, rates = gatherer(signal, start, where), torch.tensor(rates, device=where)
    done, rate = torch.zeros(1, dtype=torch.int64, device=where), torch.zeros((), device=where)
    optimizer.param_groups[0]["lr"] = rate
    order, ramp, total, graph = None, None, None, None
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
            for _ in range(WARM_UP):
                one()
            with torch.no_grad():
                for tensor, kept in zip(parameters, before):
                    tensor.copy_(kept)
                for tensor in [done, *(moment for state in optimizer.state.values() for moment in state.values())]:
                    tensor.zero_()
            if 2 * torch.cuda.memory_reserved() > torch.cuda.get_device_properties(where).total_memory:
                torch.cuda.empty_cache()  # what those steps and finished graphs held: a graph has memory of its own
            made = torch.cuda.CUDAGraph()
            made.register_generator_state(random)
            made.capture_begin(capture_error_mode="thread_local")
            try:
                one()
            except Exception:
                with suppress(RuntimeError):  # that it is not whole
                    made.capture_end()
                raise
            made.capture_end()
        return made

    def epoch(given: np.ndarray, ramps: list[float]) -> list[float]:
        nonlocal order, ramp, total, graph
        if graph is None:
            order = torch.zeros(given.shape, dtype=torch.int64, device=where)
            ramp, total = torch.zeros(2, len(ramps), device=where)
        order.copy_(torch.from_numpy(given))
        ramp.copy_(torch.tensor(ramps))
        graph = graph or capture()
        total.zero_()
        for i in range(len(given)):
            done_with = marks[i % AHEAD]
            done_with.synchronize()
            graph.replay()
            done_with.record()
        return total.tolist()

    return epoch
