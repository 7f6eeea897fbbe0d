"""How far predicted heart rates agree with true ones: errors, limits of agreement, and what confidence is worth.

Everything is computed from a table of predictions, a row per window: dataset, person, recording, activity, truth (BPM,
NaN = no label), a column per method (BPM, NaN = none), and low, high and p_within_5 of the first of them, the model."""

from itertools import product

import numpy as np
import pandas as pd

from ppglib.results.bootstrap import FEWEST, error_interval, resample, widened

WITHIN = 5.0  # BPM
SHARES = np.arange(1, 21) / 20  # of the windows with a heart rate that are kept, the surest first
ALL = "all"


def table(predictions: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """A row per dataset, person, activity and method; `all` stands for everyone or every activity of a set.

    people, windows (with a true heart rate), without (share of them to which the method gives none), mae, mae_low,
    mae_high (95 % over people, from four on), bias, limits_low, limits_high (see `limits`), within_5 (share of what
    has a heart rate), and of the model mae_surer_half (see `coverage`) and in_band (share of truths in its band)."""
    rows, known = [], predictions[predictions.truth.notna()]
    for dataset, whole in known.groupby("dataset", sort=False):
        for person, own in [(ALL, whole), *whole.groupby("person", sort=False)]:
            activities = [(name, part) for name, part in own.groupby("activity") if name]
            for (activity, part), method in product([(ALL, own), *activities], methods):
                row = {"dataset": dataset, "person": person, "activity": activity, "method": method}
                rows.append(row | summary(part, method, method == methods[0]))
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame, method: str, model: bool) -> dict:
    """What `table` says of one method on these windows, all of which have a true heart rate."""
    found = rows[rows[method].notna()]
    off = (found[method] - found.truth).to_numpy()
    error, people = np.abs(off), found.dataset + "/" + found.person
    told = {"people": people.nunique(), "windows": len(rows), "without": rows[method].isna().mean()}
    told |= dict(zip(("mae", "mae_low", "mae_high"), over_people(error, people)))
    told |= dict(zip(("bias", "limits_low", "limits_high"), limits(off, people)))
    told["within_5"] = (error <= WITHIN).mean() if len(error) else np.nan
    half = _surest(found, 0.5) if model and len(found) else []
    told["mae_surer_half"] = error[half].mean() if len(half) else np.nan
    told["in_band"] = found.truth.between(found.low, found.high).mean() if model and len(found) else np.nan
    return told


def over_people(values: np.ndarray, people: pd.Series) -> tuple[float, float, float]:
    """Mean of errors (n,) of windows, with a 95 % interval over the people that they belong to (NaN for a few)."""
    if not len(values):
        return np.nan, np.nan, np.nan
    by_person = pd.Series(np.asarray(values)).groupby(np.asarray(people)).agg(["sum", "size"])
    if len(by_person) < FEWEST:
        return float(np.mean(values)), np.nan, np.nan
    counts = resample(np.zeros(len(by_person)))
    draws = (by_person["sum"].to_numpy() @ counts) / (by_person["size"].to_numpy() @ counts)
    return error_interval(widened(draws[None], [len(by_person)])[0])


def limits(off: np.ndarray, people) -> tuple[float, float, float]:
    """Bias and 95 % limits of agreement of differences (n,): predicted minus true.

    Windows of one person are no independent measurements, so the variance is the sum of that within and that
    between people, by analysis of variance for people with different numbers of windows (Bland & Altman 2007, "where
    the true value varies"). Of one person only the former can be told. NaN for fewer than two differences."""
    off = np.asarray(off, float)
    if len(off) < 2:
        return (off.mean() if len(off) else np.nan), np.nan, np.nan
    groups = pd.Series(off).groupby(np.asarray(people))
    n, mean = groups.size().to_numpy(), groups.mean().to_numpy()
    if len(off) == len(n):  # a window each
        variance = off.var(ddof=1)
    else:
        variance = ((groups.var(ddof=0).to_numpy() * n).sum()) / (len(off) - len(n))  # within people
        if len(n) > 1:
            between = (n * (mean - off.mean()) ** 2).sum() / (len(n) - 1)
            each = (len(off) - (n**2).sum() / len(off)) / (len(n) - 1)
            variance += max(0.0, (between - variance) / each)
    reach = 1.96 * np.sqrt(variance)
    return off.mean(), off.mean() - reach, off.mean() + reach


def coverage(predictions: pd.DataFrame, method: str) -> pd.DataFrame:
    """dataset, kept (share of the windows with a heart rate, the surest first), windows, mae, within_5, and p (the
    least p_within_5 of those kept)."""
    rows, known = [], predictions[predictions.truth.notna() & predictions[method].notna()]
    for dataset, part in known.groupby("dataset", sort=False):
        error = (part[method] - part.truth).abs().to_numpy()
        for share in SHARES:
            kept = _surest(part, share)
            told = {"windows": len(kept), "mae": error[kept].mean(), "within_5": (error[kept] <= WITHIN).mean()}
            rows.append({"dataset": dataset, "kept": share} | told | {"p": part.p_within_5.to_numpy()[kept].min()})
    return pd.DataFrame(rows, columns=["dataset", "kept", "windows", "mae", "within_5", "p"])


def calibration(predictions: pd.DataFrame, method: str) -> pd.DataFrame:
    """What the model says of itself against what is: dataset, windows, p_within_5 (mean), within_5, in ten groups of
    equal size from the least sure on."""
    rows, known = [], predictions[predictions.truth.notna() & predictions[method].notna()]
    for dataset, part in known.groupby("dataset", sort=False):
        near = ((part[method] - part.truth).abs() <= WITHIN).to_numpy()
        p = part.p_within_5.to_numpy()
        for group in np.array_split(_surest(part, 1.0)[::-1], 10):
            if len(group):
                told = {"windows": len(group), "p_within_5": p[group].mean(), "within_5": near[group].mean()}
                rows.append({"dataset": dataset} | told)
    return pd.DataFrame(rows, columns=["dataset", "windows", "p_within_5", "within_5"])


def _surest(rows: pd.DataFrame, share: float) -> np.ndarray:
    """Positions of that share of the rows, at least one: the highest p_within_5, of equal ones the narrowest bands."""
    order = np.lexsort(((rows.high - rows.low).to_numpy(), -rows.p_within_5.to_numpy()))
    return order[: max(1, round(share * len(order)))]
