"""The even 25-Hz signal: samples stay where they were in time, and the filter is the one that it says."""

import os
import platform
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, resample, sosfilt_zi, sosfiltfilt, sosfreqz

from ppglib import windows
from ppglib.recordings import load
from ppglib.task import BAND, RATE
from ppglib.windows import Recording, build, even_signal, gather

RATES = [25.0, 50.0, 64.0, 125.0, 128.0]


def recording(ppg, rate, time=None):
    return Recording("own", "1", "r1", np.atleast_2d(ppg), rate, np.array([80.0]), time=time)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("frequency", [0.4, 0.6, 1.5, 3.5, 4.5])
def test_a_sine_keeps_its_phase_and_gets_the_gain_of_the_filter(rate, frequency):
    phase = 0.7
    t = np.arange(round(120 * rate)) / rate
    signal, *_ = even_signal(recording(np.sin(2 * np.pi * frequency * t + phase), rate))
    grid = np.arange(len(signal)) / RATE
    middle = slice(30 * RATE, 90 * RATE)  # whole periods, far from the ends
    turned = signal[middle] * np.exp(-2j * np.pi * frequency * grid[middle])
    sine = 2j * np.mean(turned)
    _, response = sosfreqz(butter(4, BAND, "bandpass", fs=rate, output="sos"), [frequency], fs=rate)
    assert len(signal) == 120 * RATE
    assert abs(sine) == pytest.approx(abs(response[0]) ** 2, rel=0.01, abs=1e-3)  # forward and backward
    assert np.angle(sine) == pytest.approx(phase, abs=0.01)


@pytest.mark.parametrize("edge", [0.5, 4.0])
def test_the_edges_of_the_band_are_where_both_passes_leave_half_the_amplitude(edge):
    t = np.arange(120 * 50) / 50
    signal, *_ = even_signal(recording(np.sin(2 * np.pi * edge * t), 50.0))
    middle = signal[30 * RATE : 90 * RATE]  # a Butterworth filter lets half the power through there, in each pass
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("rate", RATES)
def test_a_beat_stays_where_it_was(rate):
    t = np.arange(round(60 * rate)) / rate
    for beat in (20.0, 31.37):
        signal, *_ = even_signal(recording(np.exp(-0.5 * ((t - beat) / 0.12) ** 2), rate))
        assert signal.argmax() / RATE == pytest.approx(beat, abs=0.5 / RATE + 1e-9)


def test_a_beat_stays_where_it_was_on_uneven_time_stamps():
    rng = np.random.default_rng(1)
    time = np.arange(60 * 24.897) / 24.897 + rng.uniform(0, 0.01, int(60 * 24.897) + 1)
    ppg = np.exp(-0.5 * ((time - 31.37) / 0.12) ** 2)
    signal, *_ = even_signal(recording(ppg, 24.897, time=time))
    assert signal.argmax() / RATE == pytest.approx(31.37, abs=0.5 / RATE + 1e-9)


def test_a_day_at_an_odd_rate_stays_in_time():
    """A beat near its end, and the mask of the hole after it; a rate in whole thousandths would be 1.4 s late."""
    rate, beat, hole = 25.0004, 24 * 3600 - 60.0, 24 * 3600 - 40.0
    t = np.arange(round(24 * 3600 * rate)) / rate
    gaps = ((round(hole * rate), round((hole + 1) * rate)),)
    signal, gap, *_ = even_signal(replace(recording(np.exp(-(((t - beat) / 0.1) ** 2)), rate), gaps=gaps))
    assert np.abs(signal).argmax() / RATE == pytest.approx(beat, abs=0.05)
    assert np.flatnonzero(gap)[[0, -1]] / RATE == pytest.approx([hole, hole + 1], abs=0.1)


def test_windows_agree_with_a_filter_in_the_frequency_domain(simulated_root):
    rec = next(load("spc2015", simulated_root))
    windows = build([rec])
    raw = rec.ppg.mean(axis=0)
    _, response = sosfreqz(
        butter(4, BAND, "bandpass", fs=125, output="sos"), np.fft.rfftfreq(len(raw), 1 / 125), fs=125
    )
    filtered = np.fft.irfft(np.fft.rfft(raw) * np.abs(response) ** 2, len(raw))
    even = resample(filtered, len(raw) // 5)
    found = gather(windows.signal, windows.table.start.to_numpy())
    for second, window in zip(windows.table.second[4:-4], found[4:-4]):  # the ends are padded differently
        expected = even[int(25 * second) : int(25 * second) + 200]
        assert np.corrcoef(expected, window)[0, 1] > 0.9999


def test_channels_are_averaged():
    ppg = np.random.default_rng(0).normal(size=(3, 3000))
    many, one = even_signal(recording(ppg, 50.0))[0], even_signal(recording(ppg.mean(axis=0), 50.0))[0]
    np.testing.assert_array_equal(many, one)


@pytest.mark.parametrize("shape", [(1,), (2,), (40,), (5000,), (3, 700)])
def test_the_filter_is_scipys(shape):
    signal = np.random.default_rng(0).standard_normal(shape)
    for rate in (25, 50, 125, 64.5):
        sos = butter(4, BAND, "bandpass", fs=rate, output="sos")
        expected = sosfiltfilt(sos, signal, padlen=min(shape[-1] - 1, int(rate / BAND[0]) * 2))
        np.testing.assert_allclose(windows._bandpass(signal, rate), expected, atol=1e-9)
        np.testing.assert_allclose(windows._settled(sos), sosfilt_zi(sos), atol=1e-9)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names kernels of x86-64")
def test_the_last_bit_does_not_depend_on_the_processor():
    """With it, ids of records would: what BLAS does with the same numbers differs from kernel to kernel."""
    code = "import numpy as np; from ppglib.windows import _bandpass as f; r = np.random.default_rng(0)\n"
    code += "import hashlib; print([hashlib.md5(f(r.normal(size=4000), k).tobytes()).hexdigest() for k in (25, 50, 125)])"
    kernels = [{}, {"OPENBLAS_CORETYPE": "Haswell"}]  # what this processor gets, and what others get
    found = [subprocess.run([sys.executable, "-c", code], env=os.environ | k, capture_output=True, text=True, check=True).stdout for k in kernels]
    assert found[0] == found[1] != ""


@pytest.mark.parametrize("frequency", [0.25, 0.5, 1.4, 4.0, 8.0])
def test_the_band_is_from_30_to_240_beats_a_minute(frequency):
    """Against Butterworth's formula, twice: half of a sine is left at either edge. The numbers are typed here."""
    second = np.arange(125 * 120) / 125
    signal, *_ = even_signal(recording(np.sin(2 * np.pi * frequency * second), 125.0))
    gain = 1 / (1 + ((frequency**2 - 0.5 * 4.0) / (frequency * (4.0 - 0.5))) ** 8)
    assert np.sqrt(2) * signal[30 * RATE : 90 * RATE].std() == pytest.approx(gain, rel=0.1 if gain < 0.1 else 0.01)


@pytest.mark.parametrize(("periods", "missing"), [(1, False), (2, False), (2.5, False), (3, True)])
def test_a_sample_that_is_missing_is_bridged_and_two_are_not(periods, missing):
    time = np.arange(640) / 32  # a rate at which these gaps are exact
    time[320:] += (periods - 1) / 32
    _, gap, *_ = even_signal(recording(np.random.default_rng(0).normal(size=640), 32.0, time=time))
    assert gap.any() == missing
