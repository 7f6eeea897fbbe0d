"""The models that ship: recordings both ways up, and files that say how they were tested."""

import warnings

import neurokit2
import numpy as np
import pandas as pd
import pytest

import ppglib as ppg
from ppglib import models, recordings
from ppglib.models.about import holds
from ppglib.models.cut import cut
from ppglib.resnet1d import Design
from ppglib.results.students import FAMILY
from ppglib.splits import split
from ppglib.study import augment, shipped, studies
from ppglib.study.augment import windows_of
from ppglib.windows import gather


def test_windows_are_those_of_the_recordings_both_ways_up_with_their_labels(simulated_root):
    (recording, *_) = given = list(recordings.load("bami1", simulated_root))
    windows = windows_of(given, (1, -1))
    mine = windows.table[windows.table.person == recording.person]
    numbers = (mine.second / 2).astype(int).to_numpy()
    assert mine.hr.tolist() == [recording.hr[i] for i in numbers]
    up, down = (gather(windows.signal, rows.start.to_numpy()) for _, rows in mine.groupby("recording", sort=False))
    np.testing.assert_allclose(up, -down, atol=1e-4)
    time = np.arange(recording.ppg.shape[1]) / recording.rate
    rows, _ = cut(time, recording.ppg.mean(axis=0), numbers[:3], recording.rate)
    np.testing.assert_allclose(windows.signal[mine.start.iloc[0] :][: 3 * 200].reshape(3, 200), rows)


def test_models_are_made_of_all_people_and_tested_on_some(simulated_root, tmp_path, monkeypatch):
    small = [Design(1, width=4 + i, strides=(4, 2)) for i in range(5)]
    monkeypatch.setattr(studies, "networks", lambda *_: small[::-1])
    for module, name, value in ((shipped, "EPOCHS", 1), (shipped, "PLAIN_EPOCHS", 1), (augment, "COPIES", 2),
                                (shipped, "STILL", (60, 90))):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    people = [r for name in ("spc2015", "bami1") for r in recordings.load(name, simulated_root)]
    shipped.make(people, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.{kind}" for name in FAMILY for kind in ("md", "safetensors")
    )
    for name, design in zip(FAMILY, small):
        about = models.load(tmp_path / f"{name}.safetensors").about
        assert Design(**about["design"]) == design and about["datasets"] == ["bami1", "spc2015"]
        rows = pd.DataFrame(about["error"]["rows"]).query("track == 'none'").set_index("dataset")
        assert rows.people.to_dict() == {"bami1": 2, "spc2015": 2, "all": 4}
        text = (tmp_path / f"{name}.md").read_text()
        assert "academic use" in text and "Without them, untracked: bami1 " in text
        assert about["still"]["bpm"] == [60, 90] and about["plain"][3]["dataset"] == "bami1"
        assert about["plain"] != about["error"]["rows"]


def test_the_models_beside_the_code_are_the_family():
    designs = studies.networks([], studies.read(shipped.STUDY).designs)
    for name, design in zip(FAMILY, sorted(designs, key=lambda d: d.macs)):
        about = models.load(name).about
        assert Design(**about["design"]) == design and about["datasets"] == ["bami1", "bami2", "spc2015"]
        (whole,) = (row for row in about["error"]["rows"] if (row["dataset"], row["track"]) == ("all", "none"))
        assert whole["people"] == 24 and whole["low"] < whole["mae"] < whole["high"]


def test_people_of_the_other_side_of_a_fold_are_not_learned_from(simulated_root):
    people = [r for name in ("spc2015", "bami1") for r in recordings.load(name, simulated_root)]
    windows = windows_of(people, (1, -1))
    for fold in shipped.FOLDS:
        tested = windows.table.iloc[split(windows, fold)[1]]
        learned = {(r.dataset, r.person) for r in shipped.of_fold(people, windows, fold)}
        assert learned == {(r.dataset, r.person) for r in people} - set(zip(tested.dataset, tested.person))


@pytest.mark.parametrize("name", FAMILY)
def test_pulses_at_rest_are_read_where_the_card_says_so(name):
    """By another generator than the one that was learned from, and other seeds than those of the card."""
    about = models.load(name).about
    low, high = holds(about["still"])
    assert low <= 45 and high >= 180 and f"from {low} to {high} BPM" in (models.FOLDER / f"{name}.md").read_text()
    for bpm in (45, 55, 65, 75, 100, 140, 180):
        with warnings.catch_warnings(action="ignore"):
            signal = neurokit2.ppg_simulate(40, 64, bpm, 0.01, 0.01, random_state=1)
        for sign in (1, -1):
            found = ppg.heart_rate(1e6 + 1000 * sign * np.asarray(signal), 64, model=name)
            assert (found.hr - bpm).abs().mean() < 2 and ((found.low <= bpm) & (bpm <= found.high)).mean() > 0.5
