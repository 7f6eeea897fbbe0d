"""Heart rate from an ECG: the rule against brute force, the detectors against simulated truth."""

import itertools

import numpy as np
import pytest
from formats import body
from hypothesis import given, settings
from hypothesis import strategies as st

from ppglib import simulate
from ppglib.files import InputError
from ppglib.recordings import ecg

MINUTES, WINDOWS = 20, (20 * 60 - 8) // 2 + 1


def brute_force(beats, windows):
    """The published rule, one interval and one window at a time."""
    rr = [b - a for a, b in itertools.pairwise(beats)]
    good = set()
    for i in range(len(rr) - 3):
        run = rr[i : i + 4]
        if max(run) <= 60 / 35 and min(run) >= 60 / 185 and max(run) < 1.25 * min(run):
            good |= set(range(i, i + 4))
    hr = []
    for w in range(windows):
        inside = [rr[i] for i in sorted(good) if 2 * w <= (beats[i] + beats[i + 1]) / 2 < 2 * w + 8]
        enough = len(inside) >= 2 and sum(inside) >= 6
        hr.append(60 * len(inside) / sum(inside) if enough else np.nan)
    return np.array(hr)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([0.2, 0.33, 0.5, 0.6, 0.7, 1.0, 1.1, 1.3, 1.8, 30.0]), max_size=60))
def test_rule_equals_brute_force(rr):
    beats = np.cumsum([0.3, *rr])  # multiples of 0.01 s, so that no sum is on the edge by rounding alone
    np.testing.assert_allclose(ecg.from_beats(beats, 20), brute_force(list(beats), 20), rtol=1e-9)


def test_constant_rhythm_and_limits():
    for bpm, valid in ((36, True), (60, True), (184, True), (34, False), (187, False)):
        hr = ecg.from_beats(np.arange(0, 60, 60 / bpm), 20)
        assert np.allclose(hr, bpm) if valid else np.isnan(hr).all()


@pytest.mark.parametrize("bpm", [36, 60, 184])
def test_a_window_at_the_edge_of_a_gap_is_left_without_label(bpm):
    beats = np.arange(0, 120, 60 / bpm)
    hr = ecg.from_beats(beats[(beats < 50) | (beats > 70)], 57)
    start = 2.0 * np.arange(57)
    assert np.isnan(hr[(start > 44 + 60 / bpm) & (start < 68 - 60 / bpm)]).all()
    assert np.allclose(hr[(start + 8 < 50 - 60 / bpm) | (start > 70 + 60 / bpm)][:-2], bpm)


def test_one_false_beat_spoils_only_its_neighbourhood():
    beats = np.sort(np.append(np.arange(0, 120, 0.75), 60.3))
    hr = ecg.from_beats(beats, 57)
    assert np.allclose(hr[~np.isnan(hr)], 80) and np.isnan(hr).sum() == 0
    assert (~ecg.plausible(np.diff(beats))).sum() == 2


@pytest.mark.parametrize("rate", [128.0, 130.487, 700.0])
def test_clean_ecg_gives_the_true_heart_rate(rate):
    person = simulate.person(11, MINUTES)
    hr, vetoed = ecg.window_hr(body.ecg(person, rate), rate, WINDOWS, "x")
    off = np.abs(hr - simulate.window_hr(person, WINDOWS))
    valid = ~np.isnan(hr)
    assert vetoed == 0 and valid.mean() > 0.9 and (off[valid] < 1).mean() >= 0.99


def test_time_stamps_place_the_beats():
    person, rate = simulate.person(14, MINUTES), 130.487
    signal = body.ecg(person, rate)
    time = np.arange(len(signal)) / rate
    cut = (time < 300) | (time > 360)  # a minute was lost
    hr, _ = ecg.window_hr(signal[cut], rate, WINDOWS, "x", time[cut])
    truth = simulate.window_hr(person, WINDOWS)
    start = 2.0 * np.arange(WINDOWS)
    inside = (start >= 300) & (start + 8 <= 360)
    assert np.isnan(hr[inside]).all()
    valid = ~np.isnan(hr)
    off = np.abs(hr - truth)[valid]
    assert (off < 1).mean() >= 0.99 and len(off) > 400


def test_the_second_detector_vetoes(monkeypatch):
    person, rate = simulate.person(13, 3), 128.0
    signal, windows = body.ecg(person, rate), 87
    first, _ = ecg.window_hr(signal, rate, windows, "x")
    peaks = ecg._neurokit_peaks(signal, rate)
    slower = np.append(peaks[peaks < 60 * rate], np.arange(60 * rate, len(signal), rate)).astype(
        int
    )  # 60 BPM
    monkeypatch.setattr(ecg, "_neurokit_peaks", lambda *_: slower)
    second, vetoed = ecg.window_hr(signal, rate, windows, "x")
    off = np.abs(first - ecg.from_beats(slower / rate, windows)) > ecg.VETO
    assert vetoed == off.sum() > 10
    np.testing.assert_array_equal(second, np.where(off, np.nan, first))


@pytest.mark.parametrize("signal", [np.zeros(60_000), np.full(60_000, np.nan), np.zeros(3), np.zeros(0)])
def test_no_beats_is_an_error_that_names_the_file(signal):
    with pytest.raises(InputError, match=r"sternum\.mat: no plausible heart beats"):
        ecg.window_hr(signal, 128.0, 50, "sternum.mat")


def test_noise_alone_has_no_heart_rate():
    noise = np.random.default_rng(0).normal(size=128 * 600)
    try:
        hr, _ = ecg.window_hr(noise, 128.0, 297, "x")
    except InputError:
        return
    assert np.isnan(hr).mean() > 0.9


def test_a_burst_of_noise_spoils_only_its_minute():
    person, rate = simulate.person(2, MINUTES), 128.0
    signal = body.ecg(person, rate)
    signal[int(300 * rate) : int(306 * rate)] += np.random.default_rng(0).normal(0, 1.5, int(6 * rate))
    hr, _ = ecg.window_hr(signal, rate, WINDOWS, "x")
    start = 2.0 * np.arange(WINDOWS)
    lost = np.isnan(hr) & ~np.isnan(simulate.window_hr(person, WINDOWS))
    # of one piece, sleepecg finds no more beats after this burst until the end of the signal
    assert lost[(start > 296) & (start < 302)].any() and not lost[(start < 230) | (start > 370)].any()
