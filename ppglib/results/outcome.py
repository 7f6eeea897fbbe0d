"""What is said of a claim: its verdict, the effect that this rests on, and the words for both."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

YES, NO, CONTROL, CANNOT = "reproduced", "not reproduced", "explained by a control", "cannot be tested here"
PER_DOUBLING = "BPM per doubling"  # unit of a slope over log2
TOLERANCE = 5.0  # points of per cent within which a percentage agrees, or a gain counts as none

# All ways to a verdict, [verdict, rule], and what the words mean, [word, meaning]: the CSVs beside this file.
RULES, GLOSSARY = (
    pd.read_csv(Path(__file__).with_name(name)).values.tolist() for name in ("rules.csv", "glossary.csv")
)


class Outcome(NamedTuple):
    """why: one to three sentences. effect: with its 95 % interval, over people or of the fit, and seed_sd."""

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

    The interval that decides is `widened`: neither other people nor other seeds of students would turn the effect
    round; of teachers a fold has one, for all seeds and sizes. An effect without an interval, as in the paper's tables, has its sign."""
    low, high = widened(effect, low, high, seed_sd)
    return 0 if low <= 0 <= high else int(np.sign(effect))


def widened(effect, low, high, seed_sd=np.nan) -> tuple:
    """(low, high) with 1.96 seed_sd added to each side in squares, where that is known."""
    seeds = 1.96 * np.nan_to_num(seed_sd)
    return effect - np.hypot(effect - low, seeds), effect + np.hypot(high - effect, seeds)


def effect_text(effect: float, low: float, high: float, seed_sd=np.nan, *, form: str = "+.2f") -> str:
    """ "-0.12 [-0.25, +0.01]": with the interval that decides (see `significant`), if there is one."""
    low, high = widened(effect, low, high, seed_sd)
    return f"{effect:{form}}" + (f" [{low:{form}}, {high:{form}}]" if np.isfinite(low) else "")


def finding(effect, low, high, seed_sd=np.nan, *, unit: str = "BPM", side: int = -1) -> str:
    """ "-0.12 [-0.25, +0.01] BPM, not significant", of a claim on this side of 0 (0 = on neither)."""
    sign = significant(effect, low, high, seed_sd)
    word = "not significant" if not sign else "significantly reversed" if sign == -side else "significant"
    return f"{effect_text(effect, low, high, seed_sd)} {unit}" + ("" if np.isnan(low) else f", {word}")


def span(sizes) -> str:
    """ "1 to 10", or "12" where all are alike."""
    return " to ".join(map(str, sorted({min(sizes), max(sizes)})))


def told(data: pd.DataFrame) -> list[str]:
    """["24 test people"] behind a table or figure, as its title says it; nothing where `tested` is not a column."""
    numbers = sorted({*data.get("tested", pd.Series(dtype=int)).dropna().astype(int)} - {0})
    return [f"{span(numbers)} test people"] if numbers else []
