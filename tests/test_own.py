"""One's own recordings: CSV and Parquet tables, even and uneven sampling, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from formats.paper_formats import write_own

from ppglib import recordings, simulate, windows
from ppglib.files import InputError


@pytest.fixture(scope="module")
def people():
    return {name: simulate.person(seed, 2.0) for seed, name in enumerate(("ann", "bo", "cy"))}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_become_recordings(people, tmp_path, kind):
    write_own(tmp_path / "own", people, 50.0, kind)
    found = list(recordings.load("own", tmp_path))
    assert {r.person for r in found} == set(people)
    for recording in found:
        person = people[recording.person]
        np.testing.assert_allclose(recording.ppg, simulate.ppg(person, 50.0))
        assert recording.time is None and abs(recording.rate - 50) < 1e-6 and len(recording.hr) == 57
        off = np.abs(recording.hr - simulate.window_hr(person, 57))
        assert np.nanmax(off) < 2 and np.isfinite(recording.hr).all()
    assert len(windows.build(found).table) == 3 * 57


def test_uneven_stamps_give_nearly_the_signal_of_even_ones(people, tmp_path):
    rng = np.random.default_rng(0)
    write_own(tmp_path / "own", people, 100.0)
    even = next(recordings.load("own", tmp_path))
    path = tmp_path / "own/ann.ppg.csv"
    table = pd.read_csv(path)
    rows = np.sort(rng.choice(len(table), len(table) * 9 // 10, replace=False))  # every tenth sample lost
    table.iloc[rows].assign(time=lambda t: t.time + 1_600_000_000).to_csv(path, index=False)
    hr = pd.read_csv(tmp_path / "own/ann.hr.csv")
    hr.assign(time=hr.time + 1_600_000_000).to_csv(tmp_path / "own/ann.hr.csv", index=False)
    uneven = next(recordings.load("own", tmp_path))
    assert uneven.time is not None and uneven.time[0] == 0
    one, other = windows.even_signal(even)[0][50:2900], windows.even_signal(uneven)[0][50:2900]
    assert np.corrcoef(one, other)[0, 1] > 0.99


def test_fast_noise_on_uneven_stamps_does_not_fold_into_the_band():
    rng = np.random.default_rng(0)
    time = np.arange(6000) / 100 + rng.uniform(-0.003, 0.003, 6000)
    time -= time[0]
    pulse = np.sin(2 * np.pi * 1.5 * time)
    lamp = 3 * np.sin(2 * np.pi * 24 * time)  # thinned to 25 Hz, it would pass for 1 Hz
    made = recordings.Recording("own", "a", "a", pulse[None], 100.0, np.zeros(1), time=time)
    quiet, noisy = (windows.even_signal(replace(made, ppg=ppg[None]))[0] for ppg in (pulse, pulse + lamp))
    assert np.abs(quiet - noisy)[50:-50].max() < 0.5


def test_a_hole_in_the_stamps_is_a_gap(people, tmp_path):
    write_own(tmp_path / "own", people, 50.0)
    path = tmp_path / "own/ann.ppg.csv"
    table = pd.read_csv(path)
    table[(table.time < 40) | (table.time > 50)].to_csv(path, index=False)
    kept = windows.build([next(recordings.load("own", tmp_path))])
    start = 2.0 * np.arange(57)
    assert set(kept.table.second) == set(start[(start + 8 <= 40) | (start >= 51)])
    assert kept.dropped.set_index("reason").windows.to_dict() == {"gap": 9}


def table(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)


TIME = np.arange(0, 60, 0.02)
BAD = [
    ({"time": TIME}, {}, "ann.ppg.csv has no column 'ppg'"),
    ({"time": TIME, "ppg": "x"}, {}, "ann.ppg.csv: column 'ppg' holds text"),
    ({"time": TIME[::-1], "ppg": 1.0}, {}, "ann.ppg.csv: time must increase .* row 3"),
    ({"time": np.r_[TIME[:5], TIME[3:]], "ppg": 1.0}, {}, "does not at row 7"),
    ({"time": TIME * 1000, "ppg": 1.0}, {}, "`time` must be in seconds"),
    ({"time": TIME[::10], "ppg": 1.0}, {}, "5 samples a second"),
    ({"time": [0.0], "ppg": [1.0]}, {}, "holds 1 rows"),
    ({"time": np.r_[np.nan, TIME[1:]], "ppg": 1.0}, {}, "empty or not finite"),
    ({"time": np.r_[TIME, 1e9], "ppg": 1.0}, {}, "needed, .* and `time` must be in seconds"),
    ({}, {"time": [1.0, 2.0]}, "ann.hr.csv has no column 'hr'"),
    ({}, {"time": [2.0, 1.0], "hr": [60, 60]}, "ann.hr.csv: time runs backwards"),
    ({}, {"time": [99.0, 100.0], "hr": [60, 60]}, "no heart rate within"),
    ({}, {"time": [1.0, 2.0], "hr": [np.nan, np.nan]}, "no heart rate within"),
]


@pytest.mark.parametrize(("ppg", "hr", "message"), BAD)
def test_tables_that_cannot_be_used(tmp_path, ppg, hr, message):
    (tmp_path / "own").mkdir()
    table(tmp_path / "own/ann.ppg.csv", **(ppg or {"time": TIME, "ppg": np.sin(TIME)}))
    table(tmp_path / "own/ann.hr.csv", **(hr or {"time": TIME, "hr": 60.0}))
    with pytest.raises(InputError, match=message):
        list(recordings.load("own", tmp_path))


def test_both_tables_are_needed_and_no_person_twice(people, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    with pytest.raises(InputError, match=r"No NAME\.ppg\.csv"):
        list(recordings.load("own", tmp_path))
    write_own(folder, people)
    (folder / "bo.hr.csv").unlink()
    with pytest.raises(InputError, match=r"bo has no \.hr table"):
        list(recordings.load("own", tmp_path))
    write_own(folder, people, kind="parquet")
    with pytest.raises(InputError, match="two copies of participant"):
        list(recordings.load("own", tmp_path))
    damaged = tmp_path / "damaged"
    write_own(damaged / "own", {"bo": people["bo"]}, kind="parquet")
    path = damaged / "own/bo.ppg.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"bo\.ppg\.parquet is damaged"):
        list(recordings.load("own", damaged))


def written(folder, time, ppg, labels):
    folder.mkdir()
    pd.DataFrame({"time": time, "ppg": ppg}).to_csv(folder / "ann.ppg.csv", index=False)
    pd.DataFrame(labels).to_csv(folder / "ann.hr.csv", index=False)


def test_a_hole_where_windows_would_begin_costs_its_own_windows_alone(tmp_path):
    time = 0.5 + np.arange(0, 60, 0.02)
    time = time[(time < 1.5) | (time > 6.7)]
    written(tmp_path / "own", time, np.sin(9 * time), {"start": np.arange(0, 52, 2.0), "hr": 90.0})
    (recording,) = recordings.load("own", tmp_path)
    assert np.isfinite(recording.hr).sum() >= 20


@pytest.mark.parametrize("n", [50, 51])
def test_labels_every_second_are_met_by_windows_that_begin_with_one(tmp_path, n):
    time = np.arange(0, 60, 0.02)
    written(tmp_path / "own", 1000 + time, np.sin(9 * time), {"start": 1000.0 + np.arange(n), "hr": 60.0 + np.arange(n)})
    (recording,) = recordings.load("own", tmp_path)
    offset = recording.hr[np.isfinite(recording.hr)][0] - 60
    assert offset in (0, 1) and np.diff(recording.hr[:20]).tolist() == [2.0] * 19
