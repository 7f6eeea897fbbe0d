"""What is not in the paper: four more distillation losses, and windows at any offset between two labels.

Losses are pure functions of logits (N, C), computed in float32 at least, and the mean over the batch."""

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from ppglib.fast import exact
from ppglib.task import LENGTH
from ppglib.windows import Windows

OFFSETS = 10  # places of a window between two labels: every 0.2 s at a step of 2 s


def window_dkd(
    student_logits: Tensor, teacher_logits: Tensor, target: Tensor, temperature, alpha, beta, width: int
) -> Tensor:
    """DKD whose target is every bin at most `width` bins from the true one (N,); width 0 is `losses.dkd`."""
    bins = torch.arange(student_logits.shape[1], device=target.device)
    inside = (bins - target[:, None]).abs() <= width
    parts = zip(*(_decouple(exact(x) / temperature, inside) for x in (student_logits, teacher_logits)))
    tckd, nckd = (divergence(t, s) for s, t in parts)
    return temperature**2 * (alpha * tckd + beta * nckd)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) of log-probabilities (N, C); `F.kl_div`, which `torch.vmap` would compute one by one."""
    return (log_p.exp() * (log_p - log_q)).sum() / len(log_p)


def cdf(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Squared distance between the cumulative distributions, in BPM: half the squared energy distance.

    Unlike a divergence it knows that neighbouring bins are close (Szekely & Rizzo 2013, equation 2.5)."""
    return _cumulative_gap(student_logits, teacher_logits).square().sum(1).mean()


def wasserstein(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """1-Wasserstein distance between the distributions, in BPM (on a line: the area between the CDFs)."""
    return _cumulative_gap(student_logits, teacher_logits).abs().sum(1).mean()


def dist(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """1 - Pearson correlation of the probabilities, over bins plus over the batch (Huang et al. 2022, eq. 9).

    Both weights and the temperature are 1, the public defaults."""
    student, teacher = (F.softmax(exact(x), dim=1) for x in (student_logits, teacher_logits))
    return 2 - _pearson(student, teacher).mean() - _pearson(student.T, teacher.T).mean()


def dense(windows: Windows, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and HR of the windows between each row and its successor: two (len(rows) * OFFSETS,) arrays.

    The heart rate is interpolated. A row whose successor is missing or not in `rows` repeats itself."""
    table = windows.table.iloc[rows]
    start, hr = table.start.to_numpy(), table.hr.to_numpy()
    recording = pd.factorize(table.dataset + "/" + table.person + "/" + table.recording)[0]
    step, rise = np.diff(start, append=start[-1:]), np.diff(hr, append=hr[-1:])
    overlaps = (np.diff(recording, append=-1) == 0) & (step > 0) & (step < LENGTH)
    share = np.where(overlaps, 1.0, 0.0)[:, None] * np.arange(OFFSETS) / OFFSETS
    starts = start[:, None] + np.floor(share * step[:, None]).astype(np.int64)
    return starts.ravel(), (hr[:, None] + share * rise[:, None]).ravel()


def _decouple(logits: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of [inside, outside], (N, 2), and of each bin given outside, (N, C), 0 inside.

    inside: mask (N, C). Zeros on both sides of a divergence add nothing, and no gradient flows through them."""
    parts = [logits.masked_fill(hidden, -torch.inf).logsumexp(1, keepdim=True) for hidden in (~inside, inside)]
    pair = torch.cat(parts, 1) - logits.logsumexp(1, keepdim=True)
    return pair, (logits - parts[1]).masked_fill(inside, 0.0)


def _cumulative_gap(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    return (F.softmax(exact(student_logits), dim=1) - F.softmax(exact(teacher_logits), dim=1)).cumsum(1)


def _pearson(a: Tensor, b: Tensor) -> Tensor:
    """Correlation of each row of a with that of b; rows that hardly vary count 0, as in the public code."""
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    norm_a, norm_b = (x.square().sum(1).add(1e-24).sqrt() for x in (a, b))  # with a finite gradient at 0
    return (a * b).sum(1) / (norm_a * norm_b + 1e-8)
