"""What is said of a claim: its verdict, the effect that this rests on, and the words for both."""

from typing import NamedTuple

import numpy as np

YES, NO, CONTROL, CANNOT = "reproduced", "not reproduced", "explained by a control", "cannot be tested here"
VERDICTS = (YES, NO, CONTROL, CANNOT)
KINDS = ("gap", "slope", "law", "cost", "external")  # of claims, as in data/paper/claims.csv
TOLERANCE = 5.0  # points of per cent within which a percentage agrees, or a gain counts as none

# (verdict, rule): all ways to a verdict. What is "significant", GLOSSARY says.
RULES = (
    (YES, "A gap: the lower MAE in every pair, and the mean effect is significant."),
    (YES, "A slope: significant on the claimed side (teachers too large: also falling at the smallest)."),
    (YES, "A law: the 95 % interval lies where the claim says; a forecast: it holds every observation."),
    (YES, f"A percentage: the paper's or better, give or take {TOLERANCE:.0f} points."),
    (YES, "Prior work: its number lies in our 95 % interval."),
    (
        CONTROL,
        "The claim holds, but its control is significantly better than the worse of the two strategies, and "
        "the better not significantly better than the control (means of the largest teacher).",
    ),
    (CONTROL, "A forecast that holds, but not significantly better than the last fitted student, repeated."),
    (
        NO,
        "Anything else that was measured. How: reversed (significant on the other side), not significant, "
        "too small (the interval of a law excludes what is claimed), or only in part.",
    ),
    (CANNOT, "A law whose interval leaves both answers open (a forecast's: wider than the fitted curve)."),
    (CANNOT, "Networks, recordings, devices or printed numbers that the claim needs are missing."),
)
GLOSSARY = (
    ("MAE", "mean absolute error of the predicted heart rate, in beats per minute (BPM)"),
    ("blocks", "residual blocks of a network: its size"),
    ("student", "the smaller network, which learns from a teacher"),
    ("teacher", "the larger network, trained from scratch on the same people"),
    ("scratch", "trained on the true heart rate alone, without a teacher"),
    ("hard", "trained on the teacher's most likely heart rate alone"),
    ("soft", "trained on the teacher's whole distribution alone"),
    ("feature", "trained on the true heart rate and the teacher's last feature map"),
    (
        "DKD",
        "trained on the true heart rate and the teacher's distribution, decoupled: other heart rates weigh 8",
    ),
    ("soft8", "control of DKD: the true heart rate and 8 times soft, not decoupled"),
    ("gaussian", "control of richer labels: a Gaussian around the true heart rate, no teacher"),
    ("temperature", "what divides the logits in a distillation loss: above 1 it flattens the distributions"),
    ("recipe", "the constants of training: learning rate, schedule, dropout, temperatures, epochs"),
    ("public", "the recipe that follows public code where the paper gives no constant"),
    ("tuned", "the recipe chosen by its MAE on people whom no test sees"),
    ("fold", "one division of the people into training and test"),
    ("seed", "one draw of first weights, order of windows and dropout"),
    ("pair", "two networks of one size (and teacher) that differ in the strategy"),
    (
        "significant",
        "the 95 % interval excludes 0: a bootstrap over people, widened by the spread of seeds where "
        "runs were repeated (of a decay: the interval of the fits); else the two are not distinguishable",
    ),
    ("forecast", "the MAE of larger students by the scaling law fitted to smaller ones"),
    ("decoded by argmax", "the predicted heart rate is the centre of the most likely bin"),
    ("decoded by expectation", "the predicted heart rate is the mean of the distribution"),
    ("decoded by median", "the predicted heart rate is the median of the distribution"),
)


class Outcome(NamedTuple):
    """why: one or two sentences. effect: with its 95 % interval, over people or of the fit, and seed_sd."""

    verdict: str
    why: str
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    seed_sd: float = np.nan


def cannot(why: str) -> Outcome:
    return Outcome(CANNOT, why)


def significant(effect: float, low: float, high: float, seed_sd: float = np.nan) -> int:
    """-1 or 1 where the effect is significantly below or above 0, else 0.

    The interval that decides is `widened`: neither other people nor other seeds would turn the effect
    round. An effect without an interval, as in the paper's tables, has its sign.
    """
    low, high = widened(effect, low, high, seed_sd)
    return 0 if low <= 0 <= high else int(np.sign(effect))


def widened(effect, low, high, seed_sd=np.nan) -> tuple:
    """(low, high) with 1.96 seed_sd added to each side in squares, where that is known."""
    seeds = 1.96 * np.nan_to_num(seed_sd)
    return effect - np.hypot(effect - low, seeds), effect + np.hypot(high - effect, seeds)


def effect_text(effect: float, low: float, high: float, seed_sd=np.nan, *, form: str = "+.2f") -> str:
    """ "-0.12 [-0.25, +0.01]": with the interval that decides (see `significant`), if there is one."""
    low, high = widened(effect, low, high, seed_sd)
    return f"{effect:{form}}" + ("" if np.isnan(low) else f" [{low:{form}}, {high:{form}}]")


def finding(effect, low, high, seed_sd=np.nan, *, unit: str = "BPM", side: int = -1) -> str:
    """ "-0.12 [-0.25, +0.01] BPM, not significant", of a claim on this side of 0 (0 = on neither)."""
    sign = significant(effect, low, high, seed_sd)
    words = (
        ", not significant" if not sign else ", significantly reversed" if sign == -side else ", significant"
    )
    return f"{effect_text(effect, low, high, seed_sd)} {unit}" + ("" if np.isnan(low) else words)


def span(sizes) -> str:
    """ "1 to 10", or "12" where all are alike."""
    return " to ".join(map(str, sorted({min(sizes), max(sizes)})))
