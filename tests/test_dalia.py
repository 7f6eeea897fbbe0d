"""PPG-DaLiA: every published form, the real excerpt, the admitted pickles, and what is refused."""

import io
import os
import pickle
import shutil
import weakref
import zipfile

import numpy as np
import pytest
from formats import dalia_files, python2_pickle
from scipy.signal import resample_poly

from ppglib import recordings, simulate, windows
from ppglib.files import InputError
from ppglib.recordings import archives, array_pickle, dalia

MINUTES = 1.0


@pytest.fixture(scope="module")
def people():
    return dalia_files.people(6, MINUTES)


@pytest.fixture(scope="module")
def tree(people, tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    dalia_files.write(root / "ppg_dalia", people, "tree")
    return root


def write_one(root, content, name="S1", text=False):
    path = root / f"ppg_dalia/PPG_FieldStudy/{name}/{name}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        python2_pickle.dump(content, file, text)
    return path


@pytest.mark.parametrize("text", [False, True])
def test_real_excerpt_in_the_published_form(shared, tmp_path, text):
    with open(shared("data/dalia_s6_stairs/PPGDalia_S6_stairs.pkl"), "rb") as file:
        excerpt = array_pickle.load(file, "excerpt")
    signal, label = (array_pickle.to_numpy(excerpt[key], key) for key in ("X", "y"))
    bvp = np.concatenate([signal[0, 0], *signal[1:, 0, -64:]])  # 8-s windows at 32 Hz, a new one every 2 s
    assert (
        all((signal[i, 0, 64:] == signal[i + 1, 0, :-64]).all() for i in range(214)) and len(bvp) == 436 * 32
    )
    content = dalia_files.participant("S6", simulate.person(1, 436 / 60))
    content["signal"]["wrist"]["BVP"] = resample_poly(bvp, 2, 1)[:, None]
    content["label"], content["activity"] = label[:, 0], np.full((436 * 4, 1), 2.0)
    write_one(tmp_path, content, "S6", text)
    (recording,) = recordings.load("ppg_dalia", tmp_path)
    np.testing.assert_array_equal(recording.hr, label[:, 0])
    kept = windows.build([recording])
    assert len(kept.table) == 215 and kept.dropped.empty and set(kept.table.activity) == {"stairs"}
    np.testing.assert_array_equal(kept.table.hr, label[:, 0])
    assert 117.5 < kept.table.hr.min() and kept.table.hr.max() < 170
    direct = windows.even_signal(recordings.Recording("x", "x", "x", bvp[None], 32.0, label[:, 0]))[0]
    assert np.corrcoef(direct, kept.signal)[0, 1] > 0.9999


def test_forms_agree_with_each_other_and_with_what_was_written(tree, people, tmp_path):
    expected = list(recordings.load("ppg_dalia", tree))
    assert [r.person for r in expected] == [f"S{n}" for n in range(1, 7)]
    for recording, (name, person) in zip(expected, people.items()):
        content = dalia_files.participant(name, person)
        np.testing.assert_array_equal(recording.ppg[0], content["signal"]["wrist"]["BVP"][:, 0])
        np.testing.assert_array_equal(recording.hr, simulate.window_hr(person, len(recording.hr)))
        assert recording.rate == 64 and recording.activity.shape == recording.hr.shape
    for form, text in (("outer", False), ("inner", True), ("outer", True)):
        root = tmp_path / f"{form}{text}"
        dalia_files.write(root / "ppg_dalia", people, form, text)
        for mine, other in zip(recordings.load("ppg_dalia", root), expected, strict=True):
            np.testing.assert_array_equal(mine.ppg, other.ppg)
            np.testing.assert_array_equal(mine.hr, other.hr)
            assert list(mine.activity) == list(other.activity) and mine.notes == other.notes


def test_inner_zip_may_be_compressed_again(people, tmp_path):
    dalia_files.write(tmp_path / "a/ppg_dalia", people, "inner")
    (tmp_path / "b/ppg_dalia").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "b/ppg_dalia/ppg+dalia.zip", "w", zipfile.ZIP_DEFLATED) as outer:
        outer.write(tmp_path / "a/ppg_dalia/data.zip", "data.zip")
    for one, other in zip(*(recordings.load("ppg_dalia", tmp_path / f) for f in "ab"), strict=True):
        np.testing.assert_array_equal(one.ppg, other.ppg)


def test_short_s6_and_repeated_peaks_are_told(tree):
    s1, *_, s6 = recordings.load("ppg_dalia", tree)
    assert s6.ppg.shape[1] < s1.ppg.shape[1]
    assert any("3 duplicate R-peaks" in note for note in s6.notes)
    assert any("no stairs" in note and "walking" in note for note in s6.notes)
    assert not any("duplicate" in note for note in s1.notes)


def test_one_participant_in_memory_at_a_time(tree, monkeypatch):
    made, read_one = [], dalia._recording

    def watched(*arguments):
        assert not any(ppg() is not None for ppg in made)  # none is left when the next one is read
        recording = read_one(*arguments)
        made.append(weakref.ref(recording.ppg))
        return recording

    monkeypatch.setattr(dalia, "_recording", watched)
    stream = recordings.load("ppg_dalia", tree)
    while next(stream, None) is not None:
        pass
    assert len(made) == 6


def test_activity_is_the_one_that_fills_most_of_a_window():
    code = np.repeat([1.0, 7.0], [5 * 4, 15 * 4])  # 5 s sitting, 15 s walking
    assert list(dalia._activities(code, 7, "x")) == ["sitting", *["walking"] * 6]  # 5 of 8 s, 3 of 8 s, ...


def test_pickles_are_what_numpy_itself_reads_and_writes(people):
    content = dalia_files.participant("S6", people["S6"])
    for text in (False, True):
        stream = io.BytesIO()
        python2_pickle.dump(content, stream, text)
        by_numpy = pickle.loads(stream.getvalue(), encoding="latin1")  # written two lines above
        np.testing.assert_array_equal(by_numpy["signal"]["chest"]["ACC"], content["signal"]["chest"]["ACC"])
        assert by_numpy["questionnaire"] == content["questionnaire"]
        np.testing.assert_array_equal(by_numpy["rpeaks"], content["rpeaks"])
    arrays = {f"{kind}{order}": np.arange(12).reshape(3, 4).astype(order + kind)
              for kind in ("f8", "f4", "i8", "u2") for order in "<>"}  # fmt: skip
    arrays["fortran"], arrays["flag"] = (
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([True, False]),
    )
    arrays["scalar"] = np.float64(61.5)
    for protocol in (0, 1, 2, 3, 4, 5):
        raw = pickle.dumps(arrays, protocol)
        for spelling in (raw, raw.replace(b"numpy._core", b"numpy.core")):
            if protocol >= 4 and spelling is not raw:
                continue  # the length of the name is part of the bytes there
            found = array_pickle.load(io.BufferedReader(io.BytesIO(spelling)), "x")
            for key, value in arrays.items():
                built = array_pickle.to_numpy(found[key], key)
                np.testing.assert_array_equal(built, value)
                assert built.dtype == value.dtype and built.shape == value.shape


def test_long_strings_are_read_past(people, tmp_path, monkeypatch):
    monkeypatch.setattr(array_pickle, "KEPT", 1 << 17)  # the chest of a minute is longer, the BVP is not
    for text in (False, True):
        path = write_one(tmp_path, dalia_files.participant("S1", people["S1"]), text=text)
        (recording,) = recordings.load("ppg_dalia", tmp_path)
        assert recording.ppg.shape == (1, int(people["S1"].seconds) * 64)
        with open(path, "rb") as stream:
            chest = array_pickle.load(stream, "x")["signal"]["chest"]
        assert chest["ECG"].shape == (len(recording.ppg[0]) // 64 * 700, 1) and chest["ECG"].raw is None
        with pytest.raises(InputError, match="chest.*longer"):
            array_pickle.to_numpy(chest["ECG"], "chest")


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "what", [Evil(os.mkdir, "made"), Evil(eval, "1"), Evil(np.load, "x"), Evil(getattr, "x", "y"), slice(1)]
)
def test_any_other_class_or_function_is_refused(tmp_path, monkeypatch, what, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ppg_dalia/S1.pkl"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps({"subject": "S1", "signal": what}, protocol))
    with pytest.raises(InputError, match=r"S1\.pkl is not loaded: it asks for"):
        list(recordings.load("ppg_dalia", tmp_path))
    assert not (tmp_path / "made").exists()


def change(content, key, value):
    for part in key[:-1]:
        content = content[part]
    if value is None:
        del content[key[-1]]
    else:
        content[key[-1]] = value


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (("label",), np.full(26, 80.0), "26 labels for 27 windows"),
        (("label",), np.full(28, 80.0), "28 labels for 27 windows"),
        (("label",), "none", "label is no array of numbers"),
        (("label",), np.full((27, 2), 80.0), "expected one column"),
        (("label",), None, "has no 'label'"),
        (("signal", "wrist", "BVP"), None, "has no 'signal/wrist/BVP'"),
        (("signal", "wrist"), 3, "has no 'signal/wrist/BVP'"),
        (("activity",), np.zeros((60 * 5, 1)), "rates are not the published ones"),
        (("activity",), np.full((60 * 4, 1), 9.0), "activity 9.0, expected 0 to 8"),
        (("subject",), "S2", "is it a copy"),
    ],
)
def test_content_that_is_not_as_published(people, tmp_path, key, value, message):
    content = dalia_files.participant("S1", people["S1"])
    change(content, key, value)
    write_one(tmp_path, content)
    with pytest.raises(InputError, match=message) as error:
        list(recordings.load("ppg_dalia", tmp_path))
    assert "S1.pkl" in str(error.value)


@pytest.mark.parametrize("form", ["tree", "inner", "outer"])
def test_a_file_cut_short_is_named(people, tmp_path, form):
    dalia_files.write(tmp_path / "ppg_dalia", {"S1": people["S1"]}, form)
    name = {"tree": "S1.pkl", "inner": "data.zip", "outer": "ppg+dalia.zip"}[form]
    (path,) = tmp_path.rglob(name)
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    with pytest.raises(InputError, match=f"{name.replace('+', '.')} is damaged, truncated"):
        list(recordings.load("ppg_dalia", tmp_path))


def test_one_changed_byte_in_the_zip_is_noticed(people, tmp_path):
    dalia_files.write(tmp_path / "ppg_dalia", {"S1": people["S1"]}, "outer")
    path = tmp_path / "ppg_dalia/ppg+dalia.zip"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"(S1\.pkl|data\.zip) is damaged"):
        list(recordings.load("ppg_dalia", tmp_path))


def test_two_copies_of_one_participant(people, tree, tmp_path):
    write_one(tmp_path, dalia_files.participant("S1", people["S1"]))
    dalia_files.write(tmp_path / "ppg_dalia", {"S1": people["S1"]}, "inner")
    with pytest.raises(InputError, match="two copies of participant S1"):
        list(recordings.load("ppg_dalia", tmp_path))
    (tmp_path / "ppg_dalia/data.zip").unlink()
    write_one(tmp_path, dalia_files.participant("S2", people["S1"]), "S2")  # the same person, renamed
    with pytest.raises(InputError, match="S1 and S2 have the very same PPG"):
        list(recordings.load("ppg_dalia", tmp_path))


@pytest.mark.parametrize("member", ["../S1.pkl", "/S1.pkl", "a/../../S1.pkl", "C:/S1.pkl", "..\\S1.pkl"])
def test_archive_members_outside_the_archive_are_refused(tmp_path, member):
    (tmp_path / "ppg_dalia").mkdir()
    with zipfile.ZipFile(tmp_path / "ppg_dalia/data.zip", "w") as archive:
        archive.writestr(member, b"x")
    with pytest.raises(InputError, match=r"data\.zip holds .* outside the archive"):
        list(recordings.load("ppg_dalia", tmp_path))


def test_a_zip_that_lists_fewer_files_than_it_states(tmp_path):
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("S1.pkl", b"x")
        archive.writestr("S2.pkl", b"x")
    content = path.read_bytes()
    entry, end = 46 + len("S2.pkl"), bytearray(content[-22:])  # of the list of files, and what follows it
    end[12:16] = entry.to_bytes(4, "little")  # the size of the list, one entry less
    path.write_bytes(content[: -22 - entry] + end)
    with (
        pytest.raises(InputError, match=r"data\.zip is damaged.*it lists 1 of its 2 files"),
        archives.members(tmp_path),
    ):
        pass


def test_a_member_is_checked_to_its_end_however_little_was_read(tmp_path):
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("S1.pkl", bytes(3 << 20))
    content = bytearray(path.read_bytes())
    content[3 << 20] = 1
    path.write_bytes(content)
    with archives.members(tmp_path) as (member,):
        with pytest.raises(InputError, match=r"S1\.pkl is damaged.*CRC"), member.open() as stream:
            assert stream.read(10) == bytes(10)
        with pytest.raises(InputError, match=r"S1\.pkl is damaged.*CRC"):
            member.verify()


def test_empty_folder(tmp_path):
    (tmp_path / "ppg_dalia").mkdir()
    with pytest.raises(InputError, match=r"No S1\.pkl in .*fetch paper --only ppg_dalia"):
        list(recordings.load("ppg_dalia", tmp_path))
    shutil.rmtree(tmp_path / "ppg_dalia")
    with pytest.raises(InputError, match="fetch paper --only ppg_dalia"):
        recordings.load("ppg_dalia", tmp_path)
