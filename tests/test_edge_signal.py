"""The C code before and after a network: the library's own windows, the causal filter of scipy, the median of the task."""

import ctypes
import shutil

import numpy as np
import pytest

from ppglib.edge import c_code, host, signal
from ppglib.edge.graph import graph
from ppglib.files import InputError
from ppglib.models.cut import cut, finer
from ppglib.resnet1d import ResNet1D
from ppglib.task import BINS, LENGTH, quantile
from ppglib.windows import _bandpass, gather

FLOATS = ctypes.POINTER(ctypes.c_float)
needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler, cc")


def pulse(rate, seconds=31.0):
    """Samples like those of a sensor: a large offset, a drift, a pulse that changes, noise."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.1, len(time))
    return 2e5 + 300 * time + 900 * (np.sin(2 * np.pi * (1.3 + 0.02 * time) * time) + noise)


def built(folder, rate, causal=0):
    network = ResNet1D(1, width=4, strides=(4, 2)).eval()
    files = c_code.files_of(graph(network), {}) | signal.files_of(rate)
    files["ppg_signal.h"] = files["ppg_signal.h"].replace("#define PPG_CAUSAL 0", f"#define PPG_CAUSAL {causal}")
    library = host.compiled(files, folder)
    library.ppg_push.argtypes = [ctypes.c_void_p, ctypes.c_float]
    library.ppg_window.argtypes = [ctypes.c_void_p, FLOATS]
    library.ppg_median.argtypes, library.ppg_median.restype = [FLOATS], ctypes.c_float
    return library


def streamed(library, samples):
    """Windows (N, 200) as they come, and after how many samples each came."""
    stream, window = ctypes.create_string_buffer(1 << 16), (ctypes.c_float * LENGTH)()
    library.ppg_start(stream)
    found, when = [], []
    for i, sample in enumerate(samples):
        if library.ppg_push(stream, sample):
            found.append(np.array(window) if library.ppg_window(stream, window) else np.full(LENGTH, np.nan))
            when.append(i)
    return np.array(found), when


@needs_compiler
@pytest.mark.parametrize("rate", [25.0, 50.0, 64.0, 30.0, 125.0, 16.5])
def test_a_window_is_that_of_the_library(tmp_path, rate):
    samples = pulse(rate)
    found, when = streamed(built(tmp_path, rate), samples)
    numbers = np.arange(12)
    rows, reasons = cut(np.arange(len(samples)) / rate, samples, numbers, rate)
    assert (reasons == "").all() and len(found) == 12
    if (rate / 25).is_integer():  # else a window's last moment lies between two samples, of which the library takes one
        np.testing.assert_allclose(found, gather(rows.ravel(), numbers * LENGTH), atol=5e-3)
    grid = numbers[:, None] * 2 + np.arange(LENGTH * finer(rate)) / (25 * finer(rate))
    rows = _bandpass(np.interp(grid, np.arange(len(samples)) / rate, samples), 25 * finer(rate))[:, :: finer(rate)]
    np.testing.assert_allclose(found, gather(rows.ravel(), numbers * LENGTH), atol=5e-3)
    # A window is there with the sample that ends its last step of the grid.
    assert np.all(np.abs(np.array(when) / rate - (8 + 2 * numbers)) <= 1 / 25 + 1 / rate + 1e-9)


@needs_compiler
@pytest.mark.parametrize("rate", [25.0, 64.0, 125.0])
def test_a_causal_window_is_that_of_scipy(tmp_path, rate):
    samples, numbers = pulse(rate), np.arange(12)
    found, _ = streamed(built(tmp_path, rate, causal=1), samples)
    rows = signal.causal(samples, rate, numbers)
    np.testing.assert_allclose(found[:12], gather(rows.ravel(), numbers * LENGTH), atol=5e-3)
    changed = samples.copy()
    changed[len(samples) // 2 :] = 2e5  # what comes later changes nothing
    assert (signal.causal(changed, rate, numbers[:3]) == rows[:3]).all() and not np.allclose(
        signal.causal(changed, rate, numbers[-1:]), rows[-1:]
    )


@needs_compiler
@pytest.mark.parametrize("causal", [0, 1])
def test_no_pulse_is_no_window(tmp_path, causal):
    library = built(tmp_path, 25.0, causal)
    for samples in (np.full(300, 7e4), np.r_[pulse(25.0)[:100], np.nan, pulse(25.0)[:250]]):
        found, _ = streamed(library, samples)
        assert len(found) >= 3 and np.isnan(found[1]).all()


@needs_compiler
def test_the_median_is_that_of_the_task(tmp_path):
    library, logits = built(tmp_path, 25.0), np.random.default_rng(0).normal(0, 3, (50, BINS)).astype(np.float32)
    shares = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(1, keepdims=True)
    found = [library.ppg_median(row.ctypes.data_as(FLOATS)) for row in logits]
    np.testing.assert_allclose(found, quantile(shares, 0.5), atol=1e-2)
    lost = np.full(BINS, np.nan, np.float32)
    assert np.isnan(library.ppg_median(lost.ctypes.data_as(FLOATS)))


@pytest.mark.parametrize("rate", [10.0, 2000.0, np.nan])
def test_rates_that_no_sensor_has_are_refused(rate):
    with pytest.raises(InputError, match="choose from 16 to 1000 Hz"):
        signal.files_of(rate)
