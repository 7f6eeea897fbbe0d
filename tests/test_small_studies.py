"""Every valid study file renders every notebook that shows it, whoever it tests, and says how many that are."""

import re

import pandas as pd
import pytest
from fake_studies import SHOWN, run_notebook, without_training, write
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ppglib.bench import costs
from ppglib.files import ROOT, InputError
from ppglib.results import pages, tables
from ppglib.strategies import STRATEGIES
from ppglib.study import studies

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
    shown = {number: run_notebook(number, **given) for number in SHOWN}
    page = pages.write(folder / "out", folder / "out/results", costs.one_window(ROOT / "data/results/compute"))
    return shown | {"index": [page.read_text(encoding="utf-8")]}


QUICK = "train on the public sets, test on mine", "shuffled windows alone", "designs alone, without scratch"


@pytest.mark.parametrize("case", [pytest.param(c, marks=() if c in QUICK else pytest.mark.slow) for c in CASES])
def test_a_study_of_any_split_renders_every_notebook(case, tmp_path, monkeypatch):
    shown = render(tmp_path, monkeypatch, **CASES[case])
    text = "\n".join(shown["05"])
    if "without-own" in CASES[case].get("splits", ()):
        assert "5 test people" in text and "dkd" in text  # judged by the only split there is
    elif case == "shuffled windows alone":
        assert "Nothing is said of mine" in text and "Nothing to draw" in text and "shuffled" in "\n".join(shown["03"])


@pytest.mark.slow
def test_of_three_people_nothing_is_significant(tmp_path, monkeypatch):
    monkeypatch.setitem(PEOPLE, "own", 3)
    text = "\n".join(sum(render(tmp_path, monkeypatch, folds=12).values(), []))
    assert "3 test people" in text and not re.search(r"\] +better *\n|\binf\b", text)


SETS = st.lists(st.sampled_from(PUBLIC), min_size=1, max_size=3, unique=True)
SIZES = st.lists(st.sampled_from([1, 2, 3, 4, 6, 8]), max_size=5, unique=True)
DESIGNS = st.lists(
    st.sampled_from([{"blocks": 1, "field": 2.0}, {"blocks": 2, "width": 16}, {"blocks": 1, "pieces": 4}]),
    max_size=2, unique_by=str,
)  # fmt: skip
SPLITS = ["person", "shuffled", "fifths", "part4", *(f"without-{name}" for name in PUBLIC)]
NAMES = st.lists(st.sampled_from(sorted(STRATEGIES)), max_size=4, unique=True)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_every_valid_study_renders_every_notebook(data, tmp_path_factory):
    draw, folder = data.draw, tmp_path_factory.mktemp("study")
    splits = draw(st.lists(st.sampled_from(SPLITS), min_size=1, max_size=3, unique=True))
    keys = {
        "datasets": draw(SETS), "students": draw(SIZES), "designs": draw(DESIGNS), "teachers": draw(SIZES),
        "strategies": draw(NAMES), "swept": draw(NAMES), "splits": splits, "seeds": draw(st.integers(1, 2)),
        "folds": draw(st.sampled_from([[0], [0, 1], [1], 2, 3, 12])), "recipe": draw(st.sampled_from(["public", "tuned", "mine"])),
    }  # fmt: skip
    if set(splits) <= {"part4", *(s for s in SPLITS if s.startswith("without"))}:
        keys["folds"] = [0]
    try:
        studies.read(write(folder, **keys))
    except InputError:
        assume(False)
    with pytest.MonkeyPatch.context() as patch:
        try:
            render(folder, patch, **keys)
        except AssertionError as error:  # too few people for the parts of a fold is said in one sentence
            if not isinstance(error.__cause__, InputError):
                raise


def test_one_network_has_one_error_in_every_notebook(tmp_path, monkeypatch):
    """Two folds of different size and two seeds: 03 and 05 print the pooled error, and not the mean of folds."""
    monkeypatch.setitem(PEOPLE, "own", 9)
    shown = render(tmp_path, monkeypatch, students=[1], teachers=[2], strategies=["scratch"], swept=[], seeds=2)
    results = tables.load(tmp_path / "out/results")
    runs = results.runs.query("strategy == 'scratch' and student == 1")
    people = results.people[results.people.run_id.isin(runs.run_id)]
    pooled = f"{(people.mae * people.n).sum() / people.n.sum():.2f}"
    assert any("scratch" in text and pooled in text for text in shown["03"])
    assert any("scratch" in text and pooled in text for text in shown["05"])


def test_a_verdict_about_time_is_by_medians(tmp_path):
    """One late call in twenty moves a mean and no verdict."""
    keys = {"device": "mine CPU", "driver": "none", "torch": "2", "variant": "eager", "threads": 1, "batch": 1, "n": 20}
    rows = [keys | {"run": run, "blocks": b, "mean": b + late, "sd": 1.0, "median": b, "spread": 0.1}
            for b, late in ((1.0, 9.0), (12.0, 0.0)) for run in (0, 1)]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "mine.csv", index=False)
    parts = dict.fromkeys([*costs.PARTS, "constant", "measured", "spread"], 1e6)
    memory = [keys | parts | {"mode": "inference", "blocks": b} for b in (1.0, 12.0)]
    pd.DataFrame(memory).to_csv(tmp_path / "mine.memory.csv", index=False)
    assert costs.one_window(tmp_path).set_index("blocks").seconds.to_dict() == {1: 1.0, 12: 12.0}
