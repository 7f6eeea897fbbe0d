"""The models that ship: recordings played slower, faster and upside down, and files that say how they were tested."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ppglib import models, recordings
from ppglib.metrics import spectral_peak
from ppglib.resnet1d import Design
from ppglib.study import shipped, studies
from ppglib.windows import Recording


def sine(hr, minutes=2.0, rate=50.0):
    """A pulse of one heart rate, with its label every 2 s."""
    time = np.arange(int(60 * minutes * rate)) / rate
    labels = np.full(int((60 * minutes - 8) // 2 + 1), hr)
    return Recording("own", "1", "r1", np.sin(2 * np.pi * hr / 60 * time)[None], rate, labels)


@pytest.mark.parametrize("slower", [0.7, 1.0, 1.9])
def test_a_recording_that_lasts_longer_has_a_lower_heart_rate(slower):
    rows, table = shipped.played(sine(90.0), slower, 1)
    assert table.hr.tolist() == pytest.approx([90 / slower] * len(table))
    np.testing.assert_allclose(spectral_peak(rows), 90 / slower, atol=1.5)
    upside_down, _ = shipped.played(sine(90.0), slower, -1)
    np.testing.assert_allclose(upside_down, -rows, atol=1e-6)
    assert len(rows) == pytest.approx((120 * slower - 8) / 2 + 1, abs=8)  # but for ends without a label


def test_labels_are_those_of_the_middle_of_each_window():
    recording = sine(90.0)
    ramp = np.linspace(60, 120, len(recording.hr))
    _, table = shipped.played(replace(recording, hr=ramp), 1.0, 1)
    assert table.hr.to_numpy() == pytest.approx(ramp[(table.second / 2).astype(int)])


def test_what_leaves_the_range_of_heart_rates_is_left_out():
    assert not len(shipped.played(sine(45.0), 1.9, 1)[1]) and not len(shipped.played(sine(180.0), 0.7, 1)[1])


def test_models_are_made_of_all_people_and_tested_on_some(simulated_root, tmp_path, monkeypatch):
    small = [Design(1, width=4 + i, strides=(4, 2)) for i in range(5)]
    monkeypatch.setattr(studies, "networks", lambda *_: small[::-1])
    monkeypatch.setattr(shipped, "EPOCHS", 1)
    people = [r for name in ("spc2015", "bami1") for r in recordings.load(name, simulated_root)]
    shipped.make(people, "0" * 64, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.{kind}" for name in shipped.NAMES for kind in ("md", "safetensors")
    )
    for name, design in zip(shipped.NAMES, small):
        about = models.load(tmp_path / f"{name}.safetensors").about
        assert Design(**about["design"]) == design and about["datasets"] == ["bami1", "spc2015"]
        rows = pd.DataFrame(about["error"]["rows"]).query("track == 'none'").set_index("dataset")
        assert rows.people.to_dict() == {"bami1": 2, "spc2015": 2, "all": 4}
        assert "academic use" in (tmp_path / f"{name}.md").read_text()


def test_the_models_beside_the_code_are_the_family():
    designs = studies.networks([], studies.read(shipped.STUDY).designs)
    for name, design in zip(shipped.NAMES, sorted(designs, key=lambda d: d.macs)):
        about = models.load(name).about
        assert Design(**about["design"]) == design and about["datasets"] == ["bami1", "bami2", "spc2015"]
        (whole,) = (row for row in about["error"]["rows"] if (row["dataset"], row["track"]) == ("all", "none"))
        assert whole["people"] == 24 and whole["low"] < whole["mae"] < whole["high"]
