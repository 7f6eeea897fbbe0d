"""Intervals: the bootstrap over people.

Windows of one person are anything but independent, so people are resampled, never windows. A person
is tested in one fold; seeds are averaged within a person first. Every condition sees the same draws
of people, so the difference of two rows is a paired difference. Those whom the split by person tests
are drawn apart from the others: every draw has as many test people as the study, and does not depend
on what other splits test. Column 0 is the observed value and the columns after it are the draws, widened
for how few people there are: any formula in MAEs keeps its interval by itself."""

from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import stdtrit

DRAWS, SEED = 10_000, 0
FEWEST = 4  # test people; of fewer nothing can be said, and nothing is significant
# One condition: what is averaged over folds and seeds.
KEY = ["recipe", "split", "strategy", "student", "teacher"]


def resample(apart) -> np.ndarray:
    """(people, 1 + DRAWS) how often each person counts: once in column 0, as drawn in the others.

    apart: (people,) bool; those where it is true and the others are drawn by themselves."""
    apart = np.asarray(apart, bool)
    counts = np.ones((len(apart), 1 + DRAWS))
    for group in {*apart.tolist()}:
        inside = apart == group
        counts[inside, 1:] = _drawn(int(inside.sum()), DRAWS, SEED, group)
    return counts


@lru_cache(8)
def _drawn(n: int, draws: int, *seed: int) -> np.ndarray:
    """(n, draws) how often each of n people is drawn; a study asks for the same ones many times."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws).T


def widened(values, people) -> np.ndarray:
    """(conditions, 1 + draws) with the draws moved away from column 0, so that 95 % intervals hold their level.

    people: (conditions,) test people. A plain bootstrap of n people has the spread of n - 1 and the tails of a normal
    distribution: of two equal networks it finds one significantly better in 19 % of all cases with 4 people and in 7 %
    with 24. The factor sqrt(n / (n - 1)) t / 1.96 mends both (Hesterberg, American Statistician 69(4), 2015). t has n - 3
    degrees of freedom, not n - 1, because differences between networks are skewed: tests/test_coverage.py measures
    at most 7 % up to a skewness of 1.4. NaN where there are fewer than FEWEST people."""
    people = np.asarray(people, float)[:, None]
    wide = np.sqrt(people / np.maximum(people - 1, 1)) * stdtrit(np.maximum(people - 3, 1), 0.975) / 1.96
    wide, first = np.where(people < FEWEST, np.nan, wide), values[:, :1]
    return np.concatenate([first, first + wide * (values[:, 1:] - first)], axis=1)


def by_person(runs: pd.DataFrame, people: pd.DataFrame, column: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sums over windows of `column` and numbers of windows: two (conditions, people) tables.

    `column` is a mean over windows of people.csv, such as mae. Seeds are averaged within person and fold."""
    rows = people.merge(runs[["run_id", *KEY, "fold", "seed"]], on="run_id", validate="many_to_one")
    rows = rows.assign(error=rows[column] * rows.n)
    keys = [*KEY, "fold", "dataset", "person"]
    sums = rows.groupby([*keys, "seed"], dropna=False)[["error", "n"]].sum()
    means = sums.groupby(level=keys).mean().groupby(level=[*KEY, "dataset", "person"]).sum()
    wide = means.unstack(["dataset", "person"])
    return tuple(wide[name] if len(wide) else pd.DataFrame(index=wide.index) for name in ("error", "n"))


def draws(runs: pd.DataFrame, people: pd.DataFrame, column: str = "mae") -> pd.DataFrame:
    """MAE in BPM (or the mean of another column): one row a condition (index KEY), column 0 observed, then draws.

    A condition that lacks test people which others of its recipe and split have (a fold not run yet)
    is left out: its MAE would be over other people. Draws are `widened`; a draw without any of its people is NaN, and
    so are all draws of fewer than FEWEST people."""
    error, n = by_person(runs, people, column)
    tested = n.notna()
    expected = tested.groupby(level=["recipe", "split"]).transform("any")
    whole = (tested | ~expected).all(axis=1)
    by_split = tested[tested.index.get_level_values("split") == "person"].any()
    error, n = error[whole].fillna(0), n[whole].fillna(0)
    counts = resample(by_split)
    with np.errstate(invalid="ignore"):
        mae = (error.to_numpy() @ counts) / (n.to_numpy() @ counts)
    return pd.DataFrame(widened(mae, tested[whole].sum(axis=1)), index=error.index)


def interval(values) -> tuple:
    """(estimate, low, high) of (..., 1 + draws): 95 % percentiles.

    NaN limits if there are no draws at all; limits that exclude nothing, -inf and inf, if all draws are NaN."""
    values = np.asarray(values, float)
    observed, drawn = values[..., 0], values[..., 1:]
    if not drawn.shape[-1]:
        return observed[()], *np.full((2, *observed.shape), np.nan)
    unknown = np.isnan(drawn).all(axis=-1)
    percentile = np.nanpercentile if np.isnan(drawn).any() else np.percentile  # which is much faster
    limits = percentile(np.where(unknown[..., None], 0, drawn), [2.5, 97.5], axis=-1)
    limits = (np.where(unknown, end, limit) for end, limit in zip((-np.inf, np.inf), limits))
    return observed[()], *(np.where(np.isnan(observed), np.nan, limit)[()] for limit in limits)


def error_interval(values) -> tuple:
    """As `interval`, of an error, which is no less than 0 however few people widen its limits."""
    estimate, low, high = interval(values)
    return estimate, np.where(np.isinf(low), low, np.maximum(low, 0))[()], high


def spread(runs: pd.DataFrame, people: pd.DataFrame, column: str = "mae") -> pd.DataFrame:
    """Standard deviation between seeds of the MAE pooled over folds, and the number of seeds (index KEY).

    Only seeds with every fold count; one seed has no spread (NaN). Not an interval."""
    rows = people.merge(runs[["run_id", *KEY, "fold", "seed"]], on="run_id", validate="many_to_one")
    sums = rows.assign(error=rows[column] * rows.n).groupby([*KEY, "seed"])
    pooled = sums.error.sum() / sums.n.sum()
    folds = sums.fold.nunique()
    pooled = pooled[folds == folds.groupby(level=["recipe", "split"]).transform("max")]
    return pooled.groupby(level=KEY).agg(seeds="size", seed_sd="std")
