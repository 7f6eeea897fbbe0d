"""The look at other sets: the table is that of the predictions, model by model, set by set."""

import numpy as np
import pandas as pd
import pytest

import ppglib as ppg
from ppglib import recordings
from ppglib.study import look


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two people of the format `own` in two folders, whose pulses are known."""
    root, t = tmp_path_factory.mktemp("look"), np.arange(40 * 50) / 50
    for folder, bpm in (("external/welltory", 95.0), ("external/wrist", 130.0)):
        (root / folder / "own").mkdir(parents=True)
        at = 2 * np.pi * bpm / 60 * t
        pulse = np.exp(3 * (np.cos(at - 1.3) - 1)) + 0.35 * np.exp(3 * (np.cos(at - 3.6) - 1))
        pd.DataFrame({"time": t, "ppg": pulse}).to_csv(root / folder / "own/a.ppg.csv", index=False)
        pd.DataFrame({"time": np.arange(40.0), "hr": bpm + 10}).to_csv(root / folder / "own/a.hr.csv", index=False)
    return root


def test_the_table_is_of_every_model_and_baseline_on_every_set(root, monkeypatch):
    monkeypatch.setattr(look, "SETS", {name: look.SETS[name] for name in ("welltory", "wrist")})
    monkeypatch.setattr(look, "FAMILY", ["tiny", "largest"])
    found = look.table(root)
    methods = ["tiny", "largest", "spectral", "neurokit2", "neurokit2 upside down"]
    assert found.groupby("dataset").method.apply(set).map(sorted).to_dict() == {name: sorted(methods) for name in look.SETS}
    for name, (folder, dataset) in look.SETS.items():
        (recording,) = recordings.load(dataset, root / folder)
        for model in ("tiny", "largest"):
            hr = ppg.heart_rate(recording.ppg, recording.rate, model=model).hr
            (row,) = found[(found.dataset == name) & (found.method == model)].itertuples()
            label = recording.hr[: len(hr)]
            assert abs(row.mae - np.abs(hr - label).mean()) < 1e-6 and row.windows == len(label)
    (spectral,) = found[(found.dataset == "wrist") & (found.method == "spectral")].itertuples()
    assert abs(spectral.mae - 10) < 0.5  # labels are 10 BPM beside the pulse
