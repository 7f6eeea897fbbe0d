"""WildPPG: raw files and the Hugging Face file, gaps, labels from the ECG, and what is refused."""

import dataclasses

import numpy as np
import pytest
from formats import wildppg_files
from scipy.io import savemat

from ppglib import recordings, simulate, windows
from ppglib.files import InputError
from ppglib.recordings import wildppg
from ppglib.recordings.base import constant_runs

MINUTES = 9.0


@pytest.fixture(scope="module")
def people():
    return wildppg_files.people(3, MINUTES)


@pytest.fixture(scope="module")
def raw(people, tmp_path_factory):
    root = tmp_path_factory.mktemp("raw")
    return root, wildppg_files.write(root / "wildppg", people)


def test_gaps_are_found_and_counted_exactly(raw, people):
    root, faults = raw
    for recording in recordings.load("wildppg", root):
        gaps = faults[recording.person]["gaps"]
        assert recording.gaps == gaps and len(gaps) == 2
        lost = sum(stop - start for start, stop in gaps) / 128
        assert f"{recording.person}: 2 gaps of constant fill, {lost:.1f} s." in recording.notes
        assert (recording.ppg[0, slice(*gaps[0])] == 1.0).all()
        start = 2.0 * np.arange(len(recording.hr))  # a window falls out if it meets a gap
        meets = sum((start < b / 128 + 0.04) & (start + 8 > a / 128 - 0.04) for a, b in gaps) > 0
        kept = windows.build([recording])
        dropped = kept.dropped.set_index("reason").windows
        unlabelled = np.isnan(recording.hr)
        assert dropped["gap"] == (meets & ~unlabelled).sum() and dropped["no label"] == unlabelled.sum()
        assert set(kept.table.second) == set(start[~meets & ~unlabelled])


def test_heart_rate_from_the_ecg_agrees_with_the_truth(raw, people):
    off, kept, total = [], 0, 0
    for recording in recordings.load("wildppg", raw[0]):
        truth = simulate.window_hr(people[recording.person], len(recording.hr))
        valid = ~np.isnan(recording.hr)
        off.append(np.abs(recording.hr - truth)[valid])
        kept, total = kept + valid.sum(), total + len(valid)
    assert (np.concatenate(off) < 1).mean() >= 0.99
    assert kept / total > 0.85


def test_zip_and_files_agree(raw, people, tmp_path):
    wildppg_files.write(tmp_path / "wildppg", people, zipped=True)
    for one, other in zip(*(recordings.load("wildppg", root) for root in (raw[0], tmp_path)), strict=True):
        np.testing.assert_array_equal(one.ppg, other.ppg)
        np.testing.assert_array_equal(one.hr, other.hr)


@pytest.mark.parametrize("key", wildppg.PPG_KEYS)
@pytest.mark.parametrize("dataset", ["wildppg", "wildppg_hf"])
def test_hugging_face_file(people, tmp_path, key, dataset):
    invalid = wildppg_files.write_cells(tmp_path / dataset, people, key)
    found = list(recordings.load(dataset, tmp_path))
    assert [r.person for r in found] == ["01", "02", "03"]
    for recording, (name, person) in zip(found, people.items()):
        assert recording.dataset == dataset and recording.step == 8 and recording.rate == 25
        assert np.isnan(recording.hr).sum() == invalid[name]
        valid = ~np.isnan(recording.hr)
        np.testing.assert_array_equal(recording.hr[valid], simulate.window_hr(person, len(valid), 8.0)[valid])
        assert recording.ppg.shape == (1, 200 * len(valid))
        kept = windows.build([recording])
        assert len(kept.table) == valid.sum() and (kept.table.start % 200 == 0).all()
        assert kept.dropped.windows.sum() == invalid[name]
        for row in (0, len(valid) - 1):  # each window is filtered on its own, not across the 8 s between two
            alone = dataclasses.replace(
                recording, ppg=recording.ppg[:, 200 * row : 200 * row + 200], breaks=()
            )
            np.testing.assert_allclose(
                windows.even_signal(alone)[0], kept.signal[200 * row :][:200], atol=1e-5
            )


@pytest.mark.parametrize(("cropped", "ratio"), [(False, 1.0), (True, 0.8)])
def test_the_length_of_the_windows_is_found_out(people, tmp_path, cropped, ratio):
    wildppg_files.write_cells(tmp_path / "wildppg", people, cropped=cropped)
    recording = next(recordings.load("wildppg", tmp_path))
    found, text = wildppg.window_rate(recording.ppg.reshape(-1, 200), recording.hr)
    assert abs(found - ratio) < 0.03
    assert ("6.4 s" in text) == cropped and any("6.4 s" in note for note in recording.notes) == cropped


def test_noise_has_no_window_length():
    noise = np.random.default_rng(0).normal(size=(50, 200))
    ratio, text = wildppg.window_rate(noise, np.full(50, np.nan))
    assert np.isnan(ratio) and "cannot be told" in text


def test_constant_runs_equal_brute_force():
    rng = np.random.default_rng(1)
    for _ in range(200):
        signal = rng.integers(0, 2, rng.integers(1, 40)).astype(float)
        expected, start = [], 0
        for i in range(1, len(signal) + 1):
            if i == len(signal) or signal[i] != signal[start]:
                expected += [(start, i)] if i - start >= 4 else []
                start = i
        assert constant_runs(signal, 4) == tuple(expected)


def write_one(root, person, edit):
    content, _ = wildppg_files.participant("an0", person)
    edit(content)
    (root / "wildppg").mkdir()
    savemat(root / "wildppg/WildPPG_Part_an0.mat", content)


def set_rate(site, channel, rate):
    return lambda content: content[site][channel].update(fs=rate)


BAD = [
    (lambda c: c.pop("wrist"), "has no 'wrist'"),
    (lambda c: c.pop("sternum"), "has no 'sternum'"),
    (lambda c: c["wrist"].pop("ppg_g"), "has no 'wrist/ppg_g'"),
    (lambda c: c["sternum"].pop("ecg"), "has no 'sternum/ecg'"),
    (lambda c: c["wrist"]["ppg_g"].pop("fs"), "no pair of samples"),
    (lambda c: c["wrist"]["ppg_g"].update(v="text"), "no pair of samples"),
    (lambda c: c["wrist"]["ppg_g"].update(v=np.ones((10, 10))), "no pair of samples"),
    (set_rate("wrist", "ppg_g", 131.0), "rate of 131.0 Hz, published is 128 Hz"),
    (set_rate("sternum", "ecg", 64.0), "rate of 64.0 Hz"),
    (set_rate("sternum", "ecg", np.nan), "rate of nan Hz"),
    (
        lambda c: c["sternum"]["ecg"].update(v=np.zeros_like(c["sternum"]["ecg"]["v"])),
        "no plausible heart beats",
    ),
    (lambda c: c["sternum"]["ecg"].update(v=c["sternum"]["ecg"]["v"][:-2000]), "samples but .* of the ECG"),
]


@pytest.mark.parametrize(("edit", "message"), BAD)
def test_content_that_is_not_as_published(tmp_path, edit, message):
    write_one(tmp_path, simulate.person(1, 1.0), edit)
    with pytest.raises(InputError, match=message) as error:
        list(recordings.load("wildppg", tmp_path))
    assert "WildPPG_Part_an0.mat" in str(error.value)


def test_a_rate_within_two_percent_is_accepted(tmp_path):
    write_one(tmp_path, simulate.person(1, 1.0), set_rate("wrist", "ppg_g", 127.0))
    assert len(list(recordings.load("wildppg", tmp_path))) == 1


def test_other_files(people, tmp_path):
    folder = tmp_path / "wildppg"
    folder.mkdir()
    with pytest.raises(InputError, match="No WildPPG_Part_.*fetch paper --only wildppg"):
        list(recordings.load("wildppg", tmp_path))
    hdf5 = (
        b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124)
        + b"\x00\x02IM"
        + bytes(384)
        + b"\x89HDF\r\n\x1a\n"
    )
    (folder / "WildPPG_Part_an0.mat").write_bytes(hdf5)
    with pytest.raises(InputError, match=r"an0\.mat is damaged.* not as published .*v7\.3 files"):
        list(recordings.load("wildppg", tmp_path))
    content, _ = wildppg_files.participant("an0", simulate.person(1, 1.0))
    savemat(folder / "WildPPG_Part_an0.mat", content)
    savemat(folder / "WildPPG_Part_e61.mat", content)
    with pytest.raises(InputError, match="an0 and e61 have the very same PPG"):
        list(recordings.load("wildppg", tmp_path))
    whole = (folder / "WildPPG_Part_e61.mat").read_bytes()
    (folder / "WildPPG_Part_e61.mat").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(InputError, match=r"e61\.mat is damaged, truncated"):
        list(recordings.load("wildppg", tmp_path))
    wildppg_files.write_cells(folder, people)
    with pytest.raises(InputError, match="hold the same participants: keep one form"):
        list(recordings.load("wildppg", tmp_path))


def cells(count=5, labels=5, width=200):
    hr, ppg = (np.empty((2, 1), object) for _ in range(2))
    for row in range(2):
        ppg[row, 0], hr[row, 0] = (
            np.random.default_rng(row).normal(size=(count, width)),
            np.full((labels, 1), 80.0),
        )
    return {"data_ppg_wrist": ppg, "data_bpm_values": hr}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (cells(labels=4), r"participant 1 has windows of shape \(5, 200\) and 4 labels"),
        (cells(width=256), r"shape \(5, 256\) .* expected n x 200"),
        ({"data_ppg_wrist": cells()["data_ppg_wrist"]}, "has no 'data_bpm_values'"),
        ({"data_bpm_values": cells()["data_bpm_values"]}, "has no 'data_ppg_wrist'"),
        (cells() | {"data_bpm_values": np.ones((2, 1))}, "are not cells"),
    ],
)
def test_hugging_face_file_that_is_not_as_published(tmp_path, content, message):
    (tmp_path / "wildppg").mkdir()
    savemat(tmp_path / "wildppg/WildPPG.mat", content)
    with pytest.raises(InputError, match=message) as error:
        list(recordings.load("wildppg", tmp_path))
    assert "WildPPG.mat" in str(error.value)
