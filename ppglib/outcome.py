"""What is said of a claim: a verdict with its reason, and the effect that it rests on."""

from typing import NamedTuple

import numpy as np

YES, NO, CONTROL, CANNOT = "reproduced", "not reproduced", "explained by a control", "cannot be tested here"
TOLERANCE = 5.0  # points of per cent within which a percentage agrees, or a gain counts as none


class Outcome(NamedTuple):
    """effect with its 95 % interval (over people, or of the fit), seed_sd beside it, verdict and why."""

    verdict: str
    why: str
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    seed_sd: float = np.nan


def cannot(why: str) -> Outcome:
    return Outcome(CANNOT, why)


def surely(effect: float, low: float, high: float, seed_sd: float = np.nan) -> int:
    """-1 or 1 where the effect is surely below or above 0, else 0.

    Sure is what neither other people nor other seeds would turn round: 0 lies outside the interval,
    widened by 1.96 seed_sd (in squares) where that is known. An effect without an interval, as in the
    paper's tables, has its sign.
    """
    seeds = 1.96 * np.nan_to_num(seed_sd)
    wide = effect - np.hypot(effect - low, seeds), effect + np.hypot(high - effect, seeds)
    return 0 if wide[0] <= 0 <= wide[1] else int(np.sign(effect))
