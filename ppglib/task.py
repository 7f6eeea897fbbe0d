"""The task in numbers: 8 s of PPG at 25 Hz to one of 180 heart rates, and back to BPM (paper, section 2)."""

import numpy as np

RATE = 25  # Hz, of every window
WINDOW_SECONDS = 8.0
STEP_SECONDS = 2.0  # between the starts of two windows
LENGTH = round(RATE * WINDOW_SECONDS)  # samples of a window
BAND = (0.5, 4.0)  # Hz, of the filter: 30 to 240 BPM
BINS = 180  # classes of 1 BPM (WildPPG's head, which the paper uses)
LOWEST = 30  # BPM: bin k holds [30 + k, 31 + k)
HR_RANGE = (float(LOWEST), float(LOWEST + BINS))  # BPM, [low, high)
CENTRES = LOWEST + 0.5 + np.arange(BINS)
# How a heart rate is decoded from 180 probabilities, and the column of its error in every table.
DECODERS = {"argmax": "mae", "expectation": "mae_expectation", "median": "mae_median"}


def to_bin(hr: np.ndarray) -> np.ndarray:
    """Class of each heart rate in BPM: floor(HR) - 30, int64 in [0, 180). ValueError outside [30, 210)."""
    bins = np.floor(np.asarray(hr, float)).astype(np.int64) - LOWEST
    if bins.size and (bins.min() < 0 or bins.max() >= BINS):
        raise ValueError(f"heart rates must lie in [{LOWEST}, {LOWEST + BINS}) BPM")
    return bins


def decode(probabilities: np.ndarray, how: str = "argmax") -> np.ndarray:
    """BPM (N,) from probabilities (N, 180): bin centre of the largest (the paper), expectation or median.

    The median minimizes the expected absolute error; it is interpolated in its bin. ValueError for others."""
    if how == "argmax":
        return CENTRES[probabilities.argmax(axis=1)]
    if how == "expectation":
        return probabilities @ CENTRES
    if how != "median":
        raise ValueError(f"unknown decoder {how!r}: choose from {', '.join(DECODERS)}")
    return quantile(probabilities, 0.5)


def quantile(probabilities: np.ndarray, share: float) -> np.ndarray:
    """BPM (N,) below which lies that share of probabilities (N, 180), interpolated in its bin."""
    below = np.cumsum(probabilities, axis=1)
    wanted = below[:, -1:] * share
    k = (below < wanted).sum(axis=1)
    row = np.arange(len(k))
    mass = probabilities[row, k]
    before = below[row, k] - mass
    return LOWEST + k + np.where(mass > 0, (wanted[:, 0] - before) / np.where(mass > 0, mass, 1), 0.5)
