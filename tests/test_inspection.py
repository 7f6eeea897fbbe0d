"""The checks of notebook 01 find what they are for: labels that belong to other windows."""

from dataclasses import replace

import numpy as np
import pytest

from ppglib.recordings import inspection


def shares(windows):
    found = inspection.label_shift(windows)
    return found.pivot(index="shift", columns="dataset", values="within5")


def test_agreement_is_highest_without_a_shift(simulated_windows):
    table = shares(simulated_windows)
    assert list(table.index) == list(range(-12, 13, 2))
    assert (table.loc[[-12, 12]] < table.loc[0] - 0.1).all().all()
    assert (table.idxmax().abs() <= 2).all()


@pytest.mark.parametrize("late", [-3, 4])
def test_late_labels_show_as_a_shifted_maximum(simulated_windows, late):
    table = simulated_windows.table
    moved = table.groupby(["dataset", "recording"]).hr.shift(late)
    keep = moved.notna()
    shifted = replace(simulated_windows, table=table.assign(hr=moved)[keep].reset_index(drop=True))
    assert (abs(shares(shifted).idxmax() - 2 * late) <= 2).all()


def test_the_naive_share_against_brute_force(simulated_windows):
    table = simulated_windows.table
    peak = inspection.peaks(simulated_windows)
    for row in inspection.spectral_share(simulated_windows).itertuples():
        rows = (table.dataset == row.dataset).to_numpy()
        error = np.abs(table.hr.to_numpy() - peak)[rows]
        assert row.windows == rows.sum()
        assert row.within5 == pytest.approx((error < 5).mean()) and row.mae == pytest.approx(error.mean())


def test_hours(simulated_windows):
    found = inspection.hours(simulated_windows)
    assert found.signal_h.sum() == pytest.approx(10 * 4 / 60, rel=1e-3)
    assert found.kept_x2s_h.sum() == pytest.approx(len(simulated_windows.table) * 2 / 3600)
    assert np.allclose(found.kept_x8s_h, 4 * found.kept_x2s_h)


def test_one_reading_of_the_papers_hours_fits_and_the_true_step_does_not():
    found = inspection.paper_hours().set_index("counting").off
    assert found["valid Hugging Face windows x 2 s"] == 0 and found["raw signal"] > 100


def test_examples_are_normalised_windows_of_each_set(simulated_windows):
    found = inspection.example(simulated_windows)
    assert (found.groupby("dataset").size() == 200).all()
    assert found.groupby("dataset").ppg.std(ddof=0).to_numpy() == pytest.approx(1, abs=1e-5)
