"""What is measured on the test windows of one network, and the two baselines that need no network."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.fft import rfft, rfftfreq

from ppglib.task import CENTRES, DECODERS, HR_RANGE, LENGTH, RATE, decode, to_bin
from ppglib.training import predict
from ppglib.windows import Windows, gather

CONFIDENCE_BINS = 10
PIECES = (0.4, 1.0, 2.0, 4.0)  # seconds, all dividing a window
POINTS, CHUNK = 4096, 4096  # of the zero-padded transform (0.37 BPM at 25 Hz); windows at a time (70 MB)


def evaluate(network, windows: Windows, rows: np.ndarray) -> dict:
    """Metrics of a network on the windows at `rows` (n,), use people whom it has not seen: see `measure`."""
    return measure(predict(network, windows, rows), windows.table.iloc[rows])


def measure(probabilities: np.ndarray, table: pd.DataFrame) -> dict:
    """Metrics of (N, 180) test probabilities against the windows' `table` (hr, dataset, person, activity).

    Returns mae, mae_expectation, mae_median, rmse (BPM), within5 (share of windows), nll (nats),
    ece, `people` and `reliability` (lists of rows)."""
    hr = table.hr.to_numpy()
    truth = to_bin(hr)
    at_truth = probabilities[np.arange(len(hr)), truth]
    measured = measures({how: np.abs(decode(probabilities, how) - hr) for how in DECODERS})
    measured["nll"] = -np.log(np.maximum(at_truth, np.finfo(np.float64).tiny))
    reliability = reliability_rows(probabilities, truth)
    nested = {"people": people_rows(measured, table), "reliability": reliability}
    return summarise(measured) | {"ece": expected_calibration_error(reliability)} | nested


def measures(errors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a mean over windows is taken of, from absolute errors (BPM) of each decoder.

    `squared` (BPM^2) and `within5` (0 or 1) are of the argmax."""
    by_decoder = {DECODERS[how]: error for how, error in errors.items()}
    return by_decoder | {"squared": errors["argmax"] ** 2, "within5": errors["argmax"] <= 5}


def summarise(measured: dict[str, np.ndarray]) -> dict:
    """Means over all windows, with the root of `squared` as rmse."""
    means = {name: float(values.mean()) for name, values in measured.items()}
    return means | {"rmse": math.sqrt(means.pop("squared"))}


def people_rows(measured: dict[str, np.ndarray], table: pd.DataFrame, keys=("dataset", "person", "activity")) -> list:
    """A row (dict) per person and activity: n and the mean of each measure; every pooled mean follows from them."""
    groups = pd.DataFrame({key: table[key].to_numpy() for key in keys} | measured).groupby(list(keys))
    means = groups.mean()
    means.insert(0, "n", groups.size())
    return means.reset_index().to_dict("records")


def errors_of_people(probabilities: np.ndarray, table: pd.DataFrame) -> list[dict]:
    """A row a person: dataset, person, n and the mean error (BPM) of each decoder, of (N, 180) and the windows' table."""
    errors = {DECODERS[how]: np.abs(decode(probabilities, how) - table.hr.to_numpy()) for how in DECODERS}
    return people_rows(errors, table, ("dataset", "person"))


def reliability_rows(probabilities: np.ndarray, truth: np.ndarray) -> list[dict]:
    """Per tenth of the confidence (the largest probability): n, mean confidence, share of hits."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    hit = probabilities.argmax(axis=1) == truth
    tenth = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    rows = []
    for k in np.unique(tenth):
        inside = tenth == k
        means = {"confidence": float(confidence[inside].mean()), "accuracy": float(hit[inside].mean())}
        rows.append({"bin": int(k), "n": int(inside.sum())} | means)
    return rows


def expected_calibration_error(reliability: list[dict]) -> float:
    """Mean over windows of |share of hits - confidence| per tenth (Guo et al. 2017, equation 3)."""
    total = sum(row["n"] for row in reliability)
    return sum(row["n"] * abs(row["accuracy"] - row["confidence"]) for row in reliability) / total


def permuted(network, windows: Windows, rows: np.ndarray) -> list[dict]:
    """How far a network errs where the pieces of each window at `rows` (n,) are put into another order.

    A row for each of PIECES (seconds) and person: seconds, dataset, person, n and the mean error (BPM) of each
    decoder. A network that sees far less than a piece has only the seams to notice (Brendel & Bethge 2019)."""
    table, rng, found = windows.table.iloc[rows], np.random.default_rng(0), []
    whole = gather(windows.signal, table.start.to_numpy())
    for seconds in PIECES:
        pieces = whole.reshape(len(whole), -1, round(seconds * RATE))
        order = rng.random(pieces.shape[:2]).argsort(axis=1)
        same = (order == np.arange(order.shape[1])).all(axis=1)
        order[same] = np.roll(order[same], 1, axis=1)  # every window in another order: of two pieces, half are not
        signal = pieces[np.arange(len(pieces))[:, None], order].ravel()
        moved = replace(windows, signal=signal, table=table.assign(start=np.arange(len(whole)) * LENGTH))
        rows_ = errors_of_people(predict(network, moved, np.arange(len(whole))), table)
        found += [{"seconds": seconds} | row for row in rows_]
    return found


def baselines(windows: Windows, train: np.ndarray, test: np.ndarray) -> dict[str, np.ndarray]:
    """What needs no network, BPM (n_test,): "mean" of the training labels, "spectral" peak of each window."""
    hr, start = (windows.table[name].to_numpy() for name in ("hr", "start"))
    mean = np.full(len(test), hr[train].mean())
    return {"mean": mean, "spectral": spectral_peak(gather(windows.signal, start[test]))}


def spectral_peak(windows: np.ndarray, rate: float = RATE) -> np.ndarray:
    """Heart rate in BPM at the spectral maximum of each window: (N, 200) at `rate` Hz -> (N,) float64.

    Hann window, zero padding, highest power in the range of the labels; NaN for a window that is not finite.
    """
    frequency = rfftfreq(POINTS, 1 / rate)
    low, high = np.searchsorted(frequency, np.array(HR_RANGE) / 60)
    bpm = np.empty(len(windows))
    for start in range(0, len(windows), CHUNK):
        piece = np.asarray(windows[start : start + CHUNK], np.float32)
        taper = np.hanning(piece.shape[1]).astype(np.float32)
        power = np.abs(rfft(piece * taper, POINTS))[:, low:high]
        peak = 60 * frequency[low + power.argmax(axis=1)]
        bpm[start : start + CHUNK] = np.where(np.isfinite(piece).all(axis=1), peak, np.nan)
    return bpm


def spectral_probabilities(windows: np.ndarray, rate: float = RATE) -> np.ndarray:
    """Share of each bin's centre in the power of a window: (N, 200) at `rate` Hz -> (N, 180) float64.

    Hann window. No probabilities of a heart rate, but they can be tracked as those of a network are; NaN for
    a window that is not finite, equal shares for one without power."""
    seconds = np.arange(np.shape(windows)[1]) / rate
    waves = np.exp(-2j * np.pi * np.outer(seconds, CENTRES / 60)) * np.hanning(len(seconds))[:, None]
    power = np.abs(windows @ waves) ** 2
    total = power.sum(1, keepdims=True)
    return np.divide(power, total, where=total != 0, out=np.full(power.shape, 1 / len(CENTRES)))
