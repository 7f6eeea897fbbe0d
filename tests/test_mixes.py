"""What the models that ship learn beside recordings: the rule that chooses, and that no network is tested on its people."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from ppglib import recordings
from ppglib.files import ROOT
from ppglib.results.students import FAMILY
from ppglib.splits import TUNING
from ppglib.study import shipped

found = importlib.util.spec_from_file_location("mixes", ROOT / "tools/mixes.py")
mixes = importlib.util.module_from_spec(found)
found.loader.exec_module(mixes)


def rows(mix, found, *mae, slowed=5.0):
    tests = {mixes.CLEAN: 9.0, "slowed": slowed} | dict(zip("ab", mae))
    return [{"mix": mix, "test": test, "mae": value, "found": found * (test == mixes.CLEAN)} for test, value in tests.items()]


def test_the_least_error_of_those_that_find_nearly_all_clean_waves_and_keep_slow_pulses():
    earlier, lost = rows(mixes.EARLIER, 0.99, 4.0, 4.0), rows("lost", 0.9, 1.0, 1.0)
    table = pd.DataFrame([*earlier, *lost, *rows("better", 0.985, 1.0, 4.0), *rows("most", 1.0, 1.0, 1.0, slowed=5.1)])
    assert mixes.best(table) == "better" and mixes.best(table, slow=False) == "most"
    assert mixes.best(pd.DataFrame([*lost, *rows(mixes.EARLIER, 0.91, 3.0, 3.0)])) == "lost"


def test_every_mix_is_tested_on_people_that_it_did_not_learn(simulated_root, monkeypatch):
    people = [r for name in ("spc2015", "bami1") for r in recordings.load(name, simulated_root)]
    learned, made = [], []

    def trained(design, everything, rows, fold):
        learned.append((everything, set(shipped.people_of(everything)[rows])))
        assert design == list(shipped.designs().values())[list(FAMILY).index(mixes.NETWORK)]

    def predict(network, windows, at):
        made.append((*learned[-1], windows, at))
        probabilities = np.zeros((len(at), 180))
        hr = windows.table.hr.to_numpy()[at] + 3  # 3 BPM too many
        probabilities[np.arange(len(at)), np.minimum(hr - 30, 179).astype(int)] = 1
        return probabilities

    monkeypatch.setattr(shipped, "trained", trained)
    monkeypatch.setattr(mixes, "predict", predict)
    monkeypatch.setattr(mixes.joblib, "Parallel", lambda n_jobs: lambda tasks: [f(*a, **k) for f, a, k in tasks])
    monkeypatch.setattr(mixes, "CANDIDATES", {mixes.EARLIER: (0.15, 0.15, 0.2, True), "b": (0.0, 0.0, 0.0, True)})
    found = mixes.table(people)
    assert found.chosen.eq(found.mix == found.mix[found.chosen].iloc[0]).all()
    tests = ["as recorded", "upside down", "slowed", mixes.CLEAN, "without-bami1", "without-spc2015"]
    assert found.test.tolist() == 2 * tests and (found.found == 0).all() and found.mae.between(2, 4).all()
    assert found.disturbed.tolist() == [0.2] * 6 + [0.0] * 6 and found.simulated.nunique() == 2
    for test, (everything, known, windows, at) in zip(2 * tests, made):
        tested = set(shipped.people_of(windows)[at])
        assert known and tested and not known & tested
        if test.startswith("without"):
            assert {dataset for dataset, _ in tested} == {test.removeprefix("without-")}
        if test in tests[:2]:
            sign = {"as recorded": "+1", "upside down": "-1"}[test]
            assert windows.table.recording.iloc[at].str.endswith(sign).all()
        assert test != "slowed" or (windows.table.hr.iloc[at] < 85).all()
    recorded = sum(shipped.windows_of(people, (1, -1)).table.groupby("dataset").size())
    assert len(made[6][0].table) == recorded < len(made[0][0].table)
    assert TUNING == "part4" and len(learned) == 6


def test_the_committed_table_chose_what_is_shipped():
    table = pd.read_csv(mixes.OUT)
    chosen = table[table.chosen]
    assert list(dict.fromkeys(table.mix)) == list(mixes.CANDIDATES) and mixes.best(table) == chosen.mix.iloc[0]
    for name, value in shipped.CHOSEN.items():
        assert chosen[name].unique() == pytest.approx([value])
    assert mixes.best(table[~table.test.str.startswith("without")]) == chosen.mix.iloc[0]
    assert mixes.best(table, slow=False) == "few changed, pulses"  # what the first rule chose, as the docstring says
    assert (table.low <= table.mae).all() and (table.mae <= table.high).all()
