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


def told(effect: float, low: float, high: float, seed_sd: float = np.nan, *, form: str = "+.2f") -> str:
    """ "-0.12 [-0.23, -0.01], with seeds [-0.25, +0.01]", as far as the interval and seed_sd are known."""
    limits = [] if np.isnan(low) else [(low, high)]
    if limits and not np.isnan(seed_sd):
        limits.append(widened(effect, low, high, seed_sd))
    shown = ", with seeds ".join(f"[{low:{form}}, {high:{form}}]" for low, high in limits)
    return f"{effect:{form}} {shown}".strip()


def listed(numbers) -> str:
    """ "1, 2, 4": distinct sizes in a reason."""
    return ", ".join(map(str, sorted(numbers)))


def surely(effect: float, low: float, high: float, seed_sd: float = np.nan) -> int:
    """-1 or 1 where the effect is surely below or above 0, else 0.

    Sure is what neither other people nor other seeds would turn round: 0 lies outside the interval,
    widened by 1.96 seed_sd (in squares) where that is known. An effect without an interval, as in the
    paper's tables, has its sign.
    """
    low, high = widened(effect, low, high, seed_sd)
    return 0 if low <= 0 <= high else int(np.sign(effect))


def widened(effect, low, high, seed_sd=np.nan) -> tuple:
    """(low, high) with 1.96 seed_sd added to each side in squares, where that is known."""
    seeds = 1.96 * np.nan_to_num(seed_sd)
    return effect - np.hypot(effect - low, seeds), effect + np.hypot(high - effect, seeds)
