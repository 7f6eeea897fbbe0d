"""The strategies, one row each: the total loss that a student minimizes, and what it needs for that.

A new strategy is a loss and one row, from anywhere; `ppglib.train` then knows it, and a sweep that starts there:

    loss = lambda b, c: torch.nn.functional.cross_entropy(b.logits.float(), b.target, label_smoothing=0.1)
    ppglib.STRATEGIES["smoothed"] = ppglib.Strategy("cross-entropy with smoothed labels", loss)

A sweep knows what it has done by this name: a loss that has changed needs another one, or an empty folder.
On a GPU the losses of networks that are trained as one go through `torch.vmap`: no branch on a value, no random number.
A batch `b` has the student's `logits` and `map`, `teacher`, `teacher_map`, `target` (true bin) and `hr`; `c` the constants."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, NamedTuple

import ppglib  # for ppglib.losses, which is loaded with the first batch: listing strategies needs no torch
from ppglib.files import InputError, short

if TYPE_CHECKING:
    from torch import Tensor


def bounded(default, low, high):
    """A field with a default and the range that it must lie in."""
    return field(default=default, metadata={"bounds": (low, high)})


def one_of(*choices):
    """A field with a few possible values, the first by default."""
    return field(default=choices[0], metadata={"choices": choices})


@dataclass(frozen=True, kw_only=True)
class Constants:
    """Every constant of training and of the losses, with its default and its bounds."""

    epochs: int = bounded(20, 1, 10_000)
    batch: int = bounded(128, 2, 65_536)
    rate: float = bounded(5e-4, 1e-8, 10.0)
    schedule: str = one_of("constant", "one-cycle")
    precision: str = one_of("auto", "float32", "bfloat16")
    soft_temperature: float = bounded(4.0, 0.01, 1000.0)
    dkd_temperature: float = bounded(4.0, 0.01, 1000.0)
    alpha: float = bounded(1.0, 0.0, 1000.0)
    beta: float = bounded(8.0, 0.0, 1000.0)
    warm_up: float = bounded(1 / 12, 0.0, 1.0)  # share of the epochs in which distillation fades in
    feature_weight: float = bounded(1.0, 0.0, 1e6)
    sigma: float = bounded(2.0, 0.1, 100.0)  # BPM
    window: int = bounded(2, 0, 60)  # bins on each side of the true one that window_dkd takes as the target
    dense_times: int = bounded(3, 1, 100)  # times as many epochs for a dense strategy
    dense_noise: float = bounded(0.0, 0.0, 10.0)  # standard deviations of a window


TRAINING = ("epochs", "batch", "rate", "schedule", "precision")  # what every strategy depends on


class Batch(NamedTuple):
    """What a loss may look at; None where the strategy does not ask a teacher for it."""

    logits: "Tensor"  # (N, 180), of the student
    map: "Tensor"  # (N, C, 1, L), of the student
    target: "Tensor"  # (N,) int64, the true bin
    hr: "Tensor"  # (N,) BPM
    teacher: "Tensor | None"  # logits
    teacher_map: "Tensor | None"
    regressor: "Callable | None"  # 1x1 convolution from the student's channels to the teacher's
    ramp: "float | Tensor"  # rises from 0 to 1 over `warm_up`, else 1


@dataclass(frozen=True)
class Strategy:
    """One row: what it minimizes in words and as a function (batch, constants) -> mean loss, and the rest.

    constants: names in `Constants`. teacher: what it asks of one: "" nothing, "logits", "map" (logits and
    feature map) or "out of fold" (logits of teachers who never saw the person). group: paper, control or
    beyond. beside: the strategies that it is a variation of. InputError for constants that are none, and for a
    dense strategy that asks for more than logits."""

    text: str
    loss: Callable
    constants: tuple[str, ...] = ()
    teacher: str = ""
    group: str = "control"
    color: str = "#777777"
    marker: str = "X"
    beside: tuple[str, ...] = ()

    def __post_init__(self):
        if unknown := set(self.constants) - {f.name for f in fields(Constants)}:
            spelled = ", ".join(sorted(unknown))
            raise InputError(f"A strategy depends on fields of Constants, which has no {spelled}.")
        if self.teacher not in ("", "logits", "map", "out of fold"):
            raise InputError(f"A strategy asks a teacher for logits, map or out of fold, not for {self.teacher!r}.")
        if self.dense and self.teacher in ("map", "out of fold"):
            raise InputError(f"A dense strategy can ask a teacher for logits, not for {self.teacher!r}.")

    @property
    def dense(self) -> bool:
        """Whether it draws windows at any offset between two labels."""
        return "dense_times" in self.constants


def truth(b: Batch) -> "Tensor":
    """Cross-entropy to the true bin."""
    return ppglib.losses.cross_entropy(b.logits, b.target)


def soft(b: Batch, temperature: float) -> "Tensor":
    """KL divergence from the teacher's softened distribution."""
    return ppglib.losses.soft_kd(b.logits, b.teacher, temperature)


def decoupled(b: Batch, c: Constants, *width: int) -> "Tensor":
    """DKD, of the true bin alone or of a window of bins around it."""
    loss = ppglib.losses.window_dkd if width else ppglib.losses.dkd
    return loss(b.logits, b.teacher, b.target, c.dkd_temperature, c.alpha, c.beta, *width)


SOFT, DKD = ("soft_temperature",), ("dkd_temperature", "alpha", "beta", "warm_up")
DENSE = ("dense_times", "dense_noise")
# In the order of every table and figure. Colours: Okabe and Ito's, distinguishable by everyone; the light ones are
# darker here, so that each has a contrast of 3 to 1 on white.
STRATEGIES = {
    "scratch": Strategy("cross-entropy to the true bin; no teacher",
        lambda b, c: truth(b), (), "", "paper", "#000000", "o"),
    "hard": Strategy("cross-entropy to the teacher's most likely bin, without the truth",
        lambda b, c: ppglib.losses.hard_kd(b.logits, b.teacher), (), "logits", "paper", "#d55e00", "v"),
    "soft": Strategy("KL divergence from the teacher's softened distribution, without the truth",
        lambda b, c: soft(b, c.soft_temperature), SOFT, "logits", "paper", "#0072b2", "s"),
    "feature": Strategy("cross-entropy to the true bin, and squared distance to the teacher's feature map",
        lambda b, c: truth(b)
        + c.feature_weight * ppglib.losses.feature_kd(b.map, b.teacher_map, b.regressor),
        ("feature_weight",), "map", "paper", "#009e73", "^"),
    "dkd": Strategy("cross-entropy to the true bin, and decoupled distillation: true and other bins apart",
        lambda b, c: truth(b) + b.ramp * decoupled(b, c), DKD, "logits", "paper", "#cc79a7", "D"),
    "soft8": Strategy("cross-entropy to the true bin, and 8 x soft in DKD's place",
        lambda b, c: truth(b) + b.ramp * (c.beta * soft(b, c.dkd_temperature)),
        ("dkd_temperature", "beta", "warm_up"), "logits", "control", "#b87a00", "P"),
    "soft_t1": Strategy("soft at temperature 1",
        lambda b, c: soft(b, 1.0), (), "logits", "control", "#5c3a00", "<", ("soft",)),
    "gaussian": Strategy("cross-entropy to a Gaussian around the true heart rate; no teacher",
        lambda b, c: ppglib.losses.gaussian(b.logits, b.hr, c.sigma),
        ("sigma",), "", "control", "#2a93d5", "*"),
    "cdf": Strategy("squared distance between the cumulative distributions of student and teacher",
        lambda b, c: ppglib.losses.cdf(b.logits, b.teacher), (), "logits", "beyond"),
    "wasserstein": Strategy("absolute distance between the cumulative distributions of student and teacher",
        lambda b, c: ppglib.losses.wasserstein(b.logits, b.teacher), (), "logits", "beyond"),
    "window_dkd": Strategy("DKD whose target is the true bin and the `window` bins on each side of it",
        lambda b, c: truth(b) + b.ramp * decoupled(b, c, c.window), (*DKD, "window"), "logits", "beyond"),
    "dist": Strategy("cross-entropy to the true bin, and 1 - Pearson correlation with the teacher",
        lambda b, c: truth(b) + ppglib.losses.dist(b.logits, b.teacher), (), "logits", "beyond"),
    "soft_oof": Strategy("soft, each person labelled by a teacher that was trained without them",
        lambda b, c: soft(b, c.soft_temperature), SOFT, "out of fold", "beyond", beside=("soft",)),
    "dense_scratch": Strategy("scratch on windows at any offset between two labels, trained longer",
        lambda b, c: truth(b), DENSE, "", "beyond", beside=("scratch",)),
    "dense_soft": Strategy("soft on windows at any offset between two labels, trained longer",
        lambda b, c: soft(b, c.soft_temperature), SOFT + DENSE, "logits", "beyond",
        beside=("dense_scratch", "soft")),
}  # fmt: skip


def check(constants: Constants, where: str = "") -> None:
    """Raise InputError, a sentence that begins with `where`, for a value that its field does not allow."""
    for f in fields(constants):
        given = getattr(constants, f.name)
        for value in given if isinstance(given, list | tuple) else [given]:
            low, high = f.metadata.get("bounds", (None, None))
            if low is not None and not low <= value <= high:
                raise InputError(f"{where}{f.name} must lie between {low} and {high}, not {short(value)}.")
            if value not in (allowed := f.metadata.get("choices", (value,))):
                raise InputError(f"{where}{f.name} has {short(value)}; possible are {', '.join(allowed)}.")
