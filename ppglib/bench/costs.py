"""What Table 3's numbers mean: time against blocks and MACs, memory against parameter bytes, calls.

The paper's table and ours in one shape: device, blocks, seconds (a call), seconds_sd, memory_mb (10^6 bytes).
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are first used
import torch

from ppglib.bench.memory import PARTS
from ppglib.files import InputError
from ppglib.resnet1d import ResNet1D, live_parameters, macs, paper_parameters

ALLOCATOR_BLOCK = 512  # bytes: PyTorch's CUDA allocator hands out multiples of it
DECISIVE = 4  # difference of AICc below which two lines are not distinguishable
COPIES = {1: "inference", 2: "with gradients", 3: "gradients and one moment", 4: "a training state with Adam"}


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(time, memory) of every device with tables in `folder`; columns as in data/README.md."""
    memory = sorted(folder.glob("*.memory.csv"))
    times = sorted(set(folder.glob("*.csv")) - set(memory))
    if not times or not memory:
        raise InputError(f"No compute tables in {folder}: make them with python -m ppglib bench --inference.")
    frames = [pd.concat(map(pd.read_csv, paths), ignore_index=True) for paths in (times, memory)]
    return frames[0], frames[1]


def one_window(folder: Path) -> pd.DataFrame:
    """device, gpu, blocks, seconds, memory_mb (10^6 bytes) of every device with tables in `folder`, if any.
    One window a call, one thread, no graph: what a wearable does. Seconds are the median over runs of the medians over
    calls, which a few late calls do not move. Memory is the measured peak on a GPU, as in
    the paper; on a CPU, where the peak is mostly Python's, the sum of the network's parts."""
    columns = ["device", "gpu", "blocks", "seconds", "memory_mb"]
    if not any(folder.glob("*.csv")):
        return pd.DataFrame(columns=columns)
    table = settings(*read(folder)).query("batch == 1 and threads == 1 and variant == 'eager'")
    gpu, device = table.driver.str.contains("CUDA"), table.device + ", one window a call"
    memory = table.memory_mb.mask(gpu, table.process_mb)
    table = table.assign(device=device, gpu=gpu, seconds=table["median"], memory_mb=memory)
    return table[columns].reset_index(drop=True)


def table3(time: pd.DataFrame, memory: pd.DataFrame) -> pd.DataFrame:
    """Our Table 3: `settings` with one `device` for each setting measured."""
    table = settings(time, memory)
    threads = table.threads.astype(str) + np.where(table.threads == 1, " thread", " threads")
    how = np.where(table.device.str.contains("CPU"), threads, table.variant)
    table.device += ", batch " + table.batch.astype(str) + ", " + how
    return table[["device", "batch", "blocks", "seconds", "seconds_sd", "memory_mb", "process_mb"]]


def settings(time: pd.DataFrame, memory: pd.DataFrame) -> pd.DataFrame:
    """One row per device, variant, threads, batch and size: seconds and their sd (means over the runs), median, MB.
    memory_mb is the network's parts at the peak of inference, process_mb the measured peak, with the
    framework's constant; NaN at batches where memory was not measured."""
    keys = ["device", "driver", "variant", "threads", "batch", "blocks"]
    seconds = time.groupby(keys, as_index=False).agg(
        seconds=("mean", "mean"), seconds_sd=("sd", "mean"), median=("median", "median")
    )
    held = memory[memory["mode"] == "inference"].set_index(["device", "batch", "blocks"])
    megabytes = {"memory_mb": held[list(PARTS)].sum(axis=1) / 1e6, "process_mb": held.measured / 1e6}
    return seconds.join(pd.DataFrame(megabytes), on=held.index.names)


def time_laws(table: pd.DataFrame) -> pd.DataFrame:
    """Per device, two straight lines for the seconds of a call, in blocks and in MACs: which fits better.
    Both have three parameters (slope, intercept, variance), so their AICc differ by what is left over
    alone."""
    rows = []
    for device, group in table.groupby("device", sort=False):
        blocks, mmacs = (scipy.stats.linregress(x, group.seconds) for x in (group.blocks, group.blocks.map(macs) / 1e6))
        lead = len(group) * np.log((1 - blocks.rvalue**2) / (1 - mmacs.rvalue**2))
        found = [1e3 * blocks.slope, blocks.rvalue**2, 1e3 * mmacs.slope, mmacs.rvalue**2, lead]
        rows.append([device, *found, "blocks" if lead < 0 else "MACs"])
    columns = "device,ms per block,R2 blocks,ms per MMAC,R2 MACs,AICc blocks - MACs,better"
    return pd.DataFrame(rows, columns=columns.split(","))


def calls(paper: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Per device of ours: how many calls take the paper's seconds, and how even that is over the sizes.
    `unevenness` is the coefficient of variation of the ratios: 0 if the device has the shape of the paper's
    row."""
    theirs = paper.set_index("blocks").seconds
    ratio = table.assign(ratio=table.blocks.map(theirs) / table.seconds).groupby("device", sort=False).ratio
    counts = pd.DataFrame({"calls": ratio.median(), "fewest": ratio.min(), "most": ratio.max()})
    return counts.assign(unevenness=ratio.std() / ratio.mean()).reset_index()


def saved(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Per cent that 1 block saves on 12, by device."""
    small, large = (table[table.blocks == n].set_index("device")[columns] for n in (1, 12))
    return 100 * (1 - small / large).reindex(table.device.unique())


def bytes_law(blocks: pd.Series, memory_mb: pd.Series) -> dict[str, float]:
    """Line of memory against parameter bytes: bytes per byte (with standard error), constant in MB, R2."""
    line = scipy.stats.linregress(4 * blocks.map(live_parameters) / 1e6, memory_mb)
    names = ("bytes per byte", "se", "constant MB", "R2")
    return dict(zip(names, (line.slope, line.stderr, line.intercept, line.rvalue**2)))


def allocated_state(blocks: int, copies: int) -> int:
    """Bytes on a GPU of a network as the paper counts it, with `copies` (see COPIES) of each live parameter.
    There is one copy of idle parameters, which have no gradient, and of batch-norm statistics. Every tensor
    takes whole allocator blocks."""
    with torch.device("meta"):  # shapes only
        network = ResNet1D(blocks)
        idle = 4 * (paper_parameters(blocks) - live_parameters(blocks))
    kept = [(1, b) for b in network.buffers() if b.is_floating_point()]
    kept += [(copies, parameter) for parameter in network.parameters()]
    return idle + sum(n * math.ceil(4 * t.numel() / ALLOCATOR_BLOCK) * ALLOCATOR_BLOCK for n, t in kept)


def verdicts(paper: pd.DataFrame) -> pd.DataFrame:
    """The paper's row as evidence on what was measured: reading, numbers, verdict. Over the nine sizes blocks
    and MACs go up together; up to six blocks, at 0.5 to 1.5 MMAC each, they do not."""
    rows = []
    for name, part in {"all nine sizes": paper, "1 to 6 blocks": paper[paper.blocks <= 6]}.items():
        _, ms, r2_blocks, _, r2_macs, lead, better = time_laws(part).iloc[0]
        numbers = f"R2 {r2_blocks:.4f} in blocks, {r2_macs:.4f} in MACs, AICc {lead:+.1f}"
        verdict = "undecided" if abs(lead) < DECISIVE else f"follows {better}"
        rows.append([f"{ms / 1e3:.2f} s a block, whatever it costs ({name})", numbers, verdict])
    held = {n: [allocated_state(b, n) / 1e6 for b in paper.blocks] for n in COPIES}
    spread = {n: np.ptp(paper.memory_mb - mb) for n, mb in held.items()}
    numbers = "left-over varies by " + ", ".join(f"{mb:.1f} MB ({n})" for n, mb in spread.items())
    best = min(spread, key=spread.get)
    rows.append(["memory holds how many copies of a parameter", numbers, f"{best}: {COPIES[best]}"])
    return pd.DataFrame(rows, columns=["reading", "numbers", "verdict"])
