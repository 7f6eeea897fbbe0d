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


def below(high: float, effect: float) -> bool:
    """The effect is negative, and so is its interval where there is one."""
    return effect < 0 and not high >= 0
