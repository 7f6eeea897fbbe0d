"""A trained ResNet1D as a flat list of operations with fixed shapes: what every file for a device is written from.

Batch norms are folded into the convolution before them. Those that open a block come after a sum, so nothing can take
them in: they are a convolution of one tap in each channel, which can be quantized channel by channel. Dropout is gone,
padding is in numbers, and the mean over time is a plain mean."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ppglib.files import InputError
from ppglib.resnet1d import ResNet1D
from ppglib.task import LENGTH

INPUT, OUTPUT = "ppg", "logits"


@dataclass(frozen=True)
class Op:
    """One operation: output (L, C) from the tensors named in `inputs`, the shortcut last.

    kind: "conv" (weight (O, I, K), bias (O,)), "scale" (weight (C, 1, 1): a conv of one tap a channel), "add" (of the
    shortcut: its largest of each `stride` samples, its channels from number `before` on), "mean" over time, and
    "linear" (weight (O, I, 1)). relu: ends in one."""

    kind: str
    output: str
    inputs: tuple[str, ...]
    shape: tuple[int, int]
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    stride: int = 1
    dilation: int = 1
    relu: bool = False
    before: int = 0

    @property
    def padding(self) -> int:
        """Zeros on both sides of the input of a convolution."""
        return self.weight.shape[2] // 2 * self.dilation if self.kind == "conv" else 0


class Quantized(NamedTuple):
    """What the int8 numbers of a graph stand for: scale * (number - zero).

    maps: scale and zero of each tensor. weights: int8, by operation. steps: of these, float32, one or one a filter."""

    maps: dict[str, tuple[float, int]]
    weights: dict[str, np.ndarray]
    steps: dict[str, np.ndarray]


def graph(network: ResNet1D) -> list[Op]:
    """The operations of a network, in order, from the tensor INPUT (200, 1) to OUTPUT (1, 180)."""
    if network.design.pieces > 1:
        raise InputError("A network that sees a window in pieces is for experiments: export one without pieces.")
    design, (stem, norm, _) = network.design, network.stem
    length = -(-LENGTH // design.strides[0])
    ops = [_conv("stem", INPUT, length, stem, norm)]
    for i, block in enumerate(network.blocks):
        x = entered = ops[-1].output
        if i:
            entered = f"enter{i}"
            ops.append(_scale(entered, x, ops[-1].shape, block.enter[0]))
        length = -(-length // block.stride)
        ops.append(_conv(f"first{i}", entered, length, block.conv1, block.between[0]))
        ops.append(_conv(f"second{i}", f"first{i}", length, block.conv2))
        shape, before = ops[-1].shape, block.widen // 2
        ops.append(Op("add", f"block{i}", (f"second{i}", x), shape, stride=block.stride, before=before))
    ops.append(_scale("exit", ops[-1].output, ops[-1].shape, network.exit[0]))
    weight, bias = (p.detach().double().numpy() for p in (network.head.weight, network.head.bias))
    ops.append(Op("mean", "mean", ("exit",), (1, ops[-1].shape[1])))
    return [*ops, Op("linear", OUTPUT, ("mean",), (1, len(bias)), _single(weight[..., None]), _single(bias))]


def _conv(name: str, source: str, length: int, conv: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> Op:
    weight, bias = conv.weight.detach().double().numpy()[:, :, 0], conv.bias.detach().double().numpy()
    if norm is not None:
        gain, offset = _affine(norm)
        weight, bias = gain[:, None, None] * weight, gain * bias + offset
    how = {"stride": conv.stride[1], "dilation": conv.dilation[1], "relu": norm is not None}
    return Op("conv", name, (source,), (length, len(bias)), _single(weight), _single(bias), **how)


def _scale(name: str, source: str, shape: tuple[int, int], norm: nn.BatchNorm2d) -> Op:
    gain, offset = _affine(norm)
    return Op("scale", name, (source,), shape, _single(gain[:, None, None]), _single(offset), relu=True)


def _affine(norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    names = ("weight", "bias", "running_mean", "running_var")
    weight, bias, mean, variance = (getattr(norm, name).detach().double().numpy() for name in names)
    gain = weight / np.sqrt(variance + norm.eps)
    return gain, bias - gain * mean


def _single(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)


class Folded(nn.Module):
    """The same operations in PyTorch, (1, 1, 200) -> (1, 180): what other converters start from, and what is fine-tuned."""

    def __init__(self, ops: list[Op]):
        super().__init__()
        self.ops = ops
        self.weights = nn.ParameterDict({op.output: torch.tensor(op.weight) for op in ops if op.weight is not None})
        self.biases = nn.ParameterDict({op.output: torch.tensor(op.bias) for op in ops if op.bias is not None})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.maps(x)[OUTPUT]

    def maps(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the input and every operation give, by name."""
        found = {INPUT: x}
        for op in self.ops:
            found[op.output] = self.run(op, *(found[name] for name in op.inputs))
        return found

    def weight(self, op: Op) -> torch.Tensor:
        """The weight of an operation, as it computes with it."""
        return self.weights[op.output]

    def bias(self, op: Op) -> torch.Tensor:
        """Its bias, likewise."""
        return self.biases[op.output]

    def run(self, op: Op, x: torch.Tensor, shortcut: torch.Tensor | None = None) -> torch.Tensor:
        """One operation on (N, C, L)."""
        if op.kind == "mean":
            return x.mean(2)
        if op.kind == "linear":
            return nn.functional.linear(x, self.weight(op)[..., 0], self.bias(op))
        if op.kind == "add":
            return x + widened(op, shortcut, x.shape[1])
        groups = len(op.weight) if op.kind == "scale" else 1
        how = {"stride": op.stride, "padding": op.padding, "dilation": op.dilation, "groups": groups}
        x = nn.functional.conv1d(x, self.weight(op), self.bias(op), **how)
        return x.relu() if op.relu else x


def widened(op: Op, shortcut: torch.Tensor, channels: int) -> torch.Tensor:
    """The shortcut (N, C, L) of an "add": pooled, and with channels of zeros before and after its own."""
    if op.stride > 1:
        shortcut = nn.functional.max_pool1d(shortcut, op.stride, ceil_mode=True)
    after = channels - op.before - shortcut.shape[1]
    return nn.functional.pad(shortcut, (0, 0, op.before, after)) if op.before or after else shortcut
