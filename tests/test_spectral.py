"""The naive estimate against sines of known rate."""

import numpy as np
import pytest

from ppglib.metrics import spectral_peak


@pytest.mark.parametrize("rate", [25.0, 31.25])
def test_spectral_peak_of_a_sine(rate):
    hr = np.random.default_rng(0).uniform(40, 205, 500)
    phase = np.linspace(0, 6, 500)[:, None]
    waves = np.sin(2 * np.pi * hr[:, None] / 60 * np.arange(200) / rate + phase).astype(np.float32)
    assert np.abs(spectral_peak(waves, rate) - hr).max() < 0.5


def test_spectral_peak_of_no_signal():
    waves = np.ones((3, 200), np.float32)
    waves[1] = np.nan
    assert np.isnan(spectral_peak(waves)).tolist() == [False, True, False]
    assert spectral_peak(np.zeros((0, 200), np.float32)).shape == (0,)
