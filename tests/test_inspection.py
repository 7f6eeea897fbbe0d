"""The checks of notebook 01 find what they are for: labels that belong to other windows."""

from dataclasses import replace

import numpy as np
import pytest

from ppglib import inspection


@pytest.fixture(scope="module")
def peak(simulated_windows):
    return inspection.peaks(simulated_windows)


def test_agreement_is_highest_without_a_shift(simulated_windows, peak):
    table = inspection.shift_agreement(simulated_windows, peak)
    assert list(table.index) == list(range(-12, 13, 2))
    assert (table.loc[[-12, 12]] < table.loc[0] - 0.1).all().all()
    assert (table.idxmax().abs() <= 2).all()


@pytest.mark.parametrize("late", [-3, 4])
def test_late_labels_show_as_a_shifted_maximum(simulated_windows, peak, late):
    table = simulated_windows.table
    moved = table.groupby(["dataset", "recording"]).hr.shift(late)
    keep = moved.notna()
    shifted = replace(simulated_windows, table=table.assign(hr=moved)[keep].reset_index(drop=True))
    found = inspection.shift_agreement(shifted, peak[keep]).idxmax()
    assert (abs(found - 2 * late) <= 2).all()


def test_agreement_against_brute_force(simulated_windows, peak):
    table = simulated_windows.table
    found = inspection.spectral_agreement(simulated_windows, peak)
    for dataset, row in found.iterrows():
        rows = (table.dataset == dataset).to_numpy()
        error = np.abs(table.hr.to_numpy() - peak)[rows]
        assert row.windows == rows.sum()
        assert row.within_5 == pytest.approx((error < 5).mean()) and row.mae == pytest.approx(error.mean())


def test_hours(simulated_windows):
    found = inspection.hours(simulated_windows)
    assert found.loc["all", "signal"] == pytest.approx(10 * 4 / 60, rel=1e-3)
    assert found.loc["all", "windows x 2 s"] == pytest.approx(len(simulated_windows.table) * 2 / 3600)
    assert np.allclose(found["windows x 8 s"], 4 * found["windows x 2 s"])


def test_examples_are_normalised_windows_of_each_set(simulated_windows, peak):
    found = inspection.example(simulated_windows, peak)
    assert (found.groupby("dataset").size() == 200).all()
    assert found.groupby("dataset").ppg.std(ddof=0).to_numpy() == pytest.approx(1, abs=1e-5)
