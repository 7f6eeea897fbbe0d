"""GalaxyPPG: clocks, rates, gaps, status codes, sessions, labels from the ECG, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from formats import galaxy_files

from ppglib import recordings, simulate, windows
from ppglib.files import InputError
from ppglib.recordings import galaxyppg

MINUTES = 8.0


@pytest.fixture(scope="module")
def people():
    return galaxy_files.people(3, MINUTES)


@pytest.fixture(scope="module")
def tree(people, tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    return root, galaxy_files.write(root / "galaxyppg", people, zipped=False)


def test_faults_are_found_and_counted_exactly(tree):
    root, faults = tree
    found = list(recordings.load("galaxyppg", root))
    assert [r.person for r in found] == ["P02", "P03", "P04"]
    assert found[0].notes[0] == "P01 wore no Galaxy Watch and is left out."
    for recording in found:
        fault = faults[recording.person]
        expected = (
            f"{recording.person}: {fault['repeated']} repeated time stamps, {fault['bad']} samples with a bad "
            f"status, {fault['gaps']} gaps of {fault['gap_seconds']:.1f} s."
        )
        assert expected in recording.notes
        assert sum(stop - start for start, stop in recording.gaps) == fault["bad"]
        assert (recording.ppg[0, slice(*recording.gaps[0])] == 0).all()  # what the writer put there
        assert np.all(np.diff(recording.time) > 0) and recording.time[0] == 0
        far = np.diff(recording.time)
        assert np.isclose(far.max(), fault["gap_seconds"]) and (far > 0.1).sum() == 1


def test_windows_that_meet_a_fault_are_dropped_and_no_others(tree):
    for recording in recordings.load("galaxyppg", tree[0]):
        time, (bad,) = recording.time, recording.gaps
        hole = int(np.argmax(np.diff(time)))
        spans = [(time[bad[0] - 1], time[bad[1]]), (time[hole], time[hole + 1])]
        start = 2.0 * np.arange(len(recording.hr))
        last = start + 7.96  # the 200th sample
        meets = sum((start < b) & (last > a) for a, b in spans) > 0
        kept = windows.build([recording])
        assert set(kept.table.second) == set(start[~meets & ~np.isnan(recording.hr)])


def test_heart_rate_agrees_with_the_truth_so_the_clocks_do(tree, people):
    off = []
    for recording in recordings.load("galaxyppg", tree[0]):
        person = people[recording.person]
        later = replace(person, r_peaks=galaxy_files.shifted(person))
        truth = simulate.window_hr(later, len(recording.hr))
        valid = ~np.isnan(recording.hr)
        assert valid.mean() > 0.85
        off.append(np.abs(recording.hr - truth)[valid])
    assert (np.concatenate(off) < 1).mean() >= 0.99


def test_signal_is_the_simulated_one_the_right_way_up(tree, people):
    recording = next(recordings.load("galaxyppg", tree[0]))
    person = people[recording.person]
    even = simulate.ppg(person, 25.0)
    direct = windows.even_signal(recordings.Recording("x", "x", "x", even, 25.0, np.zeros(0)))[0]
    direct = np.interp(np.arange(0, 100, 0.04) + galaxy_files.LEAD, np.arange(len(direct)) / 25, direct)
    assert np.corrcoef(windows.even_signal(recording)[0][100:2400], direct[100:2400])[0, 1] > 0.98


def test_sessions(tree):
    root, faults = tree
    for recording in recordings.load("galaxyppg", root):
        start = 2.0 * np.arange(len(recording.hr))
        expected = np.full(len(start), "", dtype=object)
        for name, enter, leave in faults[recording.person]["sessions"]:
            expected[(start >= round(enter, 3)) & (start + 8 <= round(leave, 3))] = name
        differ = np.flatnonzero(recording.activity != expected)
        assert len(differ) <= 1 and len(set(expected)) == 8  # one may end on the very millisecond


def test_zip_and_tree_agree(tree, people, tmp_path):
    galaxy_files.write(tmp_path / "galaxyppg", people, zipped=True)
    for one, other in zip(*(recordings.load("galaxyppg", root) for root in (tree[0], tmp_path)), strict=True):
        np.testing.assert_array_equal(one.ppg, other.ppg)
        np.testing.assert_array_equal(one.hr, other.hr)
        assert list(one.activity) == list(other.activity) and one.notes == other.notes


def test_samples_under_one_stamp_are_spread_evenly():
    stamp = np.array([0.0, 0, 0, 3, 3, 3, 6])
    np.testing.assert_allclose(galaxyppg._spread(stamp), np.arange(7))
    even = np.arange(5) / 130.0
    np.testing.assert_array_equal(galaxyppg._spread(even), even)


def edit(change):
    def apply(folder, name):
        path = folder / "Dataset/P02" / name
        table = change(pd.read_csv(path))
        path.unlink() if table is None else table.to_csv(path, index=False)

    return apply


def backwards(column):
    def change(table):
        table.loc[len(table) // 2, column] -= 10_000
        return table

    return change


PPG, ECG, EVENT = "GalaxyWatch/PPG.csv", "PolarH10/ECG.csv", "Event.csv"
FASTER = {"timestamp": lambda t: t["timestamp"].iloc[0] + (t["timestamp"] - t["timestamp"].iloc[0]) // 1.03}
SLOWER = {
    "phoneTimestamp": lambda t: (
        t.phoneTimestamp.iloc[0] + (t.phoneTimestamp - t.phoneTimestamp.iloc[0]) * 1.03
    )
}
BAD = [
    (PPG, lambda t: None, r"P02 has no GalaxyWatch/PPG\.csv"),
    (ECG, lambda t: None, r"P02 has no PolarH10/ECG\.csv"),
    (EVENT, lambda t: None, r"P02 has no Event\.csv"),
    (PPG, lambda t: t.drop(columns="ppg"), "has no column 'ppg'"),
    (PPG, lambda t: t.drop(columns="status"), "has no column 'status'"),
    (ECG, lambda t: t.drop(columns="phoneTimestamp"), "has no column 'phoneTimestamp'"),
    (PPG, lambda t: t.iloc[:1], "holds 1 rows"),
    (PPG, backwards("timestamp"), r"time runs backwards at row \d+"),
    (ECG, backwards("phoneTimestamp"), "time runs backwards"),
    (PPG, lambda t: t.assign(**FASTER), "sampled at 25.6. Hz, published is 24.897"),
    (ECG, lambda t: t.assign(**SLOWER), r"sampled at 126\.\d\d Hz"),
    (PPG, lambda t: t.assign(timestamp=t.timestamp * 1000), "sampled at 0.00 Hz"),
    (
        PPG,
        lambda t: t.assign(timestamp=np.append(t.timestamp[:-1], 9e12)),
        r"spans \d+ h: a time stamp must be",
    ),
    (ECG, lambda t: t.assign(phoneTimestamp=t.phoneTimestamp - 32_400_000), "do not overlap in time"),
    (ECG, lambda t: t.assign(ecg=0), "no plausible heart beats"),
    (PPG, lambda t: t.assign(ppg="x"), "column 'ppg' holds text"),
    (PPG, lambda t: t.assign(timestamp=np.nan), "is empty or not finite"),
    (EVENT, lambda t: t.assign(status="EXIT"), "without an ENTER before"),
]


@pytest.mark.parametrize(("name", "change", "message"), BAD)
def test_content_that_is_not_as_published(tmp_path, name, change, message):
    galaxy_files.write(tmp_path / "galaxyppg", galaxy_files.people(1, 1.5), zipped=False)
    edit(change)(tmp_path / "galaxyppg", name)
    with pytest.raises(InputError, match=message) as error:
        list(recordings.load("galaxyppg", tmp_path))
    assert name in str(error.value)


def test_no_files_and_two_copies(tmp_path):
    folder = tmp_path / "galaxyppg"
    folder.mkdir()
    with pytest.raises(InputError, match="fetch paper --only galaxyppg"):
        list(recordings.load("galaxyppg", tmp_path))
    galaxy_files.write(folder, galaxy_files.people(1, 1.5), zipped=False)
    galaxy_files.write(folder, galaxy_files.people(1, 1.5), zipped=True)
    with pytest.raises(InputError, match="two copies of participant P02"):
        list(recordings.load("galaxyppg", tmp_path))
