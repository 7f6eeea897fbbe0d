"""The paper's three sets together: hours, alignment of the labels, window lengths, cost of preparing."""

import itertools

import numpy as np
import pandas as pd
import pytest
from formats import paper_formats, prepare_cost, wildppg_files

from ppglib import recordings, windows
from ppglib.recordings import inspection

SETS = ("ppg_dalia", "wildppg", "galaxyppg", "wildppg_hf")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("paper") / "root"
    paper_formats.write(root, people=2, minutes=8.0, seed=1)
    wildppg_files.write_cells(root / "wildppg_hf", wildppg_files.people(2, 8.0), cropped=True)
    return windows.build(itertools.chain(*(recordings.load(dataset, root) for dataset in SETS)))


def test_all_are_marked_as_simulated(prepared):
    assert prepared.table.simulated.all() and set(prepared.table.dataset) == set(SETS)


def test_hours(prepared):
    table = inspection.hours(prepared).set_index("dataset")
    assert list(table.index) == list(SETS)
    dalia, cells = table.loc["ppg_dalia"], table.loc["wildppg_hf"]
    assert dalia.people == 2 and np.isclose(dalia.signal_h, 16 / 60)
    assert dalia.all_windows == dalia.kept_windows == 2 * 237
    assert np.isclose(dalia.all_x2s_h * 3600, 2 * 237 * 2)
    assert cells.step_s == 8 and cells.all_windows == 120  # no overlap: 8 s a window is all of the signal
    assert np.isclose(cells.all_x8s_h, cells.signal_h) and np.isclose(cells.signal_h, 16 / 60)
    wild = prepared.dropped[prepared.dropped.dataset == "wildppg"].windows.sum()
    assert table.loc["wildppg"].all_windows - table.loc["wildppg"].kept_windows == wild > 0


def test_labels_agree_best_where_they_are(prepared):
    for dataset, part in inspection.label_shift(prepared).groupby("dataset"):
        share = part.set_index("shift").within5
        assert len(share) == (3 if dataset == "wildppg_hf" else 13)
        if dataset != "wildppg_hf":  # its stretched windows agree with no label
            assert share.idxmax() == 0 and share[12] < share[0] - 0.1 and share[-12] < share[0] - 0.1


def test_stretched_windows_are_told_from_whole_ones(prepared):
    share = inspection.spectral_share(prepared).set_index("dataset").within5
    assert share["ppg_dalia"] > 0.6 and share["wildppg_hf"] < 0.2
    found = inspection.window_length(prepared).set_index("dataset")
    assert np.allclose(found.ratio.drop("wildppg_hf"), 1, atol=0.02)
    assert np.isclose(found.ratio["wildppg_hf"], 0.8, atol=0.02) and "6.4 s" in found.finding["wildppg_hf"]


def test_benchmark_of_preparing_prints_and_writes(tmp_path, monkeypatch, capsys):
    for name in ("DALIA_MINUTES", "WILDPPG_MINUTES", "GALAXY_MINUTES"):
        monkeypatch.setattr(prepare_cost, name, 1.5)
    monkeypatch.setattr(prepare_cost, "REPEATS", 1)
    monkeypatch.setattr(prepare_cost, "measure", lambda *case: prepare_cost._prepare(*case))
    prepare_cost.main(tmp_path)
    table = pd.read_csv(tmp_path / "prepare.csv")
    assert table.people.tolist() == [1, 2, 4, 1, 1, 1, 1]
    assert (table.windows[:3] == 42 * table.people[:3]).all()
    assert (table.seconds > 0).all() and "hours^" in capsys.readouterr().out
