"""What Table 3's numbers mean: time against blocks and MACs, memory against parameter bytes, calls.

The paper's table and ours go through the same functions, in one shape ("Table 3"): device, blocks,
seconds (a call), seconds_sd, memory_mb (10^6 bytes).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import linregress

from ppglib.bench.memory import PARTS
from ppglib.files import InputError
from ppglib.resnet1d import ResNet1D, live_parameters, macs, paper_parameters

ALLOCATOR_BLOCK = 512  # bytes: PyTorch's CUDA allocator hands out multiples of it
DECISIVE = 4  # difference of AICc below which two lines are not told apart
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

    One window a call, one thread, no graph: what a wearable does. Memory is the measured peak on a
    GPU, as in the paper; on a CPU, where the peak is mostly Python's, the sum of the network's parts.
    """
    columns = ["device", "gpu", "blocks", "seconds", "memory_mb"]
    if not any(Path(folder).glob("*.csv")):
        return pd.DataFrame(columns=columns)
    seconds, memory = read(Path(folder))
    seconds = seconds[(seconds.batch == 1) & (seconds.threads == 1) & (seconds.variant == "eager")]
    memory = memory[(memory.batch == 1) & (memory["mode"] == "inference")]
    gpu = memory.driver.str.contains("CUDA")
    peak = memory.measured.where(gpu, memory[list(PARTS)].sum(axis=1)) / 1e6
    memory = memory.assign(gpu=gpu, memory_mb=peak).groupby(["device", "gpu", "blocks"]).memory_mb.median()
    seconds = seconds.groupby(["device", "blocks"])["mean"].median().rename("seconds")
    both = memory.reset_index("gpu").join(seconds).reset_index()
    return both.assign(device=both.device + ", one window a call")[columns]


def table3(time: pd.DataFrame, memory: pd.DataFrame) -> pd.DataFrame:
    """Our Table 3, one `device` for each setting measured; time and sd are means over the runs.

    memory_mb is what the network itself holds at the peak of inference (its parts without the
    framework's constant), process_mb the measured peak with it; NaN at batches where memory was
    not measured.
    """
    setting = ["device", "variant", "threads", "batch", "blocks"]
    table = time.groupby(setting, as_index=False)[["mean", "sd"]].mean()
    inference = memory[memory["mode"] == "inference"]
    held = inference[["device", "batch", "blocks"]].assign(
        memory_mb=inference[list(PARTS)].sum(axis=1) / 1e6, process_mb=inference.measured / 1e6
    )
    table = table.merge(held, how="left", on=["device", "batch", "blocks"])
    threads = table.threads.astype(str) + np.where(table.threads == 1, " thread", " threads")
    how = np.where(table.device.str.contains("CPU"), threads, table.variant)
    name = table.device + ", batch " + table.batch.astype(str) + ", " + how
    table = table.assign(device=name).rename(columns={"mean": "seconds", "sd": "seconds_sd"})
    return table[["device", "batch", "blocks", "seconds", "seconds_sd", "memory_mb", "process_mb"]]


def time_laws(table: pd.DataFrame) -> pd.DataFrame:
    """Per device, two straight lines for the seconds of a call, in blocks and in MACs: which fits better.

    AICc with three parameters each (slope, intercept, variance); it needs at least five sizes.
    """
    rows = []
    for device, group in table.groupby("device", sort=False):
        lines = {"blocks": group.blocks, "MACs": group.blocks.map(macs) / 1e6}
        fits = {name: linregress(x, group.seconds) for name, x in lines.items()}
        scores = {name: _aicc(group.seconds, lines[name], fit) for name, fit in fits.items()}
        rows.append(
            {
                "device": device,
                "ms per block": 1e3 * fits["blocks"].slope,
                "R2 blocks": fits["blocks"].rvalue ** 2,
                "ms per MMAC": 1e3 * fits["MACs"].slope,
                "R2 MACs": fits["MACs"].rvalue ** 2,
                "AICc blocks - MACs": scores["blocks"] - scores["MACs"],
                "better": min(scores, key=scores.get),
            }
        )
    return pd.DataFrame(rows)


def _aicc(y: pd.Series, x: pd.Series, line) -> float:
    n, k = len(y), 3
    residual = ((y - line.intercept - line.slope * x) ** 2).sum()
    return n * np.log(residual / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)


def calls(paper: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Per device of ours: how many calls take the paper's seconds, and how even that is over the sizes.

    `unevenness` is the coefficient of variation of the nine ratios: 0 if this device and batch have
    the very shape of the paper's row.
    """
    theirs = paper.set_index("blocks").seconds
    ratio = table.assign(ratio=table.blocks.map(theirs) / table.seconds).groupby("device", sort=False).ratio
    counts = pd.DataFrame({"calls": ratio.median(), "fewest": ratio.min(), "most": ratio.max()})
    return counts.assign(unevenness=ratio.std() / ratio.mean()).reset_index()


def saved(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Per cent that 1 block saves on 12, by device."""
    small, large = (table[table.blocks == n].set_index("device")[columns] for n in (1, 12))
    return 100 * (1 - small / large).reindex(table.device.unique())


def bytes_law(blocks: pd.Series, memory_mb: pd.Series, count=live_parameters) -> dict[str, float]:
    """Line of memory against parameter bytes: bytes per byte (with standard error), constant in MB, R2."""
    line = linregress(4 * blocks.map(count) / 1e6, memory_mb)
    return {
        "bytes per byte": line.slope,
        "se": line.stderr,
        "constant MB": line.intercept,
        "R2": line.rvalue**2,
    }


def allocated_state(blocks: int, copies: int) -> int:
    """Bytes on a GPU of a network as the paper counts it, with `copies` of each live parameter.

    1 copy is inference, 2 with gradients, 4 with Adam's two moments too. Idle parameters have no
    gradient, so there is one copy of them; so it is with batch-norm statistics. Every tensor takes
    whole allocator blocks.
    """
    with torch.device("meta"):  # shapes only
        network = ResNet1D(blocks)
        idle = 4 * (paper_parameters(blocks) - live_parameters(blocks))
    live = sum(_whole(4 * p.numel()) for p in network.parameters())
    statistics = sum(_whole(4 * b.numel()) for b in network.buffers() if b.is_floating_point())
    return copies * live + statistics + idle


def _whole(size: int) -> int:
    return -(-size // ALLOCATOR_BLOCK) * ALLOCATOR_BLOCK


def verdicts(paper: pd.DataFrame) -> pd.DataFrame:
    """The paper's row as evidence on what was measured: reading, numbers, verdict.

    Blocks and MACs go up together over the nine sizes. Up to six blocks they come one at a time and
    cost from 0.5 to 1.5 MMAC, which tells the two apart.
    """
    rows = []
    for name, part in {"all nine sizes": paper, "1 to 6 blocks": paper[paper.blocks <= 6]}.items():
        law = time_laws(part).iloc[0]
        lead = law["AICc blocks - MACs"]
        numbers = f"R2 {law['R2 blocks']:.4f} in blocks, {law['R2 MACs']:.4f} in MACs, AICc {lead:+.1f}"
        verdict = "undecided" if abs(lead) < DECISIVE else f"follows {law.better}"
        rows.append(
            [f"{law['ms per block'] / 1e3:.2f} s a block, whatever it costs ({name})", numbers, verdict]
        )
    rest = {n: paper.memory_mb - paper.blocks.map(lambda b, n=n: allocated_state(b, n)) / 1e6 for n in COPIES}
    spread = {n: np.ptp(mb) for n, mb in rest.items()}
    numbers = "left-over varies by " + ", ".join(f"{mb:.1f} MB ({n})" for n, mb in spread.items())
    best = min(spread, key=spread.get)
    rows.append(["memory holds how many copies of a parameter", numbers, f"{best}: {COPIES[best]}"])
    return pd.DataFrame(rows, columns=["reading", "numbers", "verdict"])
