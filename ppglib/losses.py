"""The paper's four distillation losses and the Gaussian control, as pure functions of logits (N, C).

All compute in float32 at least, also under autocast, and return the mean over the batch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ppglib.beyond import cdf, dist, divergence, wasserstein, window_dkd  # noqa: F401 - also reached from here
from ppglib.fast import exact
from ppglib.task import BINS, CENTRES


def cross_entropy(student_logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy to the true bin, (N,) int64: what every strategy that is told the truth minimizes."""
    return F.cross_entropy(exact(student_logits), target)


def hard_kd(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Cross-entropy to the teacher's argmax (paper, section 2, Hard Distillation)."""
    return F.cross_entropy(exact(student_logits), teacher_logits.argmax(dim=1))


def soft_kd(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 * KL(p_T || p_S), summed over bins (Hinton, Vinyals & Dean 2015)."""
    student = F.log_softmax(exact(student_logits) / temperature, dim=1)
    teacher = F.log_softmax(exact(teacher_logits) / temperature, dim=1)
    return temperature**2 * divergence(teacher, student)


def dkd(student_logits: Tensor, teacher_logits: Tensor, target: Tensor, temperature, alpha, beta) -> Tensor:
    """T^2 * (alpha * TCKD + beta * NCKD) (Zhao et al. 2022, equation 7; the paper: alpha 1, beta 8).

    target: (N,) int64, the true bin y. TCKD is the KL divergence of [p_y, 1 - p_y], NCKD that of
    the softmax over the other bins, so that KL = TCKD + (1 - p_y of the teacher) * NCKD."""
    student, student_others = _decouple(exact(student_logits) / temperature, target)
    teacher, teacher_others = _decouple(exact(teacher_logits) / temperature, target)
    return temperature**2 * (alpha * divergence(teacher, student) + beta * divergence(teacher_others, student_others))


def feature_kd(student_map: Tensor, teacher_map: Tensor, regressor) -> Tensor:
    """Mean squared error between feature maps (N, C, 1, L) (Romero et al. 2015, equation 3).

    regressor: a 1x1 convolution from the student's channels to the teacher's, trained along.
    The longer time axis is averaged down to the shorter one."""
    shape = 1, min(student_map.shape[-1], teacher_map.shape[-1])
    with torch.autocast(student_map.device.type, enabled=False):
        student_map, teacher_map = (F.adaptive_avg_pool2d(exact(m), shape) for m in (student_map, teacher_map))
        return F.mse_loss(regressor(student_map), teacher_map)


def gaussian(student_logits: Tensor, hr: Tensor, sigma: float) -> Tensor:
    """Cross-entropy to a Gaussian over the bins around the true heart rate: soft labels, no teacher.

    hr: (N,) BPM, continuous. sigma: BPM. The control for "richer labels" (paper, section 3)."""
    centres = CENTRES[0] + torch.arange(BINS, dtype=torch.float32, device=hr.device)  # made there: a graph copies nothing
    target = F.softmax(-0.5 * ((centres - hr[:, None].float()) / sigma) ** 2, dim=1)
    return F.cross_entropy(exact(student_logits), target)


def true_probability(logits: Tensor, target: Tensor) -> Tensor:
    """(N,) probability of the true bin: it decides how far DKD differs from beta times soft_kd."""
    return F.softmax(exact(logits), dim=1).gather(1, target[:, None])[:, 0]


def _decouple(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of [y, not y], (N, 2), and of the other bins given not y, (N, C - 1).

    The target is taken out by indexing, and log(1 - p_y) is logsumexp(others) - logsumexp(all):
    both stay finite, with finite gradients, however confident the network is."""
    n, bins = logits.shape
    column = torch.arange(bins - 1, device=logits.device).expand(n, -1)
    others = logits.gather(1, column + (column >= target[:, None]))
    log_all, log_others = logits.logsumexp(1, keepdim=True), others.logsumexp(1, keepdim=True)
    return torch.cat([logits.gather(1, target[:, None]), log_others], 1) - log_all, others - log_others
