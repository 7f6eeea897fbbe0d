"""Slowed and quickened recordings: the pulse is where the label says, and nobody who is tested is trained on."""

import numpy as np
import pandas as pd
import pytest

from ppglib import recordings
from ppglib.metrics import spectral_peak
from ppglib.resnet1d import Design
from ppglib.splits import split
from ppglib.study import paces, shipped
from ppglib.windows import Recording, gather


@pytest.mark.parametrize("factor", [0.65, 1, 1.25, 1.6])
@pytest.mark.parametrize("stamps", [True, False])
def test_the_pulse_of_a_changed_recording_is_what_its_label_says(factor, stamps):
    """A pulse whose rate rises from 90 to 120 BPM over two minutes."""
    time = np.arange(120 * 50) / 50
    beats = (90 * time + 0.125 * time**2) / 60
    hr = 90 + 0.25 * (2 * np.arange(57) + 4)
    recording = Recording("own", "1", "1", np.cos(2 * np.pi * beats)[None], 50.0, hr, time=time if stamps else None)
    windows = shipped.windows_of([paces.changed(recording, factor)], (1,))
    assert len(windows.table) == pytest.approx(57 * factor, abs=3)
    found = spectral_peak(gather(windows.signal, windows.table.start.to_numpy()))
    np.testing.assert_allclose(found, windows.table.hr, atol=1.0)
    middle = (windows.table.second + 4) / factor  # of the recording as it was
    np.testing.assert_allclose(windows.table.hr, (90 + 0.25 * middle) / factor, atol=0.01)


def test_rare_rates_are_drawn_and_evened_out():
    table = pd.DataFrame({"hr": np.concatenate([np.full(2000, 70.0), np.full(200, 50.0), np.full(900, 120.0), [84.9, 85, 160, 161]])})
    drawn = paces.rare(table, 300)
    assert len(drawn) == len(set(drawn)) == 300 and (np.diff(drawn) > 0).all()
    counts = table.hr.iloc[drawn].value_counts()
    assert {50.0, 70.0} <= set(counts.index) <= {50.0, 70.0, 84.9, 161.0} and counts[50] > 100 < counts[70]
    assert len(paces.rare(table, 9999)) == 2202 and not len(paces.rare(table.assign(hr=100.0), 5))
    assert not np.array_equal(drawn, paces.rare(table, 300, seed=1))


def test_changed_windows_are_of_people_who_are_trained_on(simulated_root, monkeypatch):
    people = [r for name in ("spc2015", "bami1") for r in recordings.load(name, simulated_root)]
    windows = shipped.windows_of(people, (1, -1))
    everything, seen = shipped.beside(windows, people), []
    n, counts = len(windows.table), shipped.counts_of(everything, len(windows.table))
    added, disturbed, simulated = (counts[kind] for kind in ("changed", "disturbed", "simulated"))
    more, made = everything.table.iloc[n : n + added], everything.table.iloc[n + added + disturbed :]
    assert everything.table.iloc[:n].equals(windows.table) and counts["recorded"] == n
    assert [added, disturbed, simulated] == [round(shipped.CHOSEN[kind] * n) for kind in ("changed", "disturbed", "simulated")]
    assert made.simulated.all() and len(made) == simulated and not everything.table.simulated[: n + added + disturbed].any()
    assert ((more.hr < paces.SLOW) | (more.hr > paces.FAST)).all()
    assert np.array_equal(everything.signal[: n * 200], windows.signal)
    monkeypatch.setattr(shipped, "trained", lambda design, given, rows, fold: seen.append(rows))
    monkeypatch.setattr(shipped, "predict", lambda network, given, rows: rows)
    for fold in (0, 1):
        _, tested = shipped.held_out_probabilities(Design(1), windows, everything, fold)
        of = lambda rows: set(map(tuple, everything.table[["dataset", "person"]].to_numpy()[rows]))  # noqa: E731
        rows, other = split(windows, fold)
        assert of(seen[-1]) == of(rows) | {("", "")} and of(tested) == of(other) and not of(rows) & of(other)
        assert set(rows) < set(seen[-1]) and set(other) < set(tested)
        slowed = tested[tested >= n]
        assert len(slowed) and slowed.max() < n + added and (everything.table.hr[slowed] < paces.SLOW).all()
        others = everything.table.iloc[n : n + added + disturbed]
        kept = others.index[[one in of(rows) for one in map(tuple, others[["dataset", "person"]].to_numpy())]]
        assert set(kept) | set(made.index) == set(seen[-1][seen[-1] >= n])


def test_a_disturbed_recording_keeps_its_pulse_and_labels():
    time = np.arange(120 * 50) / 50
    recording = Recording("own", "1", "1", np.cos(2 * np.pi * 1.5 * time)[None], 50.0, np.full(57, 90.0))
    worse = paces.disturbed(recording, 1)
    windows = shipped.windows_of([worse], (1,))
    found = spectral_peak(gather(windows.signal, windows.table.start.to_numpy()))
    assert (np.abs(found - 90) < 2).mean() > 0.9 and np.array_equal(worse.hr, recording.hr)
    plain = shipped.windows_of([recording], (1,)).signal
    assert np.std(windows.signal) < np.std(plain)  # each window has its largest value at 1: peaks are uneven
    assert not np.array_equal(worse.ppg, paces.disturbed(recording, 2).ppg)


@pytest.mark.parametrize("smooth", [True, False])
def test_simulated_pulses_beat_as_their_labels_say(smooth):
    rows, hr = paces.pulses(500, smooth)
    assert rows.shape == (500, 200) and rows.dtype == np.float32 and ((hr >= 30) & (hr < 210)).all()
    assert np.histogram(hr, [30, 75, 120, 165, 210])[0].min() > 90
    off = np.abs(spectral_peak(rows) - hr)
    harmonic = np.abs(spectral_peak(rows) - 2 * hr) < 4  # of two waves a beat the second can be the larger part
    assert np.median(off) < 1 and (off < 4).mean() > 0.6 and ((off < 4) | harmonic).mean() > 0.85
    assert not np.array_equal(rows, paces.pulses(500, smooth, seed=1)[0])
    slow, time = (hr > 50) & (hr < 70), np.arange(200) / 25
    once, twice = (abs((rows * np.exp(-2j * np.pi * n * hr[:, None] / 60 * time)).sum(1)[slow]) for n in (1, 2))
    assert smooth == (np.quantile(twice / once, 0.1) < 0.22)  # of a sine there is none at twice the rate
