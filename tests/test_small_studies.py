"""Every valid study file renders every notebook that shows it, whoever it tests, and says how many that are."""

import re

import pytest
from fake_studies import SHOWN, run_notebook, without_training, write
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ppglib.bench import costs
from ppglib.files import InputError
from ppglib.study import studies
from ppglib.strategies import STRATEGIES

PEOPLE = {"own": 5, "bami1": 4, "spc2015": 6}
PUBLIC = ["own", "bami1", "spc2015"]
CASES = {
    "train on the public sets, test on mine": {"datasets": PUBLIC, "splits": ["without-own"], "folds": [0]},
    "shuffled windows alone": {"splits": ["shuffled"]},
    "one by one": {"folds": 12},
    "the tuning people": {"datasets": PUBLIC, "splits": ["part4"], "folds": [0]},
    "one network, nothing to compare": {"students": [1], "teachers": [], "strategies": ["scratch"], "swept": []},
    "designs alone, without scratch": {
        "students": [], "designs": [{"blocks": 1, "field": 2.0}], "teachers": [], "strategies": ["gaussian"], "swept": []
    },
}  # fmt: skip


def render(folder, monkeypatch, **keys) -> dict[str, list[str]]:
    """All that the notebooks show of a study with these keys."""
    study = write(folder, **keys)
    datasets = studies.read(study).datasets
    without_training(monkeypatch, {name: PEOPLE[name] for name in datasets})
    given = {"study": study, "data": "unused", "out": str(folder / "out"), "results": str(folder / "out/results")}
    return {number: run_notebook(number, **given) for number in SHOWN}


@pytest.mark.parametrize("case", CASES)
def test_a_study_of_any_split_renders_every_notebook(case, tmp_path, monkeypatch):
    shown = render(tmp_path, monkeypatch, **CASES[case])
    assert all(shown.values())
