"""What training costs on a GPU: one step after the other, as one CUDA graph, and several networks as one."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ppglib import files, gpu, training
from ppglib.bench.training import BATCH, fastest, matrix_peak, noise_windows
from ppglib.files import InputError
from ppglib.resnet1d import Design, ResNet1D
from ppglib.strategies import Constants
from ppglib.study.grid import runs
from ppglib.study.records import versions
from ppglib.study.studies import Study
from ppglib.task import STEP_SECONDS
from ppglib.training import Member

SIZES, ROUNDS = (1, 4, 10), 3
LOOPS = {"plain": (training.plain, 1), "graph": (gpu.recorded, 1), "together": (gpu.recorded, gpu.TOGETHER)}
STEPS, TIMED = {"plain": 40, "graph": 200, "together": 40}, 3  # steps an epoch; epochs that are timed


def main(out: Path) -> None:
    """Measure, print, and write cuda.csv into `out`. InputError without a GPU."""
    if not torch.cuda.is_available():
        raise InputError("PyTorch finds no CUDA device here: use --device cpu.")
    table = speed().assign(**versions())
    print(table.iloc[0][list(versions())].to_string())
    print(f"windows per second at batch {BATCH}\n{table.drop(columns=versions()).round(4).T.to_string(header=False)}")
    files.write_table(out / "cuda.csv", table)


def speed() -> pd.DataFrame:
    """One row a size: windows per second of each of LOOPS in turn, ratios to the plain one, share of each floor."""
    peak, copied = matrix_peak("cuda", torch.bfloat16, 8192), copy_peak()
    rows = []
    for blocks in SIZES:
        rounds = pd.DataFrame([{name: windows_per_second(name, blocks) for name in LOOPS} for _ in range(ROUNDS)])
        row = {"blocks": blocks} | rounds.median().to_dict()
        print(f"{blocks} blocks: " + ", ".join(f"{name} {row[name]:.0f}" for name in LOOPS), flush=True)
        for name in ("graph", "together"):
            ratio = rounds[name] / rounds.plain
            found = ratio.median(), ratio.min(), ratio.max()
            row |= dict(zip([f"{name}_ratio{end}" for end in ("", "_low", "_high")], found))
        design = Design(blocks)
        row["arithmetic_share"] = row["together"] * 6 * design.macs / peak  # a step backward is twice one forward
        row["bandwidth_share"] = row["together"] * traffic(design) / copied
        rows.append(row | {"tflops_peak": peak / 1e12, "gb_per_s_peak": copied / 1e9})
    return pd.DataFrame(rows).assign(networks=gpu.TOGETHER, batch=BATCH, rounds=ROUNDS, cores=os.cpu_count())


def windows_per_second(name: str, blocks: int) -> float:
    """Of all networks of a loop together, after their first epoch."""
    rows, (loop, networks), ticks = np.arange(STEPS[name] * BATCH), LOOPS[name], []
    constants = Constants(epochs=1 + TIMED, batch=BATCH)
    members = [Member(ResNet1D(blocks), rows, "scratch", constants, seed=seed) for seed in range(networks)]
    members[0].progress = lambda mean: ticks.append(time.perf_counter())
    before = training.LOOPS["cuda"]
    training.LOOPS["cuda"] = loop
    try:
        training.train_together(members, noise_windows(len(rows)))
    finally:
        training.LOOPS["cuda"] = before
    return networks * TIMED * len(rows) / (ticks[-1] - ticks[0])


def traffic(design: Design) -> float:
    """Bytes of one window's training step if every convolution's input and output is moved once each time.

    In bfloat16; three times: forward, gradients of the inputs, gradients of the weights. Nothing else moves."""
    length, inputs, moved = 200 // design.strides[0], 1, 0
    for i, outputs in enumerate(design.channels):
        moved += length * (inputs + outputs)
        if i:
            length = -(-length // design.strides[i])
            moved += 2 * length * outputs
        inputs = outputs
    return 3 * 2.0 * moved


def copy_peak() -> float:
    """Bytes/s read and written by a copy within the device's memory: the bandwidth ceiling, as measured."""
    a, b = torch.ones(2, 2**30, device="cuda", dtype=torch.uint8)
    return 2 * len(a) / fastest(lambda: b.copy_(a))


def plan(study: Study, hours: float, measured: pd.DataFrame) -> pd.DataFrame:
    """What a study would take, by what was measured: a row with networks, windows to train on, and hours.

    hours: of recordings, a window every 2 s, four fifths of them in training. measured: as `speed` gives it, networks
    as one; seconds a window are interpolated in blocks, beyond the largest size the line goes on. Training alone."""
    every, windows = runs(study), 0.8 * hours * 3600 / STEP_SECONDS
    line = np.polyfit(measured.blocks, 1 / measured.together, 1)
    seconds = sum(run.get("epochs") * windows * np.polyval(line, run.student) for run in every)
    return pd.DataFrame([{"networks": len(every), "windows": round(windows), "hours": seconds / 3600}])
