"""A strategy is one row: added from outside the library, it is trained, tabled and drawn."""

import re

import numpy as np
import pytest
import torch.nn.functional as F

import ppglib
from ppglib.__main__ import main
from ppglib.files import ROOT, InputError
from ppglib.results import frames, plots
from ppglib.strategies import STRATEGIES, Strategy
from ppglib.study import studies

SMOOTHING = Strategy(
    "cross-entropy to the true bin with a tenth of the mass spread over all bins",
    lambda b, c: F.cross_entropy(b.logits.float(), b.target, label_smoothing=0.1),
    color="#882255",
    marker="h",
)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_strategy_from_outside_is_trained_tabled_and_drawn(tmp_path, monkeypatch, jobs):
    monkeypatch.setitem(STRATEGIES, "label_smoothing", SMOOTHING)
    text = (studies.BUILT_IN / "smoke.toml").read_text()
    text = text.replace('strategies = ["scratch", "soft"]', 'strategies = ["scratch", "soft", "label_smoothing"]')
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("epochs = 12", "epochs = 2"))
    assert main(["sweep", "--study", str(path), "--out", str(tmp_path / "out"), "--jobs", jobs]) == 0
    study = ppglib.results.load(tmp_path / "out" / "results")
    runs = study.runs[study.runs.student == 1].set_index("strategy")
    assert runs.teacher["label_smoothing"] == 0 and np.isfinite(runs.mae["label_smoothing"])
    assert runs.mae["label_smoothing"] != runs.mae["scratch"]
    if jobs == "2":
        return  # that it travels to workers is all that there is to see
    assert "label_smoothing" in frames.table2(study).shown.to_string()
    assert "label_smoothing - scratch" in frames.all_controls(study).compared.tolist()
    drawn = plots.gains(study)
    assert "label_smoothing" in drawn.data.to_csv()


def test_it_can_be_trained_by_hand(simulated_windows, monkeypatch):
    monkeypatch.setitem(ppglib.STRATEGIES, "label_smoothing", SMOOTHING)
    train, test = ppglib.split(simulated_windows, 0)
    student = ppglib.train(ppglib.ResNet1D(1), simulated_windows, train, "label_smoothing", epochs=1, batch=64)
    assert np.isfinite(ppglib.evaluate(student, simulated_windows, test)["mae"])


def test_the_data_page_says_what_each_strategy_minimizes():
    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|$", page, re.M))
    assert {name: rows.get(name) for name in STRATEGIES} == {name: row.text for name, row in STRATEGIES.items()}


def test_every_row_is_whole():
    for name, row in STRATEGIES.items():
        assert row.teacher in ("", "logits", "map", "out of fold") and row.group in ("paper", "control", "beyond")
        assert set(row.constants) <= set(studies.Constants.__dataclass_fields__) and row.text, name
        assert set(row.beside) <= set(STRATEGIES)
    looks = [(row.color, row.marker) for row in STRATEGIES.values() if row.group != "beyond"]
    assert len(set(looks)) == len({color for color, _ in looks}) == len(looks)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"constants": ("smoothing",)}, "Constants, which has no smoothing"),
        ({"constants": ("dense_times",), "teacher": "map"}, "not for 'map'"),
        ({"constants": ("dense_times",), "teacher": "out of fold"}, "not for 'out of fold'"),
        ({"teacher": "maps"}, "not for 'maps'"),
    ],
)
def test_a_row_that_no_training_could_follow_is_refused(row, message):
    with pytest.raises(InputError, match=message):
        Strategy("a text", lambda b, c: None, **row)
