"""The naive estimate: heart rate at the highest peak of a window's spectrum."""

import numpy as np
from scipy.fft import rfft, rfftfreq

SEARCH = (0.5, 3.5)  # Hz: 30 to 210 BPM, the range of the labels
POINTS = 4096  # zero-padded transform: a grid of 0.37 BPM at 25 Hz
CHUNK = 4096  # windows at a time: 70 MB of spectrum


def spectral_peak(windows: np.ndarray, rate: float = 25.0) -> np.ndarray:
    """Heart rate in BPM at the spectral maximum of each window: (N, 200) at `rate` Hz -> (N,) float64.

    Hann window, zero padding, highest power between 0.5 and 3.5 Hz; NaN for a window that is not finite.
    """
    frequency = rfftfreq(POINTS, 1 / rate)
    low, high = np.searchsorted(frequency, SEARCH)
    bpm = np.empty(len(windows))
    for start in range(0, len(windows), CHUNK):
        piece = np.asarray(windows[start : start + CHUNK], np.float32)
        taper = np.hanning(piece.shape[1]).astype(np.float32)
        power = np.abs(rfft(piece * taper, POINTS))[:, low:high]
        peak = 60 * frequency[low + power.argmax(axis=1)]
        bpm[start : start + CHUNK] = np.where(np.isfinite(piece).all(axis=1), peak, np.nan)
    return bpm
