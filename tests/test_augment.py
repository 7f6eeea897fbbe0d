"""Recordings as they might have been: labels go with the speed, what is added is of the size of the pulse, and all follows
the seed."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from ppglib import recordings
from ppglib.metrics import spectral_peak
from ppglib.study import augment
from ppglib.study.augment import augmented, clean, echoed, played, still, windows_of, worn
from ppglib.windows import Recording, gather

RATE, SECONDS = 50.0, 60


def wave(bpm, rate=RATE, seconds=SECONDS, **more):
    """A sine at a heart rate that rises from `bpm` by 0.1 BPM a second, with labels of the middle of each window."""
    t, centres = np.arange(round(seconds * rate)) / rate, 4 + 2.0 * np.arange(int((seconds - 8) // 2) + 1)
    signal = np.sin(2 * np.pi * (bpm * t + 0.05 * t**2) / 60)
    return Recording("own", "a", "a", signal[None], rate, bpm + 0.1 * centres, **more)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.0, 1.6])
def test_a_recording_at_another_speed_is_that_of_another_heart_rate(speed):
    found = played(wave(100.0), speed)
    # the same, written down: a window at 2 j s is centred at 2 j + 4 s, that is at `speed` times as much of the old clock
    centres = 4 + 2.0 * np.arange(len(found.hr))
    known = (speed * centres >= 4) & (speed * centres <= 4 + 52)
    np.testing.assert_allclose(found.hr[known], speed * (100 + 0.1 * speed * centres[known]))
    assert np.isnan(found.hr[~known]).all() and len(found.hr) == int((SECONDS / speed - 8) // 2) + 1
    windows = windows_of([found])
    peak = spectral_peak(gather(windows.signal, windows.table.start.to_numpy()))
    assert 0 <= known.sum() - len(windows.table) <= 1  # the last one ends with the last sample
    assert np.abs(peak - windows.table.hr).max() < 1.0


def test_playing_at_its_own_speed_changes_nothing_and_stamps_are_played_too():
    recording = wave(90.0)
    same = played(recording, 1.0)
    np.testing.assert_array_equal(same.hr, recording.hr)
    assert same.rate == RATE and same.ppg is recording.ppg
    stamped = played(replace(recording, time=np.arange(recording.ppg.shape[1]) / RATE), 0.5)
    even = played(recording, 0.5)
    n = len(stamped.hr)
    np.testing.assert_array_equal(stamped.hr, even.hr[:n])
    np.testing.assert_allclose(windows_of([stamped]).signal, windows_of([replace(even, hr=even.hr[:n])]).signal, atol=1e-5)


def test_a_missing_label_is_missing_beside_it_too():
    recording = wave(90.0)
    recording.hr[10] = np.nan
    centres = 0.7 * (4 + 2.0 * np.arange(30))
    beside = np.abs(centres - 24) < 2  # label 10 is of 24 s
    assert (np.isnan(played(recording, 0.7).hr[:30]) == beside | (centres < 4)).all()


def test_only_labels_where_the_pulse_prevails_are_kept():
    recording = wave(90.0)
    wrong = np.arange(len(recording.hr)) % 3 == 0
    found = clean(replace(recording, hr=recording.hr + 20 * wrong))
    wrong[-1] = True  # the last window ends with the last sample, and is not looked at
    assert (np.isnan(found.hr) == wrong).all() and (found.hr[~wrong] == recording.hr[~wrong]).all()


def test_an_echo_is_the_pulse_again_smaller_and_later():
    pulse = np.zeros(200)
    pulse[50] = 1.0
    for seed in range(20):
        found = echoed(np.random.default_rng(seed), pulse, 100.0)
        (late,) = np.flatnonzero(found[51:]) + 1
        assert found[50] == 1 and 20 <= late <= 50 and 0 < found[50 + late] <= 0.8
    level = echoed(np.random.default_rng(0), np.full(200, 5.0), 100.0)
    assert np.ptp(level) < 1e-12  # no step where the echo begins


def test_wear_is_measured_in_pulses_whatever_the_unit_and_the_offset():
    ppg = wave(90.0).ppg[0]
    once, again, other = (worn(np.random.default_rng(seed), ppg, RATE) for seed in (0, 0, 1))
    assert (once == again).all() and (once != other).any() and np.isfinite(once).all()
    scaled = worn(np.random.default_rng(0), 1e6 + 1e3 * ppg, RATE)
    np.testing.assert_allclose((scaled - 1e6) / 1e3, once, atol=1e-5)
    added = [np.std(worn(np.random.default_rng(seed), ppg, RATE) - ppg) / np.std(ppg) for seed in range(40)]
    assert 0.5 < np.median(added) < 5


def test_simulated_pulses_have_the_heart_rate_that_another_library_counts():
    import neurokit2

    near, seen = [], []
    for seed in range(30):
        recording = still(np.random.default_rng(seed))
        seen.append(recording.hr.mean())
        with warnings.catch_warnings(action="ignore"):
            beats = neurokit2.ppg_findpeaks(recording.ppg[0], sampling_rate=50)["PPG_Peaks"] / 50
        counted = 60 * (len(beats) - 1) / (beats[-1] - beats[0])
        near.append(abs(counted - recording.hr.mean()))
        assert recording.simulated and len(recording.hr) == 27 and np.isfinite(recording.hr).all()
    slow = np.array(seen) < 150  # that library needs 0.3 s between two beats
    assert np.median(np.array(near)[slow]) < 1 and min(seen) < 45 and max(seen) > 170


def test_what_is_learned_holds_every_recording_both_ways_up_and_follows_the_seed(simulated_root, monkeypatch):
    monkeypatch.setattr(augment, "COPIES", 4)
    monkeypatch.setattr(augment, "WORN", dict.fromkeys(augment.WORN, 0.0))
    people = list(recordings.load("bami1", simulated_root))
    windows, again, other = (augmented(people, seed) for seed in (0, 0, 1))
    assert windows.digest() == again.digest() != other.digest()
    table, plain = windows.table, windows_of(people, (1, -1))
    real = table[table.dataset == "bami1"]
    assert 0 < (~real.hr.isin(plain.table.hr)).mean() < 0.4 and real.hr.min() < plain.table.hr.min()
    assert abs((table.dataset == "simulated").sum() / (4 * sum(len(r.hr) for r in people)) - augment.STILL) < 0.03
    known = {row.tobytes() for row in np.round(plain.signal.reshape(-1, 200), 3) + 0.0}
    rows = np.round(windows.signal.reshape(-1, 200), 3) + 0.0
    as_it_is = np.array([row.tobytes() in known for row in rows])
    assert as_it_is.sum() == 2 * len(known)  # each window of each sign, in two of four copies
