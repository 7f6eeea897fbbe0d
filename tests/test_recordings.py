"""Readers of the open sets: what they yield, and what they refuse."""

import shutil

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from ppglib.files import InputError
from ppglib.recordings import load
from ppglib.recordings.base import mean_in_windows, read_mat, window_count

PEOPLE = {"spc2015": 12, "bami1": 24, "bami2": 23}


@pytest.mark.parametrize("dataset", PEOPLE)
def test_published_sets_load(dataset, shared):
    recordings = list(load(dataset, shared("data/open")))
    assert len({r.person for r in recordings}) == len(recordings) == PEOPLE[dataset]
    for r in recordings:
        assert r.ppg.dtype == np.float64 and r.ppg.shape[0] == (2 if dataset == "spc2015" else 3)
        assert len(r.hr) == window_count(r.ppg.shape[1], r.rate) and not r.simulated
        assert 40 < np.nanmin(r.hr) and np.nanmax(r.hr) < 210
        assert np.isnan(r.hr).sum() == (2 if dataset == "bami2" else 0)


def test_ppg_rows_and_labels_are_the_published_ones(shared):
    folder = shared("data/open")
    spc = next(load("spc2015", folder))
    sig = scipy.io.loadmat(folder / "spc2015/Training_data/DATA_01_TYPE01.mat")["sig"]
    np.testing.assert_array_equal(spc.ppg, sig[1:3])  # row 0 is the ECG
    bami = next(load("bami2", folder))
    content = scipy.io.loadmat(folder / "bami2/BAMI2_1.mat")
    np.testing.assert_array_equal(bami.hr[1:-1], content["bpm_ecg"][1:, 0])
    assert np.isnan(bami.hr[[0, -1]]).all()


def test_people_of_spc_stay_together(simulated_root):
    recordings = [*load("spc2015", simulated_root), *load("spc2015_test", simulated_root)]
    by_person = {}
    for r in recordings:
        assert r.simulated and r.ppg.shape[0] == 2
        by_person.setdefault(r.person, []).append(r.name)
    assert by_person["test04"] == ["DATA_S04_T01", "TEST_S04_T02"]  # extra part and test part
    assert by_person["test05"] == ["TEST_S05_T02"]
    assert by_person["train04"] == ["DATA_04_TYPE02"]
    assert [r.dataset for r in recordings] == ["spc2015"] * 5 + ["spc2015_test"] * 3


def test_what_lies_in_the_folder_from_the_test_part_adds_nobody(copy):
    """Its people would move the folds of those whom the committed results are of."""
    for part in (copy / "spc2015_test").iterdir():
        shutil.move(part, copy / "spc2015" / part.name)
    assert [r.person for r in load("spc2015", copy)] == [f"train0{n}" for n in range(1, 6)]


def test_ecg_is_never_taken_for_ppg(simulated_root):
    extra, *_, test = load("spc2015_test", simulated_root)
    for recording, file, rows in (
        (next(load("spc2015", simulated_root)), "spc2015/Training_data/DATA_01_TYPE01.mat", slice(1, 3)),
        (extra, "spc2015_test/Extra_TrainingData/DATA_S04_T01.mat", slice(1, 3)),
        (test, "spc2015_test/TestData/TEST_S05_T02.mat", slice(0, 2)),
    ):
        sig = scipy.io.loadmat(simulated_root / file)["sig"]
        np.testing.assert_array_equal(recording.ppg, sig[rows])


@settings(deadline=None)
@given(
    times=st.lists(st.integers(0, 300).map(lambda n: n / 10), max_size=40).map(sorted),
    bad=st.sets(st.integers(0, 39)),
    windows=st.integers(0, 15),
    fewest=st.integers(1, 2),
)
def test_mean_in_windows_agrees_with_a_loop(times, bad, windows, fewest):
    values = [np.nan if i in bad else 60.0 + i for i in range(len(times))]
    expected = []
    for window in range(windows):
        inside = [v for t, v in zip(times, values) if 2 * window <= t < 2 * window + 8 and np.isfinite(v)]
        expected.append(np.mean(inside) if len(inside) >= fewest else np.nan)
    found = mean_in_windows(np.array(times), np.array(values), windows, fewest)
    np.testing.assert_allclose(found, np.array(expected, float), rtol=1e-12)


@given(samples=st.integers(0, 5000), rate=st.sampled_from([25, 50, 64, 125, 128, 130.487]))
def test_window_count_agrees_with_a_loop(samples, rate):
    count = 0
    while (2 * count + 8) * rate <= samples + 1e-9:
        count += 1
    assert window_count(samples, rate) == count


@pytest.fixture
def copy(simulated_root, tmp_path):
    """A copy of the simulated folder that a test may damage."""
    return shutil.copytree(simulated_root, tmp_path / "copy")


def _change(path, **changes):
    content = {k: v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")}
    for name, value in changes.items():
        if value is None:
            del content[name]
        else:
            content[name] = value(content[name])
    scipy.io.savemat(path, content, do_compression=True)


SPC, LABELS = "spc2015/Training_data/DATA_02_TYPE02.mat", "spc2015/Training_data/DATA_02_TYPE02_BPMtrace.mat"
BAMI1, BAMI2 = "bami1/Subject_2.mat", "bami2/BAMI2_2.mat"
DAMAGE = {
    "variable missing": (SPC, {"sig": None}, "has no 'sig'"),
    "other rows": (SPC, {"sig": lambda x: x[:5]}, r"shape \(5, \d+\), expected 6 x n"),
    "text in place of numbers": (LABELS, {"BPM0": lambda x: "hello"}, "BPM0"),
    "cells in place of numbers": (LABELS, {"BPM0": lambda x: x.astype(object)}, "BPM0"),
    "label row": (LABELS, {"BPM0": lambda x: x.T}, "expected n x 1"),
    "no labels": (LABELS, {"BPM0": lambda x: x[:0]}, "BPM0"),
    "one label too few": (LABELS, {"BPM0": lambda x: x[:-1]}, "41 labels for 42 windows"),
    "one label too many": (LABELS, {"BPM0": lambda x: np.vstack([x, x[:1]])}, "43 labels for 42 windows"),
    "signal cut": (SPC, {"sig": lambda x: x[:, :-2000]}, "42 labels for 34 windows"),
    "beats without rate": (BAMI1, {"bpmECG": lambda x: x[:-1]}, "beat times but"),
    "beats out of order": (BAMI1, {"timeECG": lambda x: x[::-1]}, "runs backwards"),
    "labels for every window": (
        BAMI2,
        {"bpm_ecg": lambda x: np.vstack([x, x])},
        "82 labels for 42 windows, expected 41",
    ),
    "only two channels": (BAMI2, {"rawPPG": lambda x: x[:2]}, "expected 3 x n"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_wrong_content_is_named(case, copy):
    name, changes, message = DAMAGE[case]
    _change(copy / name, **changes)
    with pytest.raises(InputError, match=message) as error:
        list(load(name.split("/")[0], copy))
    assert name.split("/")[-1] in str(error.value) and "\n" not in str(error.value)


def test_nan_between_beats_does_not_hide_that_they_run_backwards(copy):
    def nan_inside(x):
        x[10], x[11] = np.nan, x[8]
        return x

    _change(copy / BAMI1, timeECG=nan_inside)
    with pytest.raises(InputError, match="runs backwards"):
        list(load("bami1", copy))


@pytest.mark.parametrize("keep", [0, 1, 100, 127, 128, 200, 0.5, 0.9, -1])
def test_truncated_files_are_refused(keep, copy):
    content = (copy / LABELS).read_bytes()
    (copy / LABELS).write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(InputError, match="DATA_02_TYPE02_BPMtrace.mat"):
        list(load("spc2015", copy))


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_damaged_bytes_give_the_data_or_the_clear_error(data, simulated_root, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "damaged.mat"
    content = bytearray((simulated_root / LABELS).read_bytes())
    at = data.draw(st.integers(128, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    expected = scipy.io.loadmat(simulated_root / LABELS)["BPM0"]
    try:
        np.testing.assert_array_equal(read_mat(path, {"BPM0": (None, 1)})[0], expected)
    except InputError as error:
        assert "damaged.mat" in str(error)


def test_a_matlab_73_file_is_named(copy):
    (copy / BAMI2).write_bytes(b"MATLAB 7.3 MAT-file, Platform".ljust(124) + b"\x00\x02IM" + bytes(600))
    with pytest.raises(InputError, match=r"BAMI2_2.mat is damaged.* not as published .*v7\.3 files"):
        list(load("bami2", copy))


def test_a_folder_named_like_a_file_and_a_missing_label_file(copy):
    (copy / LABELS).unlink()
    with pytest.raises(InputError, match="DATA_02_TYPE02_BPMtrace.mat is missing"):
        list(load("spc2015", copy))
    (copy / BAMI2).unlink()
    (copy / BAMI2).mkdir()
    with pytest.raises(InputError, match="BAMI2_2.mat"):
        list(load("bami2", copy))


def test_files_that_are_not_published_are_left_alone(copy):
    for name in ("Subject_1 (2).mat", "Subject_1_old.mat", "Subject_x.mat", "Subject_01.mat"):
        shutil.copy(copy / BAMI1, copy / "bami1" / name)
    shutil.copytree(copy / "spc2015_test/Extra_TrainingData", copy / "spc2015_test/Extra_TrainingData/old")
    shutil.copy(copy / SPC, copy / "spc2015_test/Extra_TrainingData/DATA_S04_T01_copy.mat")
    assert len(list(load("bami1", copy))) == 5
    assert len(list(load("spc2015", copy))) == 5 and len(list(load("spc2015_test", copy))) == 3


def test_unknown_set_missing_folder_and_empty_folder(copy, tmp_path):
    with pytest.raises(InputError, match="choose from spc2015, spc2015_test, bami1, bami2"):
        load("nonsense", copy)
    with pytest.raises(InputError, match="fetch open --only bami1"):
        load("bami1", tmp_path / "nowhere")
    shutil.rmtree(copy / "bami1")
    (copy / "bami1").mkdir()
    with pytest.raises(InputError, match="holds no file of bami1"):
        list(load("bami1", copy))
