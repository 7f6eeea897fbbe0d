"""The paper's four distillation losses, its controls and five others, as pure functions of logits (N, C).

All compute in float32 at least, also under autocast, and return the mean over the batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ppglib.bins import BINS, LOWEST


def hard_kd(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Cross-entropy to the teacher's argmax (paper, section 2, Hard Distillation)."""
    return F.cross_entropy(_exact(student_logits), teacher_logits.argmax(dim=1))


def soft_kd(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 * KL(p_T || p_S), summed over bins (Hinton, Vinyals & Dean 2015)."""
    student = F.log_softmax(_exact(student_logits) / temperature, dim=1)
    teacher = F.log_softmax(_exact(teacher_logits) / temperature, dim=1)
    return temperature**2 * _kl(teacher, student)


def dkd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    target: Tensor,
    temperature: float,
    alpha: float,
    beta: float,
) -> Tensor:
    """T^2 * (alpha * TCKD + beta * NCKD) (Zhao et al. 2022, equation 7; the paper: alpha 1, beta 8).

    target: (N,) int64, the true bin y. TCKD is the KL divergence of [p_y, 1 - p_y], NCKD that of
    the softmax over the other bins, so that KL = TCKD + (1 - p_y of the teacher) * NCKD.
    """
    student, student_others = _decouple(_exact(student_logits) / temperature, target)
    teacher, teacher_others = _decouple(_exact(teacher_logits) / temperature, target)
    return temperature**2 * (alpha * _kl(teacher, student) + beta * _kl(teacher_others, student_others))


def window_dkd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    target: Tensor,
    temperature: float,
    alpha: float,
    beta: float,
    width: int,
) -> Tensor:
    """DKD whose target is every bin at most `width` bins from the true one; width 0 is `dkd`."""
    bins = torch.arange(student_logits.shape[1], device=target.device)
    inside = (bins - target[:, None]).abs() <= width
    student, student_others = _decouple_window(_exact(student_logits) / temperature, inside)
    teacher, teacher_others = _decouple_window(_exact(teacher_logits) / temperature, inside)
    return temperature**2 * (alpha * _kl(teacher, student) + beta * _kl(teacher_others, student_others))


def cdf(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Squared distance between the cumulative distributions, in BPM: half the squared energy distance.

    Unlike a divergence it knows that neighbouring bins are close (Szekely & Rizzo 2013, equation 2.5).
    """
    return _cumulative_gap(student_logits, teacher_logits).square().sum(1).mean()


def wasserstein(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """1-Wasserstein distance between the distributions, in BPM (on a line: the area between the CDFs)."""
    return _cumulative_gap(student_logits, teacher_logits).abs().sum(1).mean()


def dist(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """1 - Pearson correlation of the probabilities, over bins plus over the batch (Huang et al. 2022, eq. 9).

    Both weights and the temperature are 1, the public defaults.
    """
    student, teacher = F.softmax(_exact(student_logits), dim=1), F.softmax(_exact(teacher_logits), dim=1)
    return 2 - _pearson(student, teacher).mean() - _pearson(student.T, teacher.T).mean()


def feature_kd(student_map: Tensor, teacher_map: Tensor, regressor) -> Tensor:
    """Mean squared error between feature maps (N, C, 1, L) (Romero et al. 2015, equation 3).

    regressor: a 1x1 convolution from the student's channels to the teacher's, trained along.
    The longer time axis is averaged down to the shorter one.
    """
    length = min(student_map.shape[-1], teacher_map.shape[-1])
    student_map, teacher_map = (_pool(_exact(m), length) for m in (student_map, teacher_map))
    with torch.autocast(student_map.device.type, enabled=False):
        return F.mse_loss(regressor(student_map), teacher_map)


def gaussian(student_logits: Tensor, hr: Tensor, sigma: float) -> Tensor:
    """Cross-entropy to a Gaussian over the bins around the true heart rate: soft labels, no teacher.

    hr: (N,) BPM, continuous. sigma: BPM. The control for "richer labels" (paper, section 3).
    """
    centres = LOWEST + 0.5 + torch.arange(BINS, device=hr.device, dtype=torch.float32)
    target = F.softmax(-0.5 * ((centres - hr[:, None].float()) / sigma) ** 2, dim=1)
    return F.cross_entropy(_exact(student_logits), target)


def true_probability(logits: Tensor, target: Tensor) -> Tensor:
    """(N,) probability of the true bin: it decides how far DKD differs from beta times soft_kd."""
    return F.softmax(_exact(logits), dim=1).gather(1, target[:, None])[:, 0]


def _exact(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


def _decouple(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of [y, not y], (N, 2), and of the other bins given not y, (N, C - 1).

    The target is taken out by indexing, and log(1 - p_y) is logsumexp(others) - logsumexp(all):
    both stay finite, with finite gradients, however confident the network is.
    """
    n, bins = logits.shape
    column = torch.arange(bins - 1, device=logits.device).expand(n, -1)
    others = logits.gather(1, column + (column >= target[:, None]))
    log_all, log_others = logits.logsumexp(1, keepdim=True), others.logsumexp(1, keepdim=True)
    return torch.cat([logits.gather(1, target[:, None]), log_others], 1) - log_all, others - log_others


def _decouple_window(logits: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """As `_decouple` for a mask (N, C), whose rows differ in size: the second is (N, C), and 0 inside.

    Zeros on both sides of a divergence add nothing to it, and no gradient flows through them.
    """
    parts = [
        logits.masked_fill(hidden, -torch.inf).logsumexp(1, keepdim=True) for hidden in (~inside, inside)
    ]
    pair = torch.cat(parts, 1) - logits.logsumexp(1, keepdim=True)
    return pair, (logits - parts[1]).masked_fill(inside, 0.0)


def _cumulative_gap(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    gap = F.softmax(_exact(student_logits), dim=1) - F.softmax(_exact(teacher_logits), dim=1)
    return gap.cumsum(1)


def _pearson(a: Tensor, b: Tensor) -> Tensor:
    """Correlation of each row of a with that of b; rows that hardly vary count 0, as in the public code."""
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (_norm(a) * _norm(b) + 1e-8)


def _norm(rows: Tensor) -> Tensor:
    return rows.square().sum(1).add(1e-24).sqrt()  # its gradient is finite at 0 too


def _pool(feature_map: Tensor, length: int) -> Tensor:
    if feature_map.shape[-1] == length:
        return feature_map
    return F.adaptive_avg_pool2d(feature_map, (1, length))
