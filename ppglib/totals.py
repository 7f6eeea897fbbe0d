"""The total loss that each strategy minimizes: the paper's four, the controls, and what else was tried."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ppglib import losses
from ppglib.bins import to_bin
from ppglib.grid import Run


def soft(s: Tensor, t: Tensor, get: Callable) -> Tensor:
    return losses.soft_kd(s, t, get("soft_temperature"))


# Alone, as the paper describes hard and soft: (student logits, teacher logits, constants) -> loss.
ALONE = {
    "hard": lambda s, t, get: losses.hard_kd(s, t),
    "soft": soft,
    "soft_t1": lambda s, t, get: losses.soft_kd(s, t, 1.0),
    "soft_oof": soft,
    "dense_soft": soft,
    "cdf": lambda s, t, get: losses.cdf(s, t),
    "wasserstein": lambda s, t, get: losses.wasserstein(s, t),
}
# Beside the cross-entropy, as in the public code of DKD and DIST: also given the true bin y.
BESIDE = {
    "dkd": lambda s, t, y, get: losses.dkd(s, t, y, get("dkd_temperature"), get("alpha"), get("beta")),
    "window_dkd": lambda s, t, y, get: losses.window_dkd(
        s, t, y, get("dkd_temperature"), get("alpha"), get("beta"), get("window")
    ),
    "soft8": lambda s, t, y, get: get("beta") * losses.soft_kd(s, t, get("dkd_temperature")),
    "dist": lambda s, t, y, get: losses.dist(s, t),
}


def make_loss(run: Run, hr: np.ndarray, teacher: dict | None, network, device) -> tuple[Callable, list]:
    """The strategy's total as a function (x, positions in `hr`, epoch) -> loss, and its extra parameters.

    hr: (n,) BPM of every sample that may be drawn. teacher: arrays of n rows, see `teachers.outputs`.
    Where the strategy has a `warm_up`, what stands beside the cross-entropy grows linearly over that
    share of the epochs.
    """
    rates = torch.from_numpy(hr.astype(np.float32))
    target = torch.from_numpy(to_bin(hr))
    get = run.get
    warm_up = max(1e-9, dict(run.constants).get("warm_up", 0) * get("epochs"))
    regressor = None
    if run.strategy == "feature":
        regressor = nn.Conv2d(network.head.in_features, teacher["map"].shape[1], 1).to(device)

    def of_teacher(name: str, chosen: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(teacher[name][chosen], dtype=np.float32)).to(device)

    def loss(x: Tensor, chosen: np.ndarray, epoch: int) -> Tensor:
        y = target[chosen].to(device)
        if regressor is not None:
            student_map = network.feature_map(x)
            truth = F.cross_entropy(network.classify(student_map).float(), y)
            match = losses.feature_kd(student_map, of_teacher("map", chosen), regressor)
            return truth + get("feature_weight") * match
        logits = network(x)
        if run.strategy == "gaussian":
            return losses.gaussian(logits, rates[chosen].to(device), get("sigma"))
        if run.strategy in ALONE:
            return ALONE[run.strategy](logits, of_teacher("logits", chosen), get)
        truth = F.cross_entropy(logits.float(), y)
        if run.strategy not in BESIDE:
            return truth
        distilled = BESIDE[run.strategy](logits, of_teacher("logits", chosen), y, get)
        return truth + min(1.0, epoch / warm_up) * distilled

    return loss, [] if regressor is None else list(regressor.parameters())
