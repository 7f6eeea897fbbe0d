"""What is measured on the test windows of one network."""

import numpy as np
import pandas as pd

from ppglib.bins import DECODERS, decode, to_bin

CONFIDENCE_BINS = 10


def evaluate(probabilities: np.ndarray, table: pd.DataFrame) -> dict:
    """Metrics of (N, 180) test probabilities against the windows' `table` (hr, dataset, person, activity).

    Returns mae, mae_expectation, mae_median, rmse (BPM), within5 (share of windows), nll (nats),
    ece, `people` and `reliability` (lists of rows).
    """
    hr = table.hr.to_numpy()
    errors = {how: np.abs(decode(probabilities, how) - hr) for how in DECODERS}
    truth = to_bin(hr)
    at_truth = probabilities[np.arange(len(hr)), truth]
    reliability = reliability_rows(probabilities, truth)
    return {
        **summarise(errors),
        "nll": float(-np.log(np.maximum(at_truth, np.finfo(np.float64).tiny)).mean()),
        "ece": expected_calibration_error(reliability),
        "people": people_rows(errors, table),
        "reliability": reliability,
    }


def summarise(errors: dict[str, np.ndarray]) -> dict:
    """MAE of each decoder, RMSE and share within 5 BPM of the argmax, from absolute errors in BPM."""
    headline = errors["argmax"]
    return {
        "mae": float(headline.mean()),
        "mae_expectation": float(errors["expectation"].mean()),
        "mae_median": float(errors["median"].mean()),
        "rmse": float(np.sqrt((headline**2).mean())),
        "within5": float((headline <= 5).mean()),
    }


def people_rows(errors: dict[str, np.ndarray], table: pd.DataFrame) -> list[dict]:
    """One row per person and activity: n and the MAE of each decoder; every pooled MAE follows from them."""
    columns = {"argmax": "mae", "expectation": "mae_expectation", "median": "mae_median"}
    frame = table[["dataset", "person", "activity"]].reset_index(drop=True)
    frame = frame.assign(n=1, **{columns[how]: error for how, error in errors.items()})
    groups = frame.groupby(["dataset", "person", "activity"])
    return (
        groups.agg(n=("n", "sum"), **{c: (c, "mean") for c in columns.values()})
        .reset_index()
        .to_dict("records")
    )


def reliability_rows(probabilities: np.ndarray, truth: np.ndarray) -> list[dict]:
    """Per tenth of the confidence (the largest probability): n, mean confidence, share of hits."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    hit = probabilities.argmax(axis=1) == truth
    tenth = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    return [
        {
            "bin": int(k),
            "n": int((tenth == k).sum()),
            "confidence": float(confidence[tenth == k].mean()),
            "accuracy": float(hit[tenth == k].mean()),
        }
        for k in np.unique(tenth)
    ]


def expected_calibration_error(reliability: list[dict]) -> float:
    """Mean over windows of |share of hits - confidence| per tenth (Guo et al. 2017, equation 3)."""
    total = sum(row["n"] for row in reliability)
    return sum(row["n"] * abs(row["accuracy"] - row["confidence"]) for row in reliability) / total
