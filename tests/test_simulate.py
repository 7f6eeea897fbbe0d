"""The simulated people: plausible, different, repeatable, and written as published."""

import hashlib
import time

import numpy as np
import pytest
import scipy.io
from formats import body
from scipy.signal import butter, find_peaks, sosfiltfilt

from ppglib import simulate
from ppglib.files import InputError
from ppglib.metrics import spectral_peak
from ppglib.recordings import load
from ppglib.recordings.base import window_count
from ppglib.simulate import open_formats
from ppglib.windows import build, gather


def test_beats_follow_the_heart_rate():
    person = simulate.person(7, 10)
    rr = np.diff(person.r_peaks)
    expected = 60 / body.hr_at(person, person.r_peaks[:-1] + rr / 2)
    assert np.all(rr > 0.25) and person.r_peaks[-1] < 600
    assert np.mean(np.abs(rr / expected - 1)) < 0.03  # respiration and jitter, no drift
    assert len(person.r_peaks) == pytest.approx(np.mean(body.hr_at(person, np.arange(600))) * 10, abs=3)


def test_window_hr_is_sixty_over_the_mean_rr_interval():
    person = simulate.person(1, 3)
    hr = simulate.window_hr(person, 80)
    for window in (0, 17, 79):
        start, inside = 2 * window, []
        for before, after in zip(person.r_peaks, person.r_peaks[1:]):
            if start <= (before + after) / 2 < start + 8:
                inside.append(after - before)
        assert hr[window] == pytest.approx(60 * len(inside) / sum(inside))
    assert np.isnan(simulate.window_hr(person, 200)[100:]).all()  # after the end


def test_hr_rises_with_effort_and_activities_cover_the_recording():
    person = simulate.person(3, 12)
    t = np.arange(0, 720, 1.0)
    activity, hr = body.activity_at(person, t), body.hr_at(person, t)
    assert person.spans[0][0] == 0 and person.spans[-1][1] == 720
    assert all(a[1] == b[0] for a, b in zip(person.spans, person.spans[1:]))
    assert hr[activity == "run"].mean() > hr[activity == "walk"].mean() + 10 > hr[activity == "rest"].mean()
    assert (body.activity_at(person, np.arange(4, 10)) == "rest").all()


def test_pulses_arrive_after_the_r_peaks():
    person = simulate.person(5, 2, ("rest",))
    ppg = simulate.ppg(person, 100)[0]
    beats = person.r_peaks[(person.r_peaks > 2) & (person.r_peaks < 118)]
    clean = sosfiltfilt(butter(2, (0.5, 8), "bandpass", fs=100, output="sos"), ppg)
    after = np.round(beats[:, None] * 100 + np.arange(60)).astype(int)
    delay = np.median(clean[after].argmax(axis=1)) / 100
    assert 0.2 < delay < 0.5


def test_ecg_peaks_are_the_r_peaks():
    person = simulate.person(5, 2)
    found, _ = find_peaks(body.ecg(person, 250), height=0.6, distance=50)
    assert len(found) == len(person.r_peaks)
    assert np.max(np.abs(found / 250 - person.r_peaks)) < 0.008


def test_same_seed_same_signal_other_seed_other_person():
    one, again, other = simulate.person(1, 2), simulate.person(1, 2), simulate.person(2, 2)
    np.testing.assert_array_equal(simulate.ppg(one, 50, 3), simulate.ppg(again, 50, 3))
    assert simulate.ppg(one, 50, 3).shape == (3, 6000)
    assert len(one.r_peaks) != len(other.r_peaks)


def test_difficulty_is_that_of_a_real_wrist_and_people_differ(tmp_path):
    open_formats.write(tmp_path / "root", {"bami1": 16}, minutes=6)
    windows = build(load("bami1", tmp_path / "root"))
    estimate = spectral_peak(gather(windows.signal, windows.table.start.to_numpy()))
    good = (estimate - windows.table.hr).abs() <= 5
    assert 0.5 < good.mean() < 0.8  # the real sets: 0.59 to 0.76
    assert good.groupby(windows.table.person).mean().std() > 0.05
    assert windows.table.groupby("person").hr.mean().std() > 5


def test_ten_minutes_take_well_under_a_second():
    start = time.perf_counter()
    simulate.ppg(simulate.person(0, 10), 64, 3)
    assert time.perf_counter() - start < 1


PUBLISHED = {
    "spc2015/Training_data/DATA_01_TYPE01.mat": {"sig": ("float64", 6)},
    "spc2015/Training_data/DATA_01_TYPE01_BPMtrace.mat": {"BPM0": ("float64", None)},
    "bami1/Subject_1.mat": {
        "sigPPG": ("uint16", 3),
        "sigAcc": ("uint16", 3),
        "sigGyro": ("uint16", 3),
        "timeECG": ("float64", None),
        "bpmECG": ("float64", None),
    },
    "bami2/BAMI2_1.mat": {
        "rawPPG": ("uint16", 3),
        "rawAcc": ("uint16", 3),
        "bpm_ecg": ("float64", None),
        "bpm_proposed": ("float64", None),
    },
}


@pytest.mark.parametrize("real", [False, True], ids=["simulated", "published"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_files_have_the_published_names_types_and_shapes(name, real, simulated_root, shared):
    content = scipy.io.loadmat((shared("data/open") if real else simulated_root) / name)
    variables = {key: value for key, value in content.items() if not key.startswith("__")}
    assert set(variables) == set(PUBLISHED[name])
    for key, (dtype, rows) in PUBLISHED[name].items():
        assert variables[key].dtype == dtype
        assert variables[key].shape[0] == rows if rows else variables[key].shape[1] == 1
    if "rawPPG" in variables:
        assert len(variables["bpm_ecg"]) == window_count(variables["rawPPG"].shape[1], 50) - 1
        assert variables["rawPPG"].max() <= 4095


def test_the_test_part_has_no_ecg_row(simulated_root):
    folder = simulated_root / "spc2015_test"
    assert scipy.io.loadmat(folder / "TestData/TEST_S04_T02.mat")["sig"].shape[0] == 5
    assert (folder / "TrueBPM/True_S04_T02.mat").is_file()


def test_write_is_repeatable_and_replaces_nothing(tmp_path):
    def contents(root):
        files = sorted(root.rglob("*.mat"))
        return [hashlib.sha256(path.read_bytes()[128:]).hexdigest() for path in files]  # header: the date

    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        open_formats.write(tmp_path / name, {"bami2": 2}, minutes=0.5, seed=seed)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert len(a) == 2 and a[0] != a[1] and a == b and not set(a) & set(c)
    with pytest.raises(InputError, match="choose another folder"):
        open_formats.write(tmp_path / "a", {"bami2": 1}, minutes=0.5)
    assert contents(tmp_path / "a") == a
    (tmp_path / "empty").mkdir()
    open_formats.write(tmp_path / "empty", {"bami2": 1}, minutes=0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "empty"]


@pytest.mark.parametrize("datasets, minutes", [({"nonsense": 3}, 1), ({"bami1": 0}, 1), ({"bami1": 1}, 0.1)])
def test_write_refuses_what_it_cannot_make(datasets, minutes, tmp_path):
    with pytest.raises(InputError):
        open_formats.write(tmp_path / "root", datasets, minutes=minutes)
    assert not list(tmp_path.iterdir())
