"""What makes training on a CPU fast: cheap dropout, bfloat16 if the processor has it, memory that is kept."""

import ctypes
import inspect
import sys

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # numbers of glibc's malloc.h
KEPT = 2**30  # bytes: up to this size blocks come from the heap, which is not shrunk below it
BITS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}


class Dropout(nn.Module):
    """True dropout with cheap random numbers: as many bits an element as its type has, on a CPU.

    `F.dropout` draws 53 bits an element there, more than half of the training time of these networks.
    The rate is met within 2**-15 (bfloat16) or 2**-31."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate
        self.generator = None  # on a GPU, of a network's own where several are trained at once

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        if self.generator is not None:
            return torch._fused_dropout(x, 1 - self.rate, generator=self.generator)[0]  # one kernel, as F.dropout
        if x.device.type != "cpu" or x.dtype not in BITS:
            return F.dropout(x, self.rate)
        return x * keep_mask(x, self.rate)


def keep_mask(x: Tensor, rate: float) -> Tensor:
    """Mask like `x` in shape, layout and type: 0 with probability `rate`, else 1 / (1 - rate).

    All in integers, because comparing and casting to a float type costs three times as much."""
    integer = torch.iinfo(BITS[x.dtype])
    scale = torch.tensor(1 / (1 - rate), dtype=x.dtype).view(BITS[x.dtype])
    draws = torch.empty(-(-x.numel() * x.itemsize // 8), dtype=torch.int64).random_(-(2**63), None)
    draws = draws.view(BITS[x.dtype])[: x.numel()]
    dropped = draws.bitwise_and_(integer.max).sub_(round(rate * 2 ** (integer.bits - 1)))
    dropped = dropped.bitwise_right_shift_(integer.bits - 1)  # -1, all bits set, where dropped
    mask = dropped.bitwise_not_().bitwise_and_(scale).view(x.dtype)
    return mask.as_strided(x.shape, x.stride())


class Adam(torch.optim.Adam):
    """Adam without the wrappers that load the compiler of PyTorch, which takes seconds of every process that trains."""

    add_param_group, zero_grad = map(inspect.unwrap, (torch.optim.Adam.add_param_group, torch.optim.Adam.zero_grad))
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


class MeanOverTime(torch.autograd.Function):
    """(N, C, 1, L) -> (N, C). Its gradient is laid out in memory as the maps are, channels last.

    That of `mean` is one number repeated without memory of its own, and every layer below is slower with it."""

    @staticmethod
    def forward(ctx, maps: Tensor) -> Tensor:
        ctx.shape = maps.shape
        return maps.mean((2, 3))

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        """(N, C) -> (N, C, 1, L): every moment's equal share."""
        each = (gradient / ctx.shape[3])[:, :, None, None].expand(ctx.shape)
        return each.contiguous(memory_format=torch.channels_last)


def device() -> torch.device:
    """Where to train: the GPU if there is one, where float32 is then float32 as on a CPU, and not TF32."""
    if cuda := torch.cuda.is_available():  # PyTorch 2.9 warns of it, on a processor for nothing
        torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda" if cuda else "cpu")


def precision_of(precision: str, where: torch.device) -> str:
    """As asked for, float32 or bfloat16; "auto" is bfloat16 where the processor computes in it itself."""
    if precision != "auto":
        return precision
    if where.type == "cuda":
        own = torch.cuda.is_bf16_supported()
    else:
        able = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
        own = able.get("avx512_bf16") or able.get("amx_bf16")
    return "bfloat16" if own else "float32"


def autocast(precision: str, where: torch.device) -> torch.autocast:
    """Context in which the network computes in `precision`; losses are in float32 all the same (`exact`)."""
    low = precision_of(precision, where) == "bfloat16"
    # A graph that is recorded once must hold its own conversion of the weights.
    return torch.autocast(where.type, torch.bfloat16, enabled=low, cache_enabled=where.type == "cpu")


def exact(x: Tensor) -> Tensor:
    """`x` in float32 at least, also under autocast: what losses compute in."""
    return x if x.dtype == torch.float64 else x.float()


def keep_memory() -> None:
    """Let this process reuse the pages of freed tensors instead of returning them to the system.

    By default glibc maps every tensor beyond a moving threshold anew, and the system clears it page by page
    at first touch: at a batch of 4,096 as much work as the network itself. Other allocators: no change."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        mallopt(MMAP_THRESHOLD, KEPT)
        mallopt(TRIM_THRESHOLD, KEPT)
