"""The lists of published files, and the check that those on disk are the published ones."""

import shutil

import pytest

from ppglib.files import InputError, sha256, write
from ppglib.recordings import load, sources


def test_the_open_list_is_complete():
    rows = sources.published("open_all")
    assert len(rows) == 93 and all(len(s.hash) == 64 and s.url.startswith("https://") for s in rows)
    sets = [s.dataset for s in rows]
    assert {name: sets.count(name) for name in sets} == {"spc2015": 24, "bami1": 24, "bami2": 23, "spc2015_test": 22}
    assert sources.published("open") == rows[:71]
    assert [sum(s.bytes for s in some) / 1e6 for some in (rows[:71], rows)] == pytest.approx([31.9, 37.1], abs=0.05)
    assert len({(s.dataset, s.file) for s in rows}) == 93


def test_the_paper_list_says_size_licence_and_hash():
    rows = {s.dataset: s for s in sources.published("paper")}
    assert {"ppg_dalia", "wildppg", "galaxyppg"} <= set(rows)
    assert rows["ppg_dalia"].bytes == 2_865_111_320 and rows["ppg_dalia"].algorithm == "sha256"
    assert rows["galaxyppg"].algorithm == "md5" and rows["wildppg"].hash == ""
    assert all(s.licence.startswith("CC BY") for s in rows.values())
    with pytest.raises(InputError, match="choose from open, open_all, paper"):
        sources.published("closed")


def test_the_published_files_pass(shared):
    for dataset in ("spc2015", "bami1", "bami2"):
        sources.verify(dataset, shared("data/open"))


@pytest.fixture
def copy(shared, tmp_path):
    """A copy of the published BAMI-2 and SPC files that a test may damage."""
    for name in ("bami2", "spc2015"):
        shutil.copytree(shared("data/open") / name, tmp_path / name, copy_function=shutil.copyfile)
        for folder in (tmp_path / name, *(p for p in (tmp_path / name).rglob("*") if p.is_dir())):
            folder.chmod(0o755)
    return tmp_path


def test_missing_files_are_named_with_the_way_to_get_them(copy):
    (copy / "bami2/BAMI2_4.mat").unlink()
    with pytest.raises(InputError, match=r"lacks BAMI2_4.mat: get the set with `.* fetch open --only bami2`"):
        load("bami2", copy)  # at once, before the first recording
    for n in range(5, 12):
        (copy / f"bami2/BAMI2_{n}.mat").unlink()
    with pytest.raises(InputError, match=r"BAMI2_4.mat, BAMI2_5.mat, BAMI2_6.mat and 5 more"):
        load("bami2", copy)


@pytest.mark.parametrize("damage", ["one bit", "cut", "empty"])
def test_an_altered_file_is_named_with_both_hashes(damage, copy):
    path = copy / "bami2/BAMI2_9.mat"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes({"one bit": content, "cut": content[:5000], "empty": b""}[damage])
    expected = next(s.hash for s in sources.published("open") if s.file == "BAMI2_9.mat")
    with pytest.raises(InputError) as error:
        load("bami2", copy)
    for part in ("BAMI2_9.mat", expected, sha256(path)):
        assert part in str(error.value)


def test_files_that_are_not_listed_are_left_alone_and_the_larger_set_is_checked_too(copy):
    part = copy / "spc2015/TestData"
    part.mkdir()
    (part / "TEST_S01_T01.mat").write_bytes(b"not a recording")
    load("spc2015", copy)
    for source in sources.published("open_all")[71:]:
        write(copy / source.dataset / source.file, b"not a recording")
    with pytest.raises(InputError, match="BPM_S04_T01.mat is not the published file"):
        load("spc2015_test", copy)
    shutil.rmtree(copy / "spc2015_test/TestData")
    with pytest.raises(InputError, match="lacks TestData.*fetch open_all --only spc2015_test"):
        load("spc2015_test", copy)


def test_simulated_files_and_sets_of_other_groups_are_not_compared(simulated_root, tmp_path):
    load("bami1", simulated_root)
    sources.verify("own", tmp_path)
    assert sources.how_to_get("own") == "name with --data the folder that holds own/"


def test_write_leaves_the_whole_file_or_nothing(tmp_path):
    write(tmp_path / "a/b.json", b"one")
    write(tmp_path / "a/b.json", b"two")
    assert (tmp_path / "a/b.json").read_bytes() == b"two"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.json"]
    with pytest.raises(InputError, match="choose another folder"):
        write(tmp_path / "a/b.json/c", b"three")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="Cannot write"):
        write(tmp_path / "folder", b"four")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "folder"]
