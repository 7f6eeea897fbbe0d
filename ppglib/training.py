"""Train and evaluate one network: the loop, the four totals of the paper, and the controls."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ppglib import losses
from ppglib.bins import to_bin
from ppglib.errors import InputError
from ppglib.metrics import evaluate
from ppglib.resnet1d import ResNet1D
from ppglib.studies import Run
from ppglib.windows import Windows, gather, split

EVALUATION_BATCH = 512


def train(run: Run, windows: Windows, teacher: dict[str, np.ndarray] | None) -> tuple[ResNet1D, dict]:
    """The trained network and its record: metrics, people, reliability, curve, counts, seconds.

    teacher: what `teach` gave for this fold's training windows; None for a strategy without one.
    A fixed number of epochs, the last weights: the test windows are seen once, at the end.
    """
    started = time.perf_counter()
    rows, test = split(windows, run.fold, run.split)
    batch, epochs = run.get("batch"), run.get("epochs")
    if len(rows) < batch:
        raise InputError(
            f"Fold {run.fold} has {len(rows)} training windows, fewer than one batch of {batch}."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # The same fold and seed give the same first weights and the same order of windows to every
    # strategy, so that differences between strategies are paired.
    torch.manual_seed(run.seed * 2 + run.fold)
    network = ResNet1D(run.student, run.get("dropout")).to(device)
    loss, extra = make_loss(run, windows, rows, teacher, network, device)
    parameters = [*network.parameters(), *extra]
    steps = len(rows) // batch  # the last, incomplete batch is left out; the order changes each epoch
    optimizer, schedule = make_optimizer(run, parameters, epochs * steps)
    starts = windows.table.start.to_numpy()[rows]
    order = np.random.default_rng([run.seed, run.fold])
    curve = []
    for epoch in range(1, epochs + 1):
        network.train()
        total = torch.zeros((), device=device)
        for chosen in batches(order, len(rows), batch):
            x = torch.from_numpy(gather(windows.signal, starts[chosen]))[:, None].to(device)
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
        "teacher_py": None if teacher is None else mean_true_probability(teacher["logits"], windows, rows),
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


def make_loss(
    run: Run, windows: Windows, rows: np.ndarray, teacher, network, device
) -> tuple[Callable, list]:
    """The strategy's total as a function (x, positions in `rows`, epoch) -> loss, and its extra parameters.

    hard and soft alone, as the paper describes them; dkd and soft8 beside the cross-entropy, warmed
    up linearly (Zhao et al.'s public defaults); feature beside the cross-entropy with a weight.
    """
    hr = torch.from_numpy(windows.table.hr.to_numpy()[rows].astype(np.float32))
    target = torch.from_numpy(to_bin(windows.table.hr.to_numpy()[rows]))
    warm_up = max(1e-9, dict(run.constants).get("warm_up", 0) * run.get("epochs"))
    regressor = None
    if run.strategy == "feature":
        student_channels = network.head.in_features
        regressor = nn.Conv2d(student_channels, teacher["map"].shape[1], 1).to(device)

    def of_teacher(name: str, chosen: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(teacher[name][chosen], dtype=np.float32)).to(device)

    def loss(x: Tensor, chosen: np.ndarray, epoch: int) -> Tensor:
        if run.strategy == "feature":
            student_map = network.feature_map(x)
            truth = F.cross_entropy(network.classify(student_map).float(), target[chosen].to(device))
            match = losses.feature_kd(student_map, of_teacher("map", chosen), regressor)
            return truth + run.get("feature_weight") * match
        logits = network(x)
        if run.strategy == "gaussian":
            return losses.gaussian(logits, hr[chosen].to(device), run.get("sigma"))
        if run.strategy == "hard":
            return losses.hard_kd(logits, of_teacher("logits", chosen))
        if run.strategy == "soft":
            return losses.soft_kd(logits, of_teacher("logits", chosen), run.get("soft_temperature"))
        y = target[chosen].to(device)
        truth = F.cross_entropy(logits.float(), y)
        if run.strategy == "scratch":
            return truth
        t, beta = run.get("dkd_temperature"), run.get("beta")
        if run.strategy == "dkd":
            distilled = losses.dkd(logits, of_teacher("logits", chosen), y, t, run.get("alpha"), beta)
        else:
            distilled = beta * losses.soft_kd(logits, of_teacher("logits", chosen), t)
        return truth + min(1.0, epoch / warm_up) * distilled

    return loss, [] if regressor is None else list(regressor.parameters())


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


def teach(network: ResNet1D, run: Run, windows: Windows) -> dict[str, np.ndarray]:
    """What a teacher says of its fold's training windows, in their order: logits and feature maps."""
    rows, _ = split(windows, run.fold, run.split)
    logits, maps = predict(network, windows.signal, windows.table.start.to_numpy()[rows], maps=True)
    return {"logits": logits, "map": maps}


def mean_true_probability(logits: np.ndarray, windows: Windows, rows: np.ndarray) -> float:
    target = torch.from_numpy(to_bin(windows.table.hr.to_numpy()[rows]))
    return float(losses.true_probability(torch.from_numpy(np.array(logits)), target).mean())
