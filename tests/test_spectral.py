"""The naive estimate against sines of known rate."""

import numpy as np
import pytest

from ppglib.metrics import spectral_peak, spectral_probabilities
from ppglib.task import CENTRES


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


def test_spectral_shares_of_a_sine():
    hr = np.random.default_rng(1).uniform(40, 205, 100)
    waves = np.sin(2 * np.pi * hr[:, None] / 60 * np.arange(200) / 25).astype(np.float32)
    shares = spectral_probabilities(waves)
    assert shares.shape == (100, 180) and shares.sum(1) == pytest.approx(1)
    assert np.abs(CENTRES[shares.argmax(1)] - hr).max() < 1
    angle = 2 * np.pi * CENTRES[70] / 60 * np.arange(200) / 25
    tapered = waves[3] * np.hanning(200)
    power = (tapered @ np.cos(angle)) ** 2 + (tapered @ np.sin(angle)) ** 2
    ratio = power / shares[3, 70]
    assert (shares[3] * ratio).sum() == pytest.approx(ratio)
    assert np.abs(CENTRES[shares.argmax(1)] - spectral_peak(waves)).max() < 1


def test_spectral_shares_of_no_signal():
    waves = np.zeros((3, 200), np.float32)
    waves[1] = np.nan
    shares = spectral_probabilities(waves)
    assert np.isnan(shares[1]).all() and shares[[0, 2]] == pytest.approx(1 / 180)
    assert spectral_probabilities(np.zeros((0, 200), np.float32)).shape == (0, 180)


def test_a_slow_drift_does_not_hide_the_pulse():
    """Without a taper the side lobes of what lies below the range would be the highest peak in it."""
    second = np.arange(200) / 25
    waves = np.sin(2 * np.pi * 100 / 60 * second) + 20 * np.sin(2 * np.pi * 0.17 * second + 1)
    assert abs(spectral_peak(waves[None])[0] - 100) < 1


@pytest.mark.parametrize("hr", [34, 207])
def test_the_whole_range_of_labels_is_searched(hr):
    phases = np.linspace(0, 6, 20)[:, None]
    waves = np.sin(2 * np.pi * hr / 60 * np.arange(200) / 25 + phases)
    assert np.abs(spectral_peak(waves) - hr).max() < 3


def test_spectral_shares_are_shares_of_power():
    waves = np.random.default_rng(2).normal(size=(1, 200))
    shares, tapered = spectral_probabilities(waves)[0], waves[0] * np.hanning(200)
    power = [abs(tapered @ np.exp(-2j * np.pi * CENTRES[k] / 60 * np.arange(200) / 25)) ** 2 for k in range(180)]
    assert shares == pytest.approx(np.array(power) / np.sum(power))
