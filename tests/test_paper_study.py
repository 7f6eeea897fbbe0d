"""The paper's study from end to end, on a few simulated people in the formats of its three sets."""

import nbformat
import pandas as pd
import pytest
from formats import paper_formats
from page_checks import faults

from ppglib import __main__ as cli

STUDY = """
recipe = "test"
datasets = ["wildppg", "ppg_dalia", "galaxyppg"]
students = [1]
teachers = [2]
strategies = ["scratch", "dkd"]
swept = ["soft"]
folds = [0]
seeds = 1
epochs = 1
batch = 32
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    paper_formats.write(folder / "data", people=3, minutes=3.0, seed=1)
    (folder / "small.toml").write_text(STUDY, encoding="utf-8")
    arguments = ["--study", folder / "small.toml", "--data", folder / "data", "--out", folder / "out"]
    assert cli.main(["reproduce", *map(str, arguments), "--only", "01,03,05", "--jobs", "1"]) == 0
    return folder / "out"


def test_every_set_gives_windows_of_all_its_people(out):
    windows = pd.read_csv(out / "results/windows.csv", index_col="dataset")
    assert list(windows.index) == ["wildppg", "ppg_dalia", "galaxyppg"]
    assert (windows.people == 3).all() and (windows.kept > 100).all()


def test_networks_are_trained_and_told_to_be_simulated(out):
    runs = pd.read_csv(out / "results/runs.csv")
    assert set(runs.strategy) == {"mean", "spectral", "scratch", "soft", "dkd"}
    assert runs.simulated.all() and runs.people_test.eq(3).all()
    people = pd.read_csv(out / "results/people.csv")
    assert people.activity.notna().any()


def test_the_notebooks_show_it(out):
    assert {path.stem[:2] for path in (out / "notebooks").glob("*.html")} == {"01", "03", "05"}
    assert not faults(out)
    notebook = nbformat.read(out / "notebooks/05_table2_strategies.ipynb", as_version=4)
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(data.get("text/plain", "") for data in shown)
    assert "Simulated recordings of" in text and "wildppg" in text and any("image/png" in data for data in shown)
