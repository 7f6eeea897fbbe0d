"""What training costs: the loop that one would write first beside ours.

The plain loop has 1-D layers, float32 and one process with all threads; ours has a process and thread a core.
"""

import os
import tempfile
import time
import timeit
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from ppglib import fast, files
from ppglib.bench.memory import resident_peak
from ppglib.metrics import evaluate
from ppglib.resnet1d import KERNEL, Block, Design, ResNet1D, macs
from ppglib.splits import split
from ppglib.study import studies
from ppglib.study.groups import train_runs
from ppglib.study.grid import Run, make_run
from ppglib.study.prepare import study_windows
from ppglib.study.records import versions
from ppglib.study.studies import Study
from ppglib.task import LENGTH, to_bin
from ppglib.training import train
from ppglib.windows import Windows, gather

SIZES, LOOPS = (1, 4, 8, 12), ("plain", "ours")
BATCH, STEPS, TIMED, ROUNDS = 128, 4, 3, 5  # windows a step, steps an epoch, epochs and rounds that are timed
SEEDS, EPOCHS = 3, 3  # of the comparison of errors


def main(out: Path, data: Path | None = None) -> None:
    """Measure, print, and write training.csv into `out`; with recordings also equality.csv.
    Raises InputError for recordings that are missing or damaged, before anything is measured."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # both loops on the processor
    cores, study, made = os.cpu_count() or 1, studies.read("open"), versions()
    title = f"windows per second at batch {BATCH}, {cores} processes of ours"
    tables = {"training": (title, speed, cores)}
    if data:
        with tempfile.TemporaryDirectory() as folder:  # recordings are not to lie beside results
            windows = study_windows(study, data, Path(folder))
        tables["equality"] = "MAE (BPM) of both loops", equality, study, windows, cores
    print(*made.values())
    for name, (title, measure, *what) in tables.items():
        table = measure(*what)
        print(f"{title}\n{table.round(2).to_string(index=False)}")
        files.write_table(out / f"{name}.csv", table.assign(**made))


class PlainBlock(nn.Module):
    """A block of `ppglib.resnet1d` in 1-D layers."""

    def __init__(self, block: Block):
        super().__init__()
        self.stride, self.pad = block.stride, (0, 0, block.widen // 2, block.widen - block.widen // 2)
        self.residual = nn.Sequential(*map(plain_layer, block.children()))

    def forward(self, x):
        shortcut = F.max_pool1d(x, 2, ceil_mode=True) if self.stride == 2 else x
        return self.residual(x) + F.pad(shortcut, self.pad)


def plain_layer(layer: nn.Module) -> nn.Module:
    """The same layer as one would write it first, with weights of its own."""
    made = {
        Block: PlainBlock,
        nn.Sequential: lambda s: nn.Sequential(*map(plain_layer, s)),
        nn.Conv2d: lambda c: nn.Conv1d(c.in_channels, c.out_channels, KERNEL, c.stride[1], KERNEL // 2),
        nn.BatchNorm2d: lambda norm: nn.BatchNorm1d(norm.num_features),
        fast.Dropout: lambda dropout: nn.Dropout(dropout.rate),
    }
    return made.get(type(layer), lambda same: same)(layer)


class PlainNetwork(ResNet1D):
    """(N, 1, 200) -> (N, 180): the same network without any attention to speed."""

    def __init__(self, blocks: int, dropout: float = 0.5):
        super().__init__(blocks, dropout)
        self.stem, self.blocks, self.exit = map(plain_layer, (self.stem, self.blocks, self.exit))

    def feature_map(self, x):
        return self.exit(self.blocks(self.stem(x)))[:, :, None]

    def classify(self, feature_map):
        return self.head(feature_map.mean((2, 3)))


def train_plain(network, windows: Windows, rows, *, rate, batch, epochs, progress=lambda loss: None) -> None:
    """What one would write first; as `ppglib.train` from scratch."""
    start, hr = (windows.table[name].to_numpy()[rows] for name in ("start", "hr"))
    x, target = torch.from_numpy(gather(windows.signal, start))[:, None], torch.from_numpy(to_bin(hr))
    optimizer = torch.optim.Adam(network.parameters(), rate)
    network.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(x))[: len(x) // batch * batch].split(batch):
            optimizer.zero_grad()
            loss = F.cross_entropy(network(x[chosen]), target[chosen])
            loss.backward()
            optimizer.step()
        progress(loss.item())


def speed(cores: int) -> pd.DataFrame:
    """One row a size: both loops in turn, how many times as fast ours is, and its share of the machine's peak."""
    peaks = {name: matrix_peak("cpu", getattr(torch, name), 2048) / 1e9 for name in ("float32", "bfloat16")}
    print("matrix product: " + ", ".join(f"{name} {peak:.0f} GFLOP/s" for name, peak in peaks.items()))
    rows, context = [], get_context("spawn")
    for blocks in SIZES:
        with ProcessPoolExecutor(1, context) as one, ProcessPoolExecutor(cores, context) as many:
            for _ in range(ROUNDS):
                plain, _ = one.submit(windows_per_second, "plain", blocks, cores).result()
                found = [many.submit(windows_per_second, "ours", blocks, 1) for _ in range(cores)]
                ours, memory = np.sum([process.result() for process in found], axis=0)
                rows.append((blocks, plain, ours, ours / plain, memory))
    rounds = pd.DataFrame(rows, columns=["blocks", "plain", "ours", "ratio", "memory"]).groupby("blocks")
    table = rounds[["plain", "ours", "ratio"]].median()
    table = table.assign(ratio_low=rounds.ratio.min(), ratio_high=rounds.ratio.max())
    gflops = table.ours * 6 * table.index.map(macs) / 1e9  # a step backward is twice one forward
    share = gflops / peaks[fast.precision_of("auto", torch.device("cpu"))]
    table = table.assign(gflops=gflops, memory_mib=rounds.memory.max(), peak_share=share)
    return table.assign(processes=cores, rounds=ROUNDS).reset_index()


def matrix_peak(device: str, kind: torch.dtype, n: int) -> float:
    """FLOP/s of a product of matrices (n, n), on a processor with all threads: the arithmetic ceiling, as measured."""
    a = torch.randn(n, n, device=device).to(kind)
    return 2 * n**3 / fastest(lambda: a @ a)


def fastest(call) -> float:
    """Seconds of the fastest of eight calls, each to the end of its work, also on a GPU."""

    def timed():
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return min(timeit.repeat(timed, number=1, repeat=8))


def windows_per_second(kind: str, blocks: int, threads: int) -> tuple[float, float]:
    """Median over the epochs of one process but the first, and its peak memory in MiB."""
    torch.set_num_threads(threads)
    rows, ticks = np.arange(STEPS * BATCH), []
    what = {"rate": 5e-4, "batch": BATCH, "epochs": 1 + TIMED}
    what["progress"] = lambda _: ticks.append(time.perf_counter())
    if kind == "ours":
        fast.keep_memory()
    network, loop = (ResNet1D, train) if kind == "ours" else (PlainNetwork, train_plain)
    loop(network(blocks), noise_windows(len(rows)), rows, **what)
    return len(rows) / float(np.median(np.diff(ticks))), resident_peak() / 2**20


def noise_windows(n: int) -> Windows:
    """`n` windows of noise with random heart rates, of ten people."""
    rng, person = np.random.default_rng(0), (np.arange(n) * 10 // n).astype(str)
    table = pd.DataFrame({"start": np.arange(n) * 50, "hr": rng.uniform(60, 180, n), "person": person})
    table = table.assign(dataset="noise", recording=person, activity="", second=0.0, simulated=True)
    signal = rng.standard_normal(50 * n + LENGTH, np.float32)
    return Windows(signal, table, pd.DataFrame(), pd.DataFrame())


def equality(study: Study, windows: Windows, jobs: int) -> pd.DataFrame:
    """MAE (BPM, fold 0) of both loops: one row a size with mean and standard deviation over SEEDS. equal: the
    means differ by less than the larger of the two standard deviations."""
    study = replace(study, epochs=EPOCHS)
    cases = list(product(SIZES[::-1], range(SEEDS), LOOPS))
    runs = [make_run(study, "person", "scratch", Design(size), None, 0, seed) for size, seed, _ in cases]
    tasks = [joblib.delayed(mae)(kind, run, windows) for run, (*_, kind) in zip(runs, cases)]
    found = joblib.Parallel(n_jobs=jobs, inner_max_num_threads=1, backend="loky")(tasks)
    table = pd.DataFrame(cases, columns=["blocks", "seed", "loop"]).assign(mae=found)
    table = table.groupby(["blocks", "loop"]).mae.agg(["mean", "std"]).unstack()
    table.columns = [f"{loop}_{name}" for name, loop in table.columns]
    gap = (table.ours_mean - table.plain_mean).abs()
    equal = gap < table[["ours_std", "plain_std"]].max(axis=1)
    return table.assign(gap=gap, equal=equal, seeds=SEEDS, epochs=EPOCHS).reset_index()


def mae(kind: str, run: Run, windows: Windows) -> float:
    """MAE (BPM) of one network on the people of the other fold, trained by one of LOOPS."""
    torch.set_num_threads(1)
    fast.keep_memory()
    if kind == "ours":
        return next(train_runs([run], windows, [None]))[1]["mae"]
    torch.manual_seed(run.seed)
    rows, test = split(windows, run.fold)
    network = PlainNetwork(run.student, run.get("dropout"))
    train_plain(network, windows, rows, **{name: run.get(name) for name in ("rate", "batch", "epochs")})
    return evaluate(network, windows, test)["mae"]
