"""ResNet1D: the pre-activation 1-D residual network of the paper's Table 1, and what it sees of a window."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ppglib.fast import Dropout, MeanOverTime
from ppglib.task import BINS, LENGTH, RATE

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12)
WIDTH, KERNEL = 32, 5


@dataclass(frozen=True)
class Design:
    """What decides what a network sees of a window, and what it costs; by default the paper's network.

    blocks: residual blocks, one of the paper's nine sizes or any other >= 1. width: channels of the first
    four blocks, doubled after every four. kernels, dilations: lengths (odd) of the 1 + 2 x blocks
    convolutions, and distances between their taps; one number for all, or one each (see `dilations_for`).
    strides: of the stem and of each block; by default 2 in every second block, else 1. pieces: the window
    is cut into so many, which the trunk sees one by one. ValueError for what is no network."""

    blocks: int
    width: int = WIDTH
    kernels: int | Sequence[int] = KERNEL
    dilations: int | Sequence[int] = 1
    strides: int | Sequence[int] | None = None
    pieces: int = 1

    def __post_init__(self):
        for name in ("blocks", "width", "pieces"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                what = f"a ResNet1D has at least 1 block, width and piece: {name}"
                raise ValueError(f"{what} is a whole number, not {getattr(self, name)!r}")
        convolutions = 1 + 2 * self.blocks
        strides = [1, *(1 + i % 2 for i in range(self.blocks))] if self.strides is None else self.strides
        for name, given, n in (
            ("kernels", self.kernels, convolutions),
            ("dilations", self.dilations, convolutions),
            ("strides", strides, 1 + self.blocks),
        ):
            each = tuple(given) if isinstance(given, Sequence) else (given,) * n
            if len(each) != n or not all(type(one) is int and one >= 1 for one in each):
                raise ValueError(f"{self.blocks} blocks have {n} {name}, whole numbers of at least 1, not {each}")
            object.__setattr__(self, name, each)  # the class is frozen so that designs can be compared
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError(f"kernels are odd, not {self.kernels}")
        if LENGTH % self.pieces:
            raise ValueError(f"pieces divide the {LENGTH} samples of a window evenly, not {self.pieces}")

    @property
    def name(self) -> str:
        """What is not as in the paper, such as "d2.8.32-s4.2": dilations, strides, kernels, width, pieces."""
        own, paper = vars(self), vars(Design(self.blocks))
        parts = [key for key in ("dilations", "strides", "kernels", "width", "pieces") if own[key] != paper[key]]
        spelled = {key: ".".join(map(str, np.atleast_1d(own[key]))) for key in parts}
        return "-".join(key[0] + spelled[key] for key in parts)

    @property
    def channels(self) -> list[int]:
        """Channels after the stem and after each block."""
        return [self.width, *(self.width * 2 ** (i // 4) for i in range(self.blocks))]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and head for one window, from shapes alone."""
        length, inputs, total = -(-LENGTH // self.pieces // self.strides[0]), 1, 0
        for i, outputs in enumerate(self.channels):
            if i:
                length = -(-length // self.strides[i])
                total += length * self.kernels[2 * i - 1] * inputs * outputs
                inputs = outputs
            total += length * self.kernels[2 * i] * inputs * outputs
            inputs = outputs
        return total * self.pieces + inputs * BINS

    @property
    def field(self) -> int:
        """Samples between the first and the last that one output of the trunk sees; pieces end it."""
        reach = [kernel // 2 * dilation for kernel, dilation in zip(self.kernels, self.dilations)]
        left = right = reach[0]
        step = self.strides[0]  # samples between two outputs
        for i, stride in enumerate(self.strides[1:]):
            around = step * (reach[2 * i + 1] + stride * reach[2 * i + 2])
            left, right = left + around, right + max(around, step * (stride - 1))  # the shortcut's pooling
            step *= stride
        return left + right + 1 if self.pieces == 1 else min(left + right + 1, LENGTH // self.pieces)


def dilations_for(seconds: float, blocks: int, kernels=KERNEL, strides=None) -> tuple[int, ...]:
    """Dilations that grow by one factor from layer to layer and see at least `seconds`: the smallest that do.

    That is, the smallest first dilation and then the smallest factor. The factor is at most the length of the
    shortest kernel above 1, because a larger one leaves holes; if that does not reach so far, the first dilation
    is above 1 (25 Hz is three times what a band of 4 Hz needs). ValueError for a field that no window has."""
    if not 0 < seconds <= LENGTH / RATE:
        raise ValueError(f"a field lies above 0 s and ends with the window of {LENGTH / RATE} s, not at {seconds} s")
    wanted, n = math.ceil(seconds * RATE), np.arange(1 + 2 * blocks)
    largest = min([kernel for kernel in np.atleast_1d(kernels) if kernel > 1], default=1)
    for first in range(1, LENGTH):
        for factor in np.linspace(1, largest, 401):
            dilations = tuple(np.rint(first * factor**n).astype(int).tolist())
            if Design(blocks, kernels=kernels, dilations=dilations, strides=strides).field >= wanted:
                return dilations
    raise ValueError(f"kernels {kernels} cannot see {seconds} s")


def receptive_field(network: "ResNet1D") -> tuple[int, float]:
    """What one output of the trunk can see of a window, in samples and in seconds (Araujo et al. 2019).

    Between its first and last sample a dilated network may leave holes; see `Design.field`."""
    return network.design.field, network.design.field / RATE


def conv(inputs: int, outputs: int, kernel: int, dilation: int, stride: int = 1) -> nn.Conv2d:
    """A 1-D convolution as a 2-D one of height 1: channels-last exists only there, and is fast on a CPU."""
    padding = kernel // 2 * dilation
    return nn.Conv2d(inputs, outputs, (1, kernel), (1, stride), (0, padding), (1, dilation))


class Block(nn.Module):
    """Block `i` of a design, (N, Cin, 1, L) -> (N, Cout, 1, ceil(L / stride))."""

    def __init__(self, design: Design, i: int, dropout: float):
        super().__init__()
        inputs, outputs = design.channels[i : i + 2]
        shapes = list(zip(design.kernels, design.dilations))
        self.stride = design.strides[i + 1]
        self.widen = outputs - inputs
        self.networks = 1  # whose channels lie side by side, see `ppglib.gpu.Together`
        # The first block takes the stem's output as it is: the stem ends in BN-ReLU already.
        self.enter = nn.Sequential(*([nn.BatchNorm2d(inputs), nn.ReLU(), Dropout(dropout)] if i else []))
        self.conv1 = conv(inputs, outputs, *shapes[2 * i + 1], self.stride)
        self.between = nn.Sequential(nn.BatchNorm2d(outputs), nn.ReLU(), Dropout(dropout))
        self.conv2 = conv(outputs, outputs, *shapes[2 * i + 2])

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(self.between(self.conv1(self.enter(x))))
        if self.stride > 1:
            x = F.max_pool2d(x, (1, self.stride), ceil_mode=True)
        if not self.widen:
            return out + x
        before = self.widen // 2  # zero channels on both sides of the shortcut, in each network
        x = x.movedim(1, 3).unflatten(3, (self.networks, -1))
        return out + F.pad(x, (before, self.widen - before)).flatten(3).movedim(3, 1)


class ResNet1D(nn.Module):
    """Heart-rate classifier: windows (N, 1, 200) -> logits (N, 180).

    blocks, and by name whatever else a `Design` has: by default the paper's network.
    dropout: rate before every convolution but the first two (0.5 in the public model)."""

    def __init__(self, blocks: int, dropout: float = 0.5, **design):
        super().__init__()
        self.design, self.dropout = Design(blocks, **design), dropout
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is a rate in [0, 1), not {dropout}")
        first, last, shape = self.design.width, self.design.channels[-1], self.design
        stem = conv(1, first, shape.kernels[0], shape.dilations[0], shape.strides[0])
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(first), nn.ReLU())
        self.blocks = nn.Sequential(*[Block(self.design, i, dropout) for i in range(blocks)])
        self.exit = nn.Sequential(nn.BatchNorm2d(last), nn.ReLU())
        self.head = nn.Linear(last, BINS)
        self.to(memory_format=torch.channels_last)

    def feature_map(self, x: Tensor) -> Tensor:
        """(N, 1, 200) -> (N, C, 1, L): what the head averages over time."""
        if x.ndim != 3 or x.shape[1:] != (1, LENGTH):
            raise ValueError(f"expected windows of shape (N, 1, {LENGTH}), got {tuple(x.shape)}")
        return self.features(x)

    def features(self, x: Tensor) -> Tensor:
        """(N, G, 200), the windows of G networks whose channels lie side by side -> (N, G * C, 1, L)."""
        n, pieces = len(x), self.design.pieces
        x = x.unflatten(2, (pieces, -1)).movedim(2, 1).flatten(0, 1)[:, :, None]
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.exit(self.blocks(self.stem(x)))
        return x if pieces == 1 else x.unflatten(0, (n, pieces)).movedim(1, 3).flatten(3)

    def classify(self, feature_map: Tensor) -> Tensor:
        """(N, C, 1, L) -> logits (N, 180)."""
        return self.head(MeanOverTime.apply(feature_map))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.feature_map(x))


def macs(blocks: int) -> int:
    """Multiply-accumulates of the paper's network of that size for one window."""
    return Design(blocks).macs


def live_parameters(blocks: int) -> int:
    """Parameters that the paper's network of that size has, all of them used."""
    return sum(p.numel() for p in ResNet1D(blocks).parameters())


def paper_parameters(blocks: int) -> int:
    """Parameters as the paper's Table 1 counts them: the public WildPPG model carries two idle parts.

    They are an unused second Linear(channels, 200), and a batch norm in the first block."""
    width = Design(blocks).channels[-1]
    return live_parameters(blocks) + (width * 200 + 200) + 2 * WIDTH
