"""The tuned recipe: chosen on people whom no test sees, from everything that is written down."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ppglib import splits
from ppglib.__main__ import main
from ppglib.files import resolve
from ppglib.resnet1d import Design
from ppglib.results import tables
from ppglib.study import studies, tuning

TUNED = ("soft_temperature", "dkd_temperature", "sigma", "dense_noise")


@pytest.fixture(scope="module")
def trained(simulated_windows, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    for name, value in {"SIZES": (1, 2), "RATES": (1e-2,), "DROPOUTS": (0.0, 0.5), "EPOCHS": (1, 2)}.items():
        patch.setattr(tuning, name, value)
    patch.setattr(
        tuning, "TUNED", {"soft": ("soft_temperature", (1.0, 4.0)), "gaussian": ("sigma", (2.0, 9.0))}
    )
    study = replace(studies.read("smoke"), epochs=2)
    folder = tmp_path_factory.mktemp("tuning")
    table = tuning.tune(study, simulated_windows, folder, 1)
    patch.undo()
    return study, folder, table


def test_everything_tried_is_in_the_table_and_the_lowest_mean_is_chosen(trained):
    _, _, table = trained
    assert table.groupby("step", sort=False).setting.nunique().to_dict() == {
        "rate and dropout": 3, "epochs": 2, "soft_temperature": 2, "sigma": 2,
    }  # fmt: skip
    for _, step in table.groupby("step"):
        means = step.groupby("setting").mae.mean()
        assert step[step.chosen].setting.unique() == [means.idxmin()]
    best = table[table.chosen].groupby("step", sort=False).first()
    assert best.dropout.nunique() == best.rate.nunique() == 1  # later steps build on the first


def test_each_step_goes_on_from_the_lowest_mean_of_the_one_before(monkeypatch, simulated_windows, tmp_path):
    """Without training: MAEs are lowest at a rate of 0.03 and 20 epochs; dropout helps 1 block less than it harms 8."""

    def read(_, key):
        setting, blocks = key
        off = abs(np.log(setting.rate / 0.03)) + abs(setting.epochs - 20) / 10
        off += setting.dropout * (-4 if blocks == 1 else 5)
        return {"mae": 9 + off, "mae_median": 9 - off} | dict.fromkeys(("mae_expectation", "nll", "n_train", "n_test"), 1)

    run_of = lambda setting, _, student: SimpleNamespace(id=lambda digest: (setting, student.blocks), teacher=0)  # noqa: E731
    monkeypatch.setattr(tuning, "complete", lambda *_: None)
    monkeypatch.setattr(tuning, "run_of", run_of)
    monkeypatch.setattr(tuning.records, "read", read)
    table = tuning.tune(studies.read("smoke"), simulated_windows, tmp_path, 1)
    steps = [step for _, step in table.groupby("step", sort=False)]
    assert {(row.rate, row.dropout) for row in steps[0][steps[0].chosen].itertuples()} == {(0.03, 0.0)}
    assert all(set(step.rate) == {0.03} and set(step.dropout) == {0.0} for step in steps[1:])
    assert set(steps[1].epochs) == {10, 20} and all(set(step.epochs) == {20} for step in steps[2:])


def test_students_of_a_setting_are_taught_by_the_largest_teacher():
    setting = replace(studies.read("smoke"), teachers=[2, 8, 4])
    run = tuning.run_of(setting, "soft", Design(1))
    assert (run.teacher, run.split, run.fold) == (8, splits.TUNING, 0)
    assert tuning.run_of(setting, "scratch", Design(1)).teacher == 0


def test_the_summary_has_a_row_a_setting_and_its_mean(trained, tmp_path):
    _, _, table = trained
    assert tables.tuning(tmp_path).empty
    table.to_csv(tmp_path / "tuning.csv", index=False)
    short = tables.tuning(tmp_path)
    assert len(short) == 2 * short.chosen.sum() + 1 == len(table) // 2  # of three, two, two and two settings
    assert short["mean"].to_list() == pytest.approx(((short["mae 1"] + short["mae 2"]) / 2).to_list())
    assert (
        short[short.chosen]["mean"].values == short.groupby("step", sort=False)["mean"].min().values
    ).all()


def test_nobody_who_is_tested_is_tuned_on(trained, simulated_windows):
    _, folder, table = trained
    key = (simulated_windows.table.dataset + simulated_windows.table.person).to_numpy()
    tested = {k for fold in (0, 1) for k in key[splits.split(simulated_windows, fold)[1]]}
    train, validation = splits.split(simulated_windows, 0, splits.TUNING)
    assert not tested & set(key[validation])
    assert not set(key[splits.split(simulated_windows, 0)[1]]) & set(key[train])
    assert (table.n_train == len(train)).all() and (table.n_test == len(validation)).all()
    assert all("-part4-" in path.name for path in (folder / "runs").iterdir())


def test_a_study_without_teachers_cannot_be_tuned(tmp_path, capsys):
    text = (studies.BUILT_IN / "smoke.toml").read_text(encoding="utf-8")
    text = text.replace("teachers = [2]", "teachers = []").replace('"soft"]', "]")
    (tmp_path / "alone.toml").write_text(text, encoding="utf-8")
    arguments = ["tune", "--study", str(tmp_path / "alone.toml"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2 and "no teachers" in capsys.readouterr().err
    assert main([*arguments, "--jobs", "0"]) == 2 and not (tmp_path / "out" / "runs").exists()


def test_the_tuned_study_has_what_was_chosen():
    """ppglib/study/open_tuned.toml says what the chosen rows of the committed table say."""
    table, study = pd.read_csv(resolve("data/results/open/tuning.csv")), studies.read("open_tuned")
    chosen = table[table.chosen].groupby("step").first()
    assert tuple(table.student.unique()) == tuning.SIZES
    assert study.recipe == "tuned" and study.more_seeds == studies.read("open").more_seeds
    for constant in ("schedule", "rate", "dropout", "epochs"):
        assert (chosen[constant] == getattr(study, constant))["epochs"], constant
    for constant in TUNED:
        assert chosen[constant][constant] == getattr(study, constant), constant
    for step, constant in {"rate and dropout": "rate"}.items() | {s: s for s in TUNED}.items():
        tried = table[(table.step == step) & (table.schedule == "one-cycle")][constant]
        best = getattr(study, constant)
        assert tried.min() < best < tried.max() or best == 0, (
            f"a better {constant} may lie beyond what was tried"
        )
