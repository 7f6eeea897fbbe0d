"""Prepared windows: built once, reused when nothing changed, rebuilt when anything did."""

import json
import logging
import shutil
from dataclasses import replace
from itertools import chain

import numpy as np
import pandas as pd
import pytest
import scipy.io

from ppglib import task
from ppglib import windows as windows_module
from ppglib.files import InputError
from ppglib.recordings import SIMULATED, load
from ppglib.study import prepare as prepare_module
from ppglib.study import studies
from ppglib.study.prepare import prepare, study_windows, summary
from ppglib.windows import REASONS, Recording, build

SETS = ("bami2", "spc2015")


@pytest.fixture
def builds(monkeypatch):
    """The names of the sets that were built, not read."""
    names = []

    def counted(dataset, root):
        names.append(dataset)
        return load(dataset, root)

    monkeypatch.setattr(prepare_module, "load", counted)
    return names


@pytest.fixture
def copy(simulated_root, tmp_path):
    return shutil.copytree(simulated_root, tmp_path / "data")


def same(one, other):
    np.testing.assert_array_equal(one.signal, other.signal)
    for name in prepare_module.FRAMES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_dtype=False)
    return one.digest() == other.digest()


def test_prepared_windows_are_the_built_ones_and_are_reused(copy, tmp_path, builds):
    direct = build(chain(*(load(name, copy) for name in SETS)))
    first = prepare(SETS, copy, tmp_path / "kept")
    assert same(first, direct) and builds == list(SETS)
    again = prepare(SETS, copy, tmp_path / "kept")
    assert same(again, direct) and builds == list(SETS)
    assert again.table.simulated.all() and again.table.simulated.dtype == bool
    one = prepare(["spc2015"], copy, tmp_path / "kept")
    assert one.table.start.min() < 250 and builds == list(SETS)
    assert sorted(p.name for p in (tmp_path / "kept").iterdir() if p.name != "lock") == [
        "bami2.json",
        "bami2.npz",
        "spc2015.json",
        "spc2015.npz",
    ]


def test_the_manifest_says_what_went_in(copy, tmp_path):
    prepare(["bami2"], copy, tmp_path)
    manifest = json.loads((tmp_path / "bami2.json").read_text())
    assert set(manifest["inputs"]) == {f"BAMI2_{n}.mat" for n in range(1, 6)}
    assert manifest["parameters"]["band"] == [0.5, 4.0] and manifest["parameters"]["rate"] == 25
    assert manifest["parameters"]["simulated"] is True and manifest["parameters"]["max_stamp_gap"] == 2.5
    with np.load(tmp_path / "bami2.npz", allow_pickle=False) as archive:
        assert archive["signal"].dtype == np.float32


def alter(source, target, name, index):
    content = scipy.io.loadmat(source)
    content[name][index] += 1
    scipy.io.savemat(target, {k: v for k, v in content.items() if k[0] != "_"})


def change_label(copy, _):
    alter(copy / "bami2/BAMI2_3.mat", copy / "bami2/BAMI2_3.mat", "bpm_ecg", 7)


def add_person(copy, _):
    alter(copy / "bami2/BAMI2_1.mat", copy / "bami2/BAMI2_6.mat", "rawPPG", (0, 0))


def set_constant(patch, name, value):
    """As if task.py said so: the modules that took the number from there have it too."""
    for module in (task, windows_module):
        patch.setattr(module, name, value)


CHANGES = {
    "a label": change_label,
    "a file more": add_person,
    "a file less": lambda copy, _: (copy / "bami2/BAMI2_1.mat").unlink(),
    "the filter": lambda _, patch: set_constant(patch, "BAND", (0.6, 4.0)),
    "the range of HR": lambda _, patch: set_constant(patch, "HR_RANGE", (30.0, 100.0)),
    "the format": lambda _, patch: patch.setattr(prepare_module, "FORMAT", 10**6),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_rebuilds_only_the_set_that_it_touches(change, copy, tmp_path, builds, monkeypatch):
    before = prepare(["bami2"], copy, tmp_path / "kept")
    prepare(["spc2015"], copy, tmp_path / "kept")
    builds.clear()
    CHANGES[change](copy, monkeypatch)
    after = prepare(["bami2"], copy, tmp_path / "kept")
    assert builds == ["bami2"]
    assert change == "the format" or before.digest() != after.digest()
    assert change != "a label" or (after.table.hr != before.table.hr).sum() == 1
    assert same(prepare(["bami2"], copy, tmp_path / "kept"), after) and builds == ["bami2"]


@pytest.mark.parametrize("name", ["bami2.npz", "bami2.json"])
@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "other"])
def test_a_damaged_copy_is_rebuilt_with_a_notice(name, damage, copy, tmp_path, builds, caplog):
    good = prepare(["bami2"], copy, tmp_path / "kept")
    path = tmp_path / "kept" / name
    content = bytearray(path.read_bytes())
    content[-1 if name.endswith("json") else len(content) // 2] ^= 0x55
    other = b"[1, 2]" if name.endswith("json") else b"x"
    path.write_bytes({"bit": content, "cut": content[:100], "empty": b"", "other": other}[damage])
    with caplog.at_level(logging.WARNING):
        assert same(prepare(["bami2"], copy, tmp_path / "kept"), good)
    assert builds == ["bami2", "bami2"] and f"{name} is damaged" in caplog.text
    caplog.clear()
    assert same(prepare(["bami2"], copy, tmp_path / "kept"), good) and not caplog.text


def test_bad_input_leaves_nothing_behind(copy, tmp_path):
    (copy / "bami2/BAMI2_5.mat").write_bytes(b"")
    with pytest.raises(InputError, match="BAMI2_5.mat"):
        prepare(["bami2"], copy, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    for datasets, message in (([], "No datasets"), (["nonsense"], "Unknown dataset"), (["../x"], "Unknown")):
        with pytest.raises(InputError, match=message):
            prepare(datasets, copy, tmp_path / "kept")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="Cannot write"):
        prepare(["bami1"], copy, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "x"


def test_a_published_folder_is_verified_when_it_is_built(copy, tmp_path):
    (copy / SIMULATED).unlink()
    with pytest.raises(InputError, match="lacks"):
        prepare(["bami2"], copy, tmp_path / "kept")


def test_summary_counts_people_hours_and_windows(copy, tmp_path):
    table = summary(prepare(SETS, copy, tmp_path)).set_index("dataset")
    assert list(table.columns) == ["people", "recordings", "hours", "kept", *REASONS]
    assert table.loc["spc2015"].tolist() == [5, 5, 5 * 90 / 3600, 5 * 42, 0, 0, 0, 0, 0]
    assert table.loc["bami2"].tolist() == [5, 5, 5 * 90 / 3600, 5 * 40, 10, 0, 0, 0, 0]


def test_hours_are_those_of_signal_without_gaps():
    ppg = np.random.default_rng(0).normal(size=(1, 60 * 25))
    made = build([Recording("own", "1", "r1", ppg, 25.0, np.full(27, 80.0), gaps=((20 * 25, 30 * 25),))])
    assert summary(made).hours[0] * 3600 == pytest.approx(50, abs=0.1)


def test_a_study_of_simulated_people_takes_no_recordings(tmp_path):
    """Or one trains on made-up people and believes that they are one's own."""
    with pytest.raises(InputError, match="Study smoke simulates its people and has no use for --data"):
        study_windows(studies.read("smoke"), tmp_path, tmp_path / "out")


def test_people_simulated_for_another_study_lie_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module.open_formats, "write", lambda root, *_: root.mkdir())
    smoke, own = studies.read("smoke"), [4] * len(studies.read("smoke").datasets)
    others = [replace(smoke, **change) for change in ({}, {"simulate_minutes": 0.5}, {"simulate_people": own})]
    assert len({prepare_module.recordings_folder(study, None, tmp_path) for study in others}) == 3


def test_summary_of_the_published_sets(shared, tmp_path):
    table = summary(prepare(("spc2015", "bami1", "bami2"), shared("data/open"), tmp_path))
    assert table.people.tolist() == [12, 24, 23] and table.kept.tolist() == [1768, 10008, 8280]
    assert table["no label"].tolist() == [0, 0, 46]
    np.testing.assert_allclose(table.hours, [1.005, 5.6, 4.664], atol=1e-3)  # 23 x 730 s, 24 x 840 s
