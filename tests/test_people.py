"""The table of a check: what is built into recordings is found, and all that is wrong is said at once."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from formats.paper_formats import write_own

from ppglib import simulate
from ppglib.__main__ import main
from ppglib.recordings import Recording, load, people
from ppglib.study import engine, predictions, records
from ppglib.windows import build

MINUTES, WINDOWS = 6.0, 177
PERSON = simulate.person(3, MINUTES)
MADE = Recording("own", "ann", "ann", simulate.ppg(PERSON, 50.0), 50.0, simulate.window_hr(PERSON, WINDOWS))


def row(**changed):
    return people.table(build([replace(MADE, **changed)])).iloc[0]


def test_what_is_built_in_is_found():
    plain = row()
    assert plain.rate == 50 and plain.hours == pytest.approx(MINUTES / 60) and plain.kept == plain.labels == WINDOWS
    assert plain.rate_off == "no" and abs(plain.ratio - 1) < 0.01 and plain.shift_s == 0 and plain.margin > 1
    assert (plain.pulse, row(ppg=-MADE.ppg).pulse) == ("up", "down") and plain.sure > 5
    calm = simulate.person(3, MINUTES, ("rest",))
    fast = row(ppg=simulate.ppg(calm, 50.0), rate=51.5, hr=simulate.window_hr(calm, 170))
    assert fast.rate_off == "yes" and fast.ratio == pytest.approx(1.03, abs=0.01)
    late = row(hr=np.r_[np.full(5, np.nan), MADE.hr[:-5]])
    assert late.shift_s == 10 and late.margin > 1 and late["no label"] == 5 and late.labels == WINDOWS - 5
    holes = row(gaps=((1000, 1100), (5000, 5500)))
    assert holes.holes == 2 and holes.lost_s == pytest.approx(12, abs=0.3) and holes.gap > 10
    assert holes.hours == pytest.approx(MINUTES / 60 - 12 / 3600, abs=1e-4)


def test_what_cannot_be_told_is_not_told():
    noise = row(ppg=np.random.default_rng(0).normal(size=MADE.ppg.shape))
    assert noise.rate_off == "" and noise.pulse == "" and not noise.margin > 1


@pytest.mark.parametrize(("dataset", "pulse"), [("bami1", "down"), ("bami2", "up")])
def test_the_open_sets_point_one_way_each_and_have_their_rates(shared, dataset, pulse):
    found = people.table(build(load(dataset, shared("data/open"))))
    assert set(found.pulse) == {pulse, ""} and (found.pulse == pulse).mean() > 0.8
    assert "yes" not in set(found.rate_off) and (found.rate_off == "no").mean() > 0.8


def test_all_that_is_wrong_is_said_at_once(tmp_path, capsys):
    folder, time = tmp_path / "own", np.arange(0, 60, 0.02)
    folder.mkdir()
    for name, ppg, hr in (("ann", "a", 70), ("bo", 1.0, 70), ("cy", np.sin(9 * time), 0), ("di", np.sin(8 * time), 70)):
        pd.DataFrame({"time": time, "ppg": ppg}).to_csv(folder / f"{name}.ppg.csv", index=False)
        pd.DataFrame({"time": np.arange(60), "hr": hr}).to_csv(folder / f"{name}.hr.csv", index=False)
    (folder / "ed.hr.csv").write_text("time,hr\n1,60\n")
    (folder / "copy.ppg.csv").write_bytes((folder / "di.ppg.csv").read_bytes())
    (folder / "copy.hr.csv").write_bytes((folder / "di.hr.csv").read_bytes())
    (folder / "notes.txt").touch()
    assert main(["check", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().out
    for problem in ("ann.ppg.csv: column 'ppg' holds text", "bo.ppg.csv holds no signal", "ed has no .ppg table"):
        assert problem in said
    for problem in ("60 of 60 heart rates cannot be", "very same PPG", "2 people", "Not used: notes.txt"):
        assert problem in said
    assert "rate_off" in said and "di" in said


def test_a_check_of_whole_recordings_finds_nothing_wrong(simulated_root, capsys):
    assert main(["check", "--data", str(simulated_root), "--dataset", "bami2"]) == 0
    assert "Problems" not in capsys.readouterr().out
    assert main(["check", "--data", str(simulated_root), "--dataset", "own"]) == 2


def test_a_sweep_of_own_recordings_prints_the_table_of_the_check_before_it_trains(tmp_path, capsys, monkeypatch):
    write_own(tmp_path / "own", {name: simulate.person(seed, 1.0) for seed, name in enumerate(("ann", "bo", "cy"))})
    assert main(["check", "--data", str(tmp_path)]) == 0
    checked = capsys.readouterr().out.splitlines()
    asked = []
    monkeypatch.setattr(engine, "sweep", lambda *_: asked.append(capsys.readouterr().out))
    monkeypatch.setattr(predictions, "write", lambda *_: asked.append("predictions"))
    monkeypatch.setattr(records, "tables", lambda *_: {})
    arguments = ["sweep", "--study", "own", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert main(arguments) == 0 and main([*arguments, "--predictions"]) == 0
    assert len(checked) == 4 and set(checked) <= set(asked[0].splitlines())
    assert len(asked) == 3 and asked[2] == "predictions"
    shown = people.table(build(load("own", tmp_path))).to_string(index=False, float_format="{:.4g}".format)
    assert shown.splitlines() == checked  # what notebook 01 shows
