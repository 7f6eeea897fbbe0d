"""What is measured on the test windows of one network."""

import math

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
    truth = to_bin(hr)
    at_truth = probabilities[np.arange(len(hr)), truth]
    measured = measures({how: np.abs(decode(probabilities, how) - hr) for how in DECODERS})
    measured["nll"] = -np.log(np.maximum(at_truth, np.finfo(np.float64).tiny))
    reliability = reliability_rows(probabilities, truth)
    return {
        **summarise(measured),
        "ece": expected_calibration_error(reliability),
        "people": people_rows(measured, table),
        "reliability": reliability,
    }


def measures(errors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a mean over windows is taken of, from absolute errors (BPM) of each decoder.

    `squared` (BPM^2) and `within5` (0 or 1) are of the argmax.
    """
    return {
        "mae": errors["argmax"],
        "mae_expectation": errors["expectation"],
        "mae_median": errors["median"],
        "squared": errors["argmax"] ** 2,
        "within5": errors["argmax"] <= 5,
    }


def summarise(measured: dict[str, np.ndarray]) -> dict:
    """Means over all windows, with the root of `squared` as rmse."""
    means = {name: float(values.mean()) for name, values in measured.items()}
    return means | {"rmse": math.sqrt(means.pop("squared"))}


def people_rows(measured: dict[str, np.ndarray], table: pd.DataFrame) -> list[dict]:
    """One row per person and activity: n and the mean of each measure; every pooled mean follows from them."""
    keys = ["dataset", "person", "activity"]
    frame = table[keys].reset_index(drop=True).assign(n=1, **measured)
    how = {"n": "sum"} | dict.fromkeys(measured, "mean")
    return frame.groupby(keys).agg(how).reset_index().to_dict("records")


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
