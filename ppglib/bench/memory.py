"""Peak memory of a network, split into its parts (paper, Table 3), for inference and for training.

Two independent readings: the parts come from the profiler's record of every allocation and release, the
peak from the operating system (a CPU: resident memory of a fresh process) or the allocator's counter (a GPU).
"""

import gc
import json
import os
import resource
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from ppglib.resnet1d import SIZES, ResNet1D
from ppglib.task import BINS, LENGTH

MODES = ("inference", "training")
PARTS = ("parameters", "gradients", "optimizer", "activations")


def measure_memory(device: str, batches: list[int], repeats: int) -> pd.DataFrame:
    """One row per mode, batch and size: bytes of each part at the peak, the constant, the measured peak.
    constant and measured are medians over `repeats` fresh processes (n), spread is the range of measured. The
    constant is what the process (CPU) or the allocator (GPU) holds before this network exists."""
    rows = []
    with fresh_processes() as pool:
        for mode, batch, blocks in product(MODES, batches, SIZES):
            print(f"memory: {mode}, batch {batch}, {blocks} blocks", flush=True)
            case = (blocks, batch, mode, device)
            constant, peak = np.array([pool.submit(peaks, *case).result() for _ in range(repeats)]).T
            row = {"mode": mode, "threads": 1, "batch": batch, "blocks": blocks, "n": repeats} | parts(*case)
            row |= {"constant": np.median(constant), "measured": np.median(peak), "spread": np.ptp(peak)}
            rows.append(row)
    return pd.DataFrame(rows)


def use(blocks: int, batch: int, mode: str, device: str):
    """Two calls, or two training steps: after the first, the optimizer has a state. Returns what lives on."""
    torch.backends.cudnn.allow_tf32 = False  # here: a new process does not know what was set elsewhere
    network = ResNet1D(blocks, dropout=0.0).train(mode == "training").to(device)
    x = torch.randn(batch, 1, LENGTH, device=device)
    if mode == "inference":
        with torch.inference_mode():
            network(x)
            network(x)
        return network, None
    target = torch.randint(BINS, (batch,), device=device)
    optimizer = torch.optim.Adam(network.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(network(x), target).backward()
        optimizer.step()
    return network, optimizer


def peaks(blocks: int, batch: int, mode: str, device: str) -> tuple[int, int]:
    """(constant, peak) in bytes; on a CPU only right in a fresh process, whose peak never falls."""
    torch.set_num_threads(1)
    use(1, 2, mode, device)  # loads the libraries' code; batch 1 takes another path through them
    gc.collect()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.max_memory_allocated if device == "cuda" else resident_peak
    constant = held()
    use(blocks, batch, mode, device)
    return constant, held()


def resident_peak() -> int:
    """Largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def fresh_processes() -> ProcessPoolExecutor:
    """A new process for each task, forked from one that has imported PyTorch and done nothing else."""
    # Without this, glibc keeps released maps in its heap and the resident peak counts them twice.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
    context = get_context("forkserver")  # the optimizers import the compiler: here, and not in every process
    context.set_forkserver_preload(["torch._dynamo", "ppglib.bench.memory"])
    return ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1)


def parts(blocks: int, batch: int, mode: str, device: str) -> dict[str, int]:
    """Bytes of each of PARTS at the moment of the peak, from the profiler's allocation record."""
    use(1, 2, mode, device)  # what the libraries allocate once is not this network's
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    with profile(activities=activities, profile_memory=True) as record:
        network, optimizer = use(blocks, batch, mode, device)
    with tempfile.TemporaryDirectory() as folder:
        record.export_chrome_trace(f"{folder}/trace.json")
        events = json.loads(Path(folder, "trace.json").read_text())["traceEvents"]
    found = sorted((e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"])
    found = [e["args"] for e in found if e["args"]["Device Type"] == int(device == "cuda")]
    owned = {"parameters": [*network.parameters(), *network.buffers()]}
    owned["gradients"] = [p.grad for p in network.parameters() if p.grad is not None]
    states = optimizer.state.values() if optimizer else []
    owned["optimizer"] = [value for state in states for value in state.values()]
    owner = {tensor.untyped_storage().data_ptr(): part for part, ts in owned.items() for tensor in ts}
    return at_peak([(e["Addr"], e["Bytes"]) for e in found], owner)


def at_peak(events: list[tuple[int, int]], owner: dict[int, str]) -> dict[str, int]:
    """Bytes of each part when their sum is largest (the last such moment). events: (address, bytes) in time
    order, negative bytes for a release. owner: address -> part, of what is alive at the end, so of an
    address's last allocation. All else is an activation (maps, workspaces, input)."""
    last = {address: i for i, (address, size) in enumerate(events) if size > 0}
    now, best, part = dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0), {}
    for i, (address, size) in enumerate(events):
        if size > 0:
            part[address] = owner.get(address, "activations") if last[address] == i else "activations"
        if address in part:  # else it was allocated before the record
            now[part[address]] += size
            best = dict(now) if sum(now.values()) >= sum(best.values()) else best
    return best
