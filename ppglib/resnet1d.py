"""ResNet1D: the pre-activation 1-D residual network of the paper's Table 1, 1 to 12 blocks."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ppglib.fast import Dropout
from ppglib.task import BINS, LENGTH

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12)
WIDTH, KERNEL = 32, 5


def channels(block: int) -> int:
    """Channels of block `block` (counted from 0): 32, doubled every 4 blocks."""
    return WIDTH * 2 ** (block // 4)


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 1-D convolution as a 2-D one of height 1: channels-last exists only there, and is fast on a CPU."""
    return nn.Conv2d(inputs, outputs, (1, KERNEL), (1, stride), (0, KERNEL // 2))


class Block(nn.Module):
    """(N, Cin, 1, L) -> (N, Cout, 1, L or ceil(L / 2)); every second block halves the time axis."""

    def __init__(self, index: int, dropout: float):
        super().__init__()
        inputs, outputs = channels(max(index - 1, 0)), channels(index)
        self.stride = 2 if index % 2 == 1 else 1
        self.widen = outputs - inputs
        # The first block takes the stem's output as it is: the stem ends in BN-ReLU already.
        self.enter = nn.Sequential(*([nn.BatchNorm2d(inputs), nn.ReLU(), Dropout(dropout)] if index else []))
        self.conv1 = conv(inputs, outputs, self.stride)
        self.between = nn.Sequential(nn.BatchNorm2d(outputs), nn.ReLU(), Dropout(dropout))
        self.conv2 = conv(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(self.between(self.conv1(self.enter(x))))
        if self.stride == 2:
            x = F.max_pool2d(x, (1, 2), ceil_mode=True)
        if not self.widen:
            return out + x
        before = self.widen // 2  # zero channels on both sides of the shortcut
        return out + F.pad(x, (0, 0, 0, 0, before, self.widen - before))


class ResNet1D(nn.Module):
    """Heart-rate classifier: windows (N, 1, 200) -> logits (N, 180).

    blocks: number of residual blocks, one of the paper's nine sizes or any other >= 1.
    dropout: rate before every convolution but the first two (0.5 in the public model)."""

    def __init__(self, blocks: int, dropout: float = 0.5):
        super().__init__()
        if blocks < 1:
            raise ValueError(f"a ResNet1D has at least 1 block, not {blocks}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is a rate in [0, 1), not {dropout}")
        width = channels(blocks - 1)
        self.stem = nn.Sequential(conv(1, WIDTH), nn.BatchNorm2d(WIDTH), nn.ReLU())
        self.blocks = nn.Sequential(*[Block(i, dropout) for i in range(blocks)])
        self.exit = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.head = nn.Linear(width, BINS)
        self.to(memory_format=torch.channels_last)

    def feature_map(self, x: Tensor) -> Tensor:
        """(N, 1, 200) -> (N, C, 1, L): what the head averages over time."""
        if x.ndim != 3 or x.shape[1:] != (1, LENGTH):
            raise ValueError(f"expected windows of shape (N, 1, {LENGTH}), got {tuple(x.shape)}")
        x = x[:, :, None].contiguous(memory_format=torch.channels_last)
        return self.exit(self.blocks(self.stem(x)))

    def classify(self, feature_map: Tensor) -> Tensor:
        """(N, C, 1, L) -> logits (N, 180)."""
        return self.head(feature_map.mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.feature_map(x))


def live_parameters(blocks: int) -> int:
    """Parameters that this network has, all of them used."""
    return sum(p.numel() for p in ResNet1D(blocks).parameters())


def paper_parameters(blocks: int) -> int:
    """Parameters as the paper's Table 1 counts them: the public WildPPG model carries two idle parts.

    They are an unused second Linear(channels, 200), and a batch norm in the first block."""
    width = channels(blocks - 1)
    return live_parameters(blocks) + (width * 200 + 200) + 2 * WIDTH


def macs(blocks: int) -> int:
    """Multiply-accumulates of convolutions and head for one window, from shapes alone."""
    length, total = LENGTH, LENGTH * KERNEL * WIDTH
    for i in range(blocks):
        length = -(-length // 2) if i % 2 == 1 else length
        outputs = channels(i)
        total += length * KERNEL * outputs * (channels(max(i - 1, 0)) + outputs)
    return total + channels(blocks - 1) * BINS
