"""What a network costs (paper, Table 3): the time of a call, and the files of one device."""

import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ppglib import files
from ppglib.bench.memory import measure_memory
from ppglib.fast import keep_memory
from ppglib.files import InputError
from ppglib.resnet1d import SIZES, ResNet1D
from ppglib.study.records import device_name, processor_name
from ppglib.task import LENGTH

# Timed calls of each network, by batch; n is in every row.
FULL = {"cpu": {1: 1000, 128: 200, 4096: 100}, "cuda": {1: 100, 128: 100}}
QUICK = {1: 20, 128: 5}  # a look at this machine in under a minute
STRETCHES = 10  # of a run
WARM_UP = 2  # untimed calls of each network before the timed ones of a stretch
# Windows that inputs come from, more than the last cache holds: 265 MB, and on a GPU 66 MB (an H200 has 50).
POOL = {"cpu": 81 * 4096, "cuda": 81 * 1024}


def main(out: Path, device: str = "cpu", quick: bool = False) -> list[Path]:
    """Measure time and memory on this machine; write `<device>.csv` and `<device>.memory.csv` to `out`. All
    of it is measured twice, so that the table itself shows how well two runs agree; `quick` is one run with
    few calls. Raises InputError without such a device or where `out` cannot be written."""
    if device not in FULL:
        raise InputError(f"Unknown device {device!r}: choose cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("PyTorch finds no CUDA device here: use --device cpu.")
    torch.backends.cudnn.allow_tf32 = False  # float32 throughout, as on the paper's GPU
    files.write(out / ".probe", b"")  # better now than after minutes
    (out / ".probe").unlink()
    calls, runs, batches = (QUICK, 1, [1]) if quick else (FULL[device], 2, [1, 128])
    about, paths = describe(device), []
    slug = re.sub(r"[^a-z0-9]+", "-", about["device"].lower()).strip("-")
    for suffix, measure, sizes in ((".csv", measure_time, calls), (".memory.csv", measure_memory, batches)):
        table = measure(device, sizes, runs)
        paths.append(out / (slug + suffix))
        files.write_table(paths[-1], table.assign(**about)[[*about, *table.columns]])
        print(f"wrote {paths[-1]}")
    return paths


def measure_time(device: str, calls: dict[int, int], runs: int) -> pd.DataFrame:
    """One row per run, variant, threads, batch and size: n, then mean, sd, median, spread (s a call). sd is
    over single calls; spread is the range of the medians of STRETCHES over the whole run: it holds the slow
    drift that calls next to each other share, and two runs should agree within it."""
    pool = torch.randn(POOL[device], 1, LENGTH, generator=torch.Generator().manual_seed(0)).to(device)
    keep_memory()  # or two runs differ by what the system does with freed memory
    networks = {blocks: ResNet1D(blocks).eval().to(device) for blocks in SIZES}
    every, seconds = torch.get_num_threads(), defaultdict(list)
    settings = [("eager", n) for n in sorted({1, every})] if device == "cpu" else [("eager", 1), ("graph", 1)]
    try:
        for run, stretch in product(range(runs), range(STRETCHES)):
            print(f"time: run {run + 1} of {runs}, stretch {stretch + 1} of {STRETCHES}", flush=True)
            for (variant, threads), (batch, n) in product(settings, calls.items()):
                torch.set_num_threads(threads)
                for blocks, s in call_times(networks, pool, batch, -(-n // STRETCHES), variant).items():
                    seconds[run, variant, threads, batch, blocks].append(s)
    finally:
        torch.set_num_threads(every)
    names = ["run", "variant", "threads", "batch", "blocks"]
    return pd.DataFrame([dict(zip(names, key)) | summary(parts) for key, parts in seconds.items()])


@torch.inference_mode()
def call_times(networks: dict, pool: Tensor, batch: int, n: int, variant: str) -> dict[int, np.ndarray]:
    """Seconds of n calls of each network: {blocks: (n,)}, launches and all. The networks take turns, so that
    no drift of the machine falls on one of them; each call gets new windows."""
    ready = {b: graphed(f, pool[:batch]) if variant == "graph" else f for b, f in networks.items()}
    seconds, turn = {b: [] for b in ready}, 0
    for _ in range(WARM_UP + n):
        for blocks, call in ready.items():
            start = turn * batch % (len(pool) - batch + 1)
            x, turn, begun = pool[start : start + batch], turn + 1, time.perf_counter()
            call(x)
            if x.is_cuda:
                torch.cuda.synchronize()
            seconds[blocks].append(time.perf_counter() - begun)
    return {b: np.array(s[WARM_UP:]) for b, s in seconds.items()}


def graphed(network: torch.nn.Module, x: Tensor) -> Callable[[Tensor], Tensor]:
    """The network as one CUDA graph for inputs of this shape: one launch a call, the copy of x included."""
    static, graph, side = x.clone(), torch.cuda.CUDAGraph(), torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # libraries set themselves up here, which a capture must not contain
        network(static)
    torch.cuda.current_stream().wait_stream(side)
    with torch.cuda.graph(graph):
        logits = network(static)

    def call(x: Tensor) -> Tensor:
        static.copy_(x)
        graph.replay()
        return logits

    return call


def summary(stretches: list[np.ndarray]) -> dict:
    """n, mean, sd, median and spread (see `measure_time`) of the calls of one run."""
    s, spread = np.concatenate(stretches), np.ptp([np.median(part) for part in stretches])
    return {"n": len(s), "mean": s.mean(), "sd": s.std(ddof=1), "median": np.median(s), "spread": spread}


def describe(device: str) -> dict[str, str]:
    """device (a product name), driver, torch: what every row of every table carries."""
    if device == "cuda":
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
        name, driver = device_name(), f"{driver}, CUDA {torch.version.cuda}"
    else:
        name = f"{processor_name()} CPU, {os.cpu_count()} cores"
        driver = f"oneDNN, {torch.backends.cpu.get_cpu_capability()}"
    return {"device": name, "driver": driver, "torch": torch.__version__}
