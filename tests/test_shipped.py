"""The models that ship: recordings both ways up, and files that say how they were tested."""

import numpy as np
import pandas as pd

from ppglib import models, recordings
from ppglib.models.cut import cut
from ppglib.resnet1d import Design
from ppglib.results.students import FAMILY
from ppglib.splits import split
from ppglib.study import paces, shipped, studies
from ppglib.windows import gather


def test_windows_are_those_of_the_recordings_both_ways_up_with_their_labels(simulated_root):
    (recording, *_) = given = list(recordings.load("bami1", simulated_root))
    windows = shipped.windows_of(given, (1, -1))
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
    monkeypatch.setattr(shipped, "EPOCHS", 1)
    people = [r for name in ("spc2015", "bami1") for r in recordings.load(name, simulated_root)]
    shipped.make(people, tmp_path)
    windows = shipped.windows_of(people, (1, -1))
    everything, n = shipped.beside(windows, people), len(windows.table)
    added, worse, made = (round(shipped.CHOSEN[kind] * n) for kind in ("changed", "disturbed", "simulated"))
    more = everything.table.iloc[n : n + added]
    assert len(everything.table) == n + added + worse + made
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.{kind}" for name in FAMILY for kind in ("md", "safetensors")
    )
    for name, design in zip(FAMILY, small):
        about = models.load(tmp_path / f"{name}.safetensors").about
        assert Design(**about["design"]) == design and about["datasets"] == ["bami1", "spc2015"]
        rows = pd.DataFrame(about["error"]["rows"]).query("track == 'none'").set_index("dataset")
        assert rows.people.to_dict() == {"bami1": 2, "spc2015": 2, "all": 4}
        tested = np.concatenate([split(windows, fold)[1] for fold in (0, 1)])
        assert rows.windows["all"] == len(tested)
        of_tested = set(map(tuple, windows.table.iloc[tested][["dataset", "person"]].to_numpy()))
        slow = [one in of_tested for one in map(tuple, more[more.hr < paces.SLOW][["dataset", "person"]].to_numpy())]
        slowed, rates = about["error"]["slowed"], {"below": 85, "above": 160}
        assert slowed["windows"] == sum(slow) > 0 and slowed["mae"] != rows.mae["all"]
        assert about["windows"] == everything.digest() != windows.digest()
        assert about["counts"] == {"recorded": n, "changed": added, "disturbed": worse, "simulated": made, **rates}
        card = (tmp_path / f"{name}.md").read_text()
        assert "academic use" in card and f"{made} of simulated pulses" in card and f"of {slowed['mae']:.2f}" in card


def test_the_models_beside_the_code_are_the_family():
    designs = studies.networks([], studies.read(shipped.STUDY).designs)
    for name, design in zip(FAMILY, sorted(designs, key=lambda d: d.macs)):
        about = models.load(name).about
        assert Design(**about["design"]) == design and about["datasets"] == ["bami1", "bami2", "spc2015"]
        (whole,) = (row for row in about["error"]["rows"] if (row["dataset"], row["track"]) == ("all", "none"))
        assert whole["people"] == 24 and whole["low"] < whole["mae"] < whole["high"]
