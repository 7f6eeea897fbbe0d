"""What training costs: the straightforward loop beside ours, in one run, and how a sweep grows.

The plain loop is what one would write first: 1-D convolutions, `nn.Dropout`, float32, one process with
all threads. Ours is `ppglib.training`'s step: one process a core with one thread each.
"""

import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from ppglib import fast, files
from ppglib.bench.growth import growth
from ppglib.fast import keep_memory
from ppglib.resnet1d import ResNet1D, channels, macs
from ppglib.windows import gather

SIZES = (1, 4, 8, 12)
BATCH, STEPS, WARM_UP, ROUNDS = 128, 8, 2, 5


class PlainBlock(nn.Module):
    """A block of `ppglib.resnet1d` in 1-D layers."""

    def __init__(self, index: int, dropout: float):
        super().__init__()
        inputs, outputs = channels(max(index - 1, 0)), channels(index)
        self.stride, self.widen = 2 if index % 2 == 1 else 1, outputs - inputs
        enter = [nn.BatchNorm1d(inputs), nn.ReLU(), nn.Dropout(dropout)] if index else []
        self.enter = nn.Sequential(*enter)
        self.conv1 = nn.Conv1d(inputs, outputs, 5, self.stride, 2)
        between = [nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(dropout)]
        self.conv2 = nn.Sequential(*between, nn.Conv1d(outputs, outputs, 5, padding=2))

    def forward(self, x):
        out = self.conv2(self.conv1(self.enter(x)))
        x = F.max_pool1d(x, 2, ceil_mode=True) if self.stride == 2 else x
        return out + F.pad(x, (0, 0, self.widen // 2, self.widen - self.widen // 2))


class PlainNetwork(nn.Module):
    """(N, 1, 200) -> (N, 180), the same network without any attention to speed."""

    def __init__(self, blocks: int, dropout: float = 0.5):
        super().__init__()
        width = channels(blocks - 1)
        self.stem = nn.Sequential(nn.Conv1d(1, 32, 5, padding=2), nn.BatchNorm1d(32), nn.ReLU())
        self.blocks = nn.Sequential(*[PlainBlock(i, dropout) for i in range(blocks)])
        self.exit = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU())
        self.head = nn.Linear(width, 180)

    def forward(self, x):
        return self.head(self.exit(self.blocks(self.stem(x))).mean(2))


def windows_per_second(kind: str, blocks: int, threads: int) -> tuple[float, float]:
    """Median over STEPS optimizer steps of one process after a warm-up, and its peak memory in MiB."""
    torch.set_num_threads(threads)
    if kind == "ours":
        keep_memory()
    torch.manual_seed(0)
    network = ResNet1D(blocks, 0.5) if kind == "ours" else PlainNetwork(blocks)
    optimizer = torch.optim.Adam(network.parameters(), 5e-4, fused=kind == "ours")
    signal = torch.randn(200 * 2000).numpy()
    order, seconds = np.random.default_rng(0), []
    for _ in range(WARM_UP + STEPS):
        begun = time.perf_counter()
        x = torch.from_numpy(gather(signal, order.integers(0, len(signal) - 200, BATCH)))[:, None]
        with fast.autocast("auto" if kind == "ours" else "float32", torch.device("cpu")):
            loss = F.cross_entropy(network(x).float(), torch.zeros(BATCH, dtype=torch.long))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - begun)
    return BATCH / float(np.median(seconds[WARM_UP:])), resource.getrusage(
        resource.RUSAGE_SELF
    ).ru_maxrss / 1024


def matrix_peak(kind: torch.dtype, n: int = 2048) -> float:
    """GFLOP/s of a matrix product with all threads: the machine's measured peak."""
    a, best = torch.randn(n, n).to(kind), 0.0
    for _ in range(8):
        begun = time.perf_counter()
        a @ a
        best = max(best, 2 * n**3 / (time.perf_counter() - begun) / 1e9)
    return best


def measure(blocks: int, cores: int) -> dict:
    """One row: both loops in turn, ROUNDS times, medians; ours in `cores` processes at once."""
    plain, ours, memory = [], [], 0.0
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context) as one, ProcessPoolExecutor(cores, context) as many:
        for _ in range(ROUNDS):
            plain.append(one.submit(windows_per_second, "plain", blocks, cores).result()[0])
            rates = list(many.map(windows_per_second, ["ours"] * cores, [blocks] * cores, [1] * cores))
            ours.append(sum(rate for rate, _ in rates))
            memory = sum(peak for _, peak in rates)
    return {
        "blocks": blocks,
        "plain": np.median(plain),
        "ours": np.median(ours),
        "ratio": np.median(np.array(ours) / plain),
        "ratio_low": (np.array(ours) / plain).min(),
        "ratio_high": (np.array(ours) / plain).max(),
        "gflops": np.median(ours) * 6 * macs(blocks) / 1e9,  # forward, and twice that backward
        "memory_mib": memory,
    }


def main(out: Path) -> None:
    """Measure, print, and write training.csv and sweep.csv into `out`."""
    cores = os.cpu_count() or 1
    peaks = {name: matrix_peak(getattr(torch, name)) for name in ("float32", "bfloat16")}
    print(*files.versions().values())
    print("matrix product: " + ", ".join(f"{name} {peak:.0f} GFLOP/s" for name, peak in peaks.items()))
    table = pd.DataFrame([measure(blocks, cores) for blocks in SIZES])
    table["peak_share"] = table.gflops / peaks[fast.precision_of("auto", torch.device("cpu"))]
    table = table.assign(processes=cores, rounds=ROUNDS, **files.versions())
    print(f"windows per second at batch {BATCH}, medians of {ROUNDS} rounds, {cores} processes of ours")
    print(table.iloc[:, :9].round(2).to_string(index=False))
    files.write_table(out / "training.csv", table)
    grown = growth().assign(**files.versions())
    print("seconds of a sweep")
    print(grown.iloc[:, :7].round(2).to_string(index=False))
    files.write_table(out / "sweep.csv", grown)
