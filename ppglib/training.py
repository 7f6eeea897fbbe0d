"""Train and evaluate one network."""

import time
from collections.abc import Iterator

import numpy as np
import torch

from ppglib import losses
from ppglib.bins import to_bin
from ppglib.errors import InputError
from ppglib.grid import Run
from ppglib.metrics import evaluate
from ppglib.resnet1d import ResNet1D
from ppglib.splits import split
from ppglib.totals import make_loss
from ppglib.windows import OFFSETS, Windows, dense, gather

EVALUATION_BATCH = 512


def train(run: Run, windows: Windows, teacher: dict[str, np.ndarray] | None) -> tuple[ResNet1D, dict]:
    """The trained network and its record: metrics, people, reliability, curve, counts, seconds.

    teacher: arrays for this fold's training samples, see `teachers.outputs`; None without a teacher.
    A fixed number of epochs, the last weights: the test windows are seen once, at the end.
    """
    started = time.perf_counter()
    rows, test = split(windows, run.fold, run.split)
    batch, epochs = run.get("batch"), epochs_of(run)
    if len(rows) < batch:
        raise InputError(
            f"Fold {run.fold} has {len(rows)} training windows, fewer than one batch of {batch}."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # The same fold and seed give the same first weights and the same order of windows to every
    # strategy, so that differences between strategies are paired.
    torch.manual_seed(run.seed * 2 + run.fold)
    network = ResNet1D(run.student, run.get("dropout")).to(device)
    start, hr, offsets = samples(run, windows, rows)
    loss, extra = make_loss(run, hr, teacher, network, device)
    parameters = [*network.parameters(), *extra]
    steps = len(rows) // batch  # the last, incomplete batch is left out; the order changes each epoch
    optimizer, schedule = make_optimizer(run, parameters, epochs * steps)
    order, dense_draws = (np.random.default_rng([run.seed, run.fold, *i]) for i in ([], [1]))
    noise, curve = dict(run.constants).get("dense_noise", 0.0), []
    for epoch in range(1, epochs + 1):
        network.train()
        total = torch.zeros((), device=device)
        for chosen in batches(order, len(rows), batch):
            if offsets > 1:
                chosen = chosen * offsets + dense_draws.integers(offsets, size=batch)
            x = gather(windows.signal, start[chosen])
            if noise:
                x += noise * dense_draws.standard_normal(x.shape, dtype=np.float32)
            x = torch.from_numpy(x)[:, None].to(device)
            with autocast(run, device):
                value = loss(x, chosen, epoch)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            schedule.step()
            total += value.detach()
        curve.append(float(total) / steps)
        if not np.isfinite(curve[-1]):
            raise InputError(
                f"Study {run.study}: {run.strategy} with {run.student} blocks diverged in epoch {epoch} "
                f"(loss {curve[-1]}): choose a lower rate than {run.get('rate')}."
            )
    table = windows.table.iloc[test]
    logits = predict(network, windows.signal, table.start.to_numpy())[0]
    probabilities = torch.softmax(torch.from_numpy(logits).double(), 1).numpy()
    record = evaluate(probabilities, table) | {
        "curve": curve,
        "teacher_py": None if teacher is None else mean_true_probability(teacher["logits"], hr),
        "parameters": sum(p.numel() for p in network.parameters()),
        "n_train": len(rows),
        "n_test": len(test),
        "people_test": len(table[["dataset", "person"]].drop_duplicates()),
        "steps": epochs * steps,
        "seconds": time.perf_counter() - started,
        "precision": "bfloat16" if uses_bfloat16(run, device) else "float32",
        "simulated": bool(windows.table.simulated.any()),
    }
    return network, record


def samples(run: Run, windows: Windows, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Starts and HR of what training draws from, and how many samples belong to one row of `rows`."""
    if dense_times(run) == 0:
        table = windows.table.iloc[rows]
        return table.start.to_numpy(), table.hr.to_numpy(), 1
    return *dense(windows, rows), OFFSETS


def dense_times(run: Run) -> int:
    """How many times as long a dense strategy trains; 0 for all others."""
    return dict(run.constants).get("dense_times", 0)


def epochs_of(run: Run) -> int:
    return run.get("epochs") * max(1, dense_times(run))


def make_optimizer(run: Run, parameters: list, steps: int):
    """Adam at a constant rate, or in one cycle up to it and down again (Smith 2018)."""
    optimizer = torch.optim.Adam(parameters, lr=run.get("rate"), fused=True)
    if run.get("schedule") == "constant":
        return optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    cycle = torch.optim.lr_scheduler.OneCycleLR
    return optimizer, cycle(optimizer, run.get("rate"), total_steps=steps, cycle_momentum=False)


def batches(order: np.random.Generator, n: int, batch: int) -> Iterator[np.ndarray]:
    permutation = order.permutation(n)
    return (permutation[i : i + batch] for i in range(0, n - batch + 1, batch))


def uses_bfloat16(run: Run, device: torch.device) -> bool:
    """As the study says; "auto": where the processor computes in bfloat16 itself."""
    if run.get("precision") != "auto":
        return run.get("precision") == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell: float32
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(run: Run, device: torch.device, enabled: bool = True) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled and uses_bfloat16(run, device))


@torch.no_grad()
def predict(network: ResNet1D, signal: np.ndarray, starts: np.ndarray, maps: bool = False):
    """Logits (N, 180) float32 and, if asked for, feature maps (N, C, 1, L), in eval mode and float32."""
    network.eval()
    device = next(network.parameters()).device
    logits, feature_maps = [], []
    for i in range(0, len(starts), EVALUATION_BATCH):
        x = torch.from_numpy(gather(signal, starts[i : i + EVALUATION_BATCH]))[:, None].to(device)
        feature_map = network.feature_map(x)
        logits.append(network.classify(feature_map).cpu().numpy())
        if maps:
            feature_maps.append(feature_map.cpu().numpy())
    return np.concatenate(logits), np.concatenate(feature_maps) if maps else None


def teach(network: ResNet1D, run: Run, windows: Windows, what: str) -> np.ndarray:
    """What the teacher trained by `run` says, in the order of its rows.

    "logits" (n, 180) or "map" (n, C, 1, L) of its fold's training windows, logits of their "dense"
    samples (n * OFFSETS, 180), or logits of the windows "left_out" of its training.
    """
    rows, left_out = split(windows, run.fold, run.split)
    starts = windows.table.start.to_numpy()
    if what == "dense":
        return predict(network, windows.signal, dense(windows, rows)[0])[0]
    if what == "left_out":
        return predict(network, windows.signal, starts[left_out])[0]
    logits, maps = predict(network, windows.signal, starts[rows], maps=what == "map")
    return maps if what == "map" else logits


def mean_true_probability(logits: np.ndarray, hr: np.ndarray) -> float:
    target = torch.from_numpy(to_bin(hr))
    return float(losses.true_probability(torch.from_numpy(np.array(logits)), target).mean())
