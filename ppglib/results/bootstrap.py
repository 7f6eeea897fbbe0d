"""Intervals: the bootstrap over people.

Windows of one person are anything but independent, so people are resampled, never windows. A person
is tested in one fold; seeds are averaged within a person first. Every condition sees the same draws
of people, so the difference of two rows is a paired difference. Those whom the split by person tests
are drawn apart from the others: every draw has as many test people as the study, and does not depend
on what other splits test. Column 0 is the observed value and the columns after it are the draws: any
formula in MAEs keeps its interval by itself."""

import numpy as np
import pandas as pd

DRAWS, SEED = 10_000, 0
# One condition: what is averaged over folds and seeds.
KEY = ["recipe", "split", "strategy", "student", "teacher"]


def resample(apart) -> np.ndarray:
    """(people, 1 + DRAWS) how often each person counts: once in column 0, as drawn in the others.

    apart: (people,) bool; those where it is true and the others are drawn by themselves."""
    apart = np.asarray(apart, bool)
    counts = np.ones((len(apart), 1 + DRAWS))
    for group in {*apart.tolist()}:
        inside, rng = apart == group, np.random.default_rng([SEED, group])
        n = inside.sum()
        counts[inside, 1:] = rng.multinomial(n, np.full(n, 1 / n), size=DRAWS).T
    return counts


def by_person(runs: pd.DataFrame, people: pd.DataFrame, column: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sums over windows of `column` and numbers of windows: two (conditions, people) tables.

    `column` is a mean over windows of people.csv, such as mae. Seeds are averaged within person and fold."""
    rows = people.merge(runs[["run_id", *KEY, "fold", "seed"]], on="run_id", validate="many_to_one")
    rows = rows.assign(error=rows[column] * rows.n)
    keys = [*KEY, "fold", "dataset", "person"]
    sums = rows.groupby([*keys, "seed"], dropna=False)[["error", "n"]].sum()
    means = sums.groupby(level=keys).mean().groupby(level=[*KEY, "dataset", "person"]).sum()
    wide = means.unstack(["dataset", "person"])
    return wide["error"], wide["n"]


def draws(runs: pd.DataFrame, people: pd.DataFrame, column: str = "mae") -> pd.DataFrame:
    """MAE in BPM (or the mean of another column): one row a condition (index KEY), column 0 observed, then draws.

    A condition that lacks test people which others of its recipe and split have (a fold not run yet)
    is left out: its MAE would be over other people. A draw without any of its people is NaN, and so are
    all draws of one person, who has no spread over people."""
    error, n = by_person(runs, people, column)
    tested = n.notna()
    expected = tested.groupby(level=["recipe", "split"]).transform("any")
    whole = (tested | ~expected).all(axis=1)
    by_split = tested[tested.index.get_level_values("split") == "person"].any()
    error, n = error[whole].fillna(0), n[whole].fillna(0)
    counts = resample(by_split)
    with np.errstate(invalid="ignore"):
        mae = (error.to_numpy() @ counts) / (n.to_numpy() @ counts)
    mae[(tested[whole].sum(axis=1) == 1).to_numpy(), 1:] = np.nan
    return pd.DataFrame(mae, index=error.index)


def interval(values) -> tuple:
    """(estimate, low, high) of (..., 1 + draws): 95 % percentiles; NaN limits if there are no draws."""
    values = np.asarray(values, float)
    if values.shape[-1] == 1 or np.isnan(values[..., 1:]).all():
        return values[..., 0][()], *np.full((2, *values.shape[:-1]), np.nan)
    return values[..., 0][()], *np.nanpercentile(values[..., 1:], [2.5, 97.5], axis=-1)


def spread(runs: pd.DataFrame, people: pd.DataFrame, column: str = "mae") -> pd.DataFrame:
    """Standard deviation between seeds of the MAE pooled over folds, and the number of seeds (index KEY).

    Only seeds with every fold count; one seed has no spread (NaN). Not an interval."""
    rows = people.merge(runs[["run_id", *KEY, "fold", "seed"]], on="run_id", validate="many_to_one")
    sums = rows.assign(error=rows[column] * rows.n).groupby([*KEY, "seed"])
    pooled = sums.error.sum() / sums.n.sum()
    folds = sums.fold.nunique()
    pooled = pooled[folds == folds.groupby(level=["recipe", "split"]).transform("max")]
    return pooled.groupby(level=KEY).agg(seeds="size", seed_sd="std")
