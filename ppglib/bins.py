"""Heart rate as 180 classes of 1 BPM, and back (WildPPG's head, which the paper uses)."""

import numpy as np

BINS = 180
LOWEST = 30  # BPM: bin k holds [30 + k, 31 + k)
CENTRES = LOWEST + 0.5 + np.arange(BINS)
DECODERS = ("argmax", "expectation", "median")


def to_bin(hr: np.ndarray) -> np.ndarray:
    """Class of each heart rate in BPM: floor(HR) - 30, int64 in [0, 180)."""
    bins = np.floor(np.asarray(hr, float)).astype(np.int64) - LOWEST
    if bins.size and (bins.min() < 0 or bins.max() >= BINS):
        raise ValueError(f"heart rates must lie in [{LOWEST}, {LOWEST + BINS}) BPM")
    return bins


def decode(probabilities: np.ndarray, how: str = "argmax") -> np.ndarray:
    """BPM from (N, 180) probabilities by bin centre of the maximum, expectation, or median.

    The median is the one that minimizes an expected absolute error. Within its bin it is
    interpolated, as if the bin's probability were spread evenly over its 1 BPM.
    """
    if how == "argmax":
        return CENTRES[probabilities.argmax(axis=1)]
    if how == "expectation":
        return probabilities @ CENTRES
    if how != "median":
        raise ValueError(f"unknown decoder {how!r}: choose from {', '.join(DECODERS)}")
    below = np.cumsum(probabilities, axis=1)
    half = below[:, -1:] / 2
    k = (below < half).sum(axis=1)
    row = np.arange(len(k))
    mass = probabilities[row, k]
    before = below[row, k] - mass
    return LOWEST + k + np.where(mass > 0, (half[:, 0] - before) / np.where(mass > 0, mass, 1), 0.5)
