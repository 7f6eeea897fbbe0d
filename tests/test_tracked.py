"""Tracked networks of a study: planted predictions that smoothing must mend, gaps, lost and broken weights."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.io
import tiny_study
from fake_results import make
from test_tracking import predicted

from ppglib import tracking
from ppglib.__main__ import main
from ppglib.files import ROOT, InputError
from ppglib.metrics import spectral_probabilities
from ppglib.results import bootstrap, tables
from ppglib.results import tracked as results_tracked
from ppglib.splits import split
from ppglib.study import authors, engine, grid, records, studies, tracked
from ppglib.study.prepare import recordings_folder, study_windows
from ppglib.windows import Windows, gather

@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of a sweep of two studies, one of the tuning people."""
    out = tmp_path_factory.mktemp("tracked")
    for name, kind in (("tested", "person"), ("tuned", "part4")):
        what = {"datasets": ["bami2"], "simulate_minutes": 1.5, "strategies": ["scratch", "gaussian"], "seeds": 2}
        (out / f"{name}.toml").write_text(tiny_study.text(**what, splits=[kind]), encoding="utf-8")
        study = read(out, name)
        windows = study_windows(study, None, out) if name == "tested" else windows
        engine.sweep(study, windows, out)
    return out


def read(out, name="tested"):
    return studies.read(str(out / f"{name}.toml"))


@pytest.fixture(scope="module")
def windows(out):
    return study_windows(read(out), None, out)


@pytest.fixture
def planted(monkeypatch):
    """Every network predicts what `test_tracking.predicted` gives: right, but for a fifth of the windows."""

    def predict(network, windows, rows):
        return predicted(windows.table.hr.to_numpy()[rows], np.random.default_rng(0))

    monkeypatch.setattr(tracked, "predict", predict)


def pooled(table, column="mae_median"):
    by = table.groupby(["run_id", "track"])
    return by.apply(lambda own: np.average(own[column], weights=own.n), include_groups=False).unstack()


def test_untracked_they_err_as_their_records_say(out, windows):
    table, made = tracked.table(read(out), windows, out), records.tables(read(out), windows, out)
    networks = {run.id(windows.digest()) for run in grid.runs(read(out))}
    runs = made["runs"].set_index("run_id")
    assert set(table.run_id) == networks | set(runs.index[runs.strategy == "spectral"])
    for column in ("mae", "mae_expectation", "mae_median"):
        found = pooled(table, column)
        np.testing.assert_allclose(found.none[sorted(networks)], runs[column][sorted(networks)], rtol=1e-6)
    assert (pooled(table)[["online", "smooth"]].ne(pooled(table).none, axis=0)).all(axis=None)
    people = made["people"].groupby(["run_id", "dataset", "person"]).n.sum()
    for _, own in table.set_index(["run_id", "dataset", "person"]).groupby("track"):
        assert own.n.sort_index().equals(people[own.index.unique("run_id")].sort_index())


def test_smoothing_mends_planted_errors(out, windows, planted):
    found, rows = pooled(tracked.table(read(out), windows, out)), split(windows, 0)[1]
    tested, models = windows.table.iloc[rows], tracked.models()
    power = spectral_probabilities(gather(windows.signal, tested.start.to_numpy()))
    right = tracking.evaluate(predicted(tested.hr.to_numpy(), np.random.default_rng(0)), tested, models["network"])
    assert right["smooth"] < 0.9 * right["online"] < 0.8 * right["none"] and len(found) == 7
    for run_id, own in found.iterrows():
        spectral = run_id.startswith("spectral")
        expected = tracking.evaluate(power, tested, models["spectrum"]) if spectral else right
        assert own.to_dict() == pytest.approx(expected)


def test_nothing_crosses_a_gap(out, windows, planted, monkeypatch):
    """Windows are missing in the middle: as if two recordings had been made."""
    digest = windows.digest()
    monkeypatch.setattr(Windows, "digest", lambda self: digest)
    second = windows.table.second
    gap = replace(windows, table=windows.table[(second < 40) | (second > 44)].reset_index(drop=True))
    halves = gap.table.recording + np.where(gap.table.second < 42, " 1", " 2")
    found, expected, whole = (
        tracked.table(read(out), w, out)
        for w in (gap, replace(gap, table=gap.table.assign(recording=halves)), windows)
    )
    pd.testing.assert_frame_equal(found, expected)
    joined = replace(gap, table=gap.table.assign(second=gap.table.second - 6.0 * (gap.table.second > 44)))
    assert not found.equals(tracked.table(read(out), joined, out)) and len(whole) == len(found)


def test_damaged_weights_are_one_sentence(out, windows, tmp_path):
    shutil.copytree(out, tmp_path / "copy")
    path = next((tmp_path / "copy/students").glob("gaussian*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=f"{path.name} is damaged.*remove it and runs/{path.stem}.json"):
        for name in ("tested", "tuned"):
            tracked.table(read(out, name), windows, tmp_path / "copy")
    path.unlink()  # the others are tracked without it
    tables = [tracked.table(read(out, name), windows, tmp_path / "copy") for name in ("tested", "tuned")]
    assert path.stem not in {run_id for table in tables for run_id in table.run_id}


def test_a_study_without_weights_is_one_sentence_and_no_table(out, tmp_path, capsys):
    for name in ("runs", "recordings", "windows"):
        shutil.copytree(out / name, tmp_path / name)
    assert main(["track", "--study", str(out / "tested.toml"), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "None of the 6 finished runs of tested has its weights" in error and error.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_only_tuning_people_are_fitted_on(out, windows, planted):
    with pytest.raises(InputError, match="tests other people than those of part4"):
        tracked.fit(read(out), windows, out)
    study = read(out, "tuned")
    table = tracked.fit(study, windows, out)
    assert table.what.unique().tolist() == ["network", "spectrum"]
    assert table.groupby("what").chosen.sum().tolist() == [1, 1]
    tested = windows.table.iloc[split(windows, 0, "part4")[1]]
    alone = tracking.fit([predicted(tested.hr.to_numpy(), np.random.default_rng(0))], tested)
    np.testing.assert_allclose(table.smooth[table.what == "network"], alone.smooth)  # all networks predict the same


def test_the_committed_models_are_the_best_that_were_tried():
    tried = pd.read_csv(tracked.FITTED)
    assert set(tracked.models()) == {"network", "spectrum"}
    for what, own in tried.groupby("what"):
        best = own.loc[(own.online + own.smooth).idxmin()]
        assert best.chosen and own.chosen.sum() == 1
        assert tracked.models()[what] == tracking.Model(best.scale, best["jump"], best.weight)
        assert tracking.SCALES[0] < best.scale < tracking.SCALES[-1]
        assert best.smooth < best.online < best.none


def test_the_command_writes_what_the_results_read(out, tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 100)
    shutil.copytree(out, tmp_path / "out")
    command = ["track", "--study", str(out / "tested.toml"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    folder = tmp_path / "out/results"
    assert not (folder / "authors.csv").exists()  # simulated recordings hold no estimate
    records.save_tables(records.tables(read(out), study_windows(read(out), None, out), out), folder)
    found = results_tracked.conditions(tables.load(folder), folder)
    assert len(found) == 3 * 4 and set(found.strategy) == {"scratch", "gaussian", "spectral"}


def test_each_way_of_tracking_has_its_errors(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 500)
    results = tables.load(make(tmp_path / "fake", students=(1, 2), teachers=(2,), grid=False))
    columns = ["run_id", "dataset", "person", "n", "mae", "mae_expectation", "mae_median"]
    gains = {"none": 0.0, "online": -0.2, "smooth": -0.5}
    every = [results.people[columns].assign(track=how) for how in gains]
    for own, gain in zip(every, gains.values()):
        own["mae_median"] += gain
    pd.concat(every).to_csv(tmp_path / "fake/tracked.csv", index=False)
    found = results_tracked.conditions(results, tmp_path / "fake")
    assert found.track.unique().tolist() == list(gains)
    untracked = tables.conditions(results, "median")
    for how, own in found.groupby("track"):
        for column in ("mae", "low", "high"):
            np.testing.assert_allclose(own[column] - gains[how], untracked[column], rtol=1e-9)
    one = results_tracked.conditions(results, tmp_path / "fake", "argmax", "set1")
    assert set(one.people) == {8}
    (tmp_path / "fake/tracked.csv").write_text("run_id,track,dataset,person,n,mae\nother,none,a,b,1,2\n")
    with pytest.raises(InputError, match="not of the runs"):
        results_tracked.conditions(results, tmp_path / "fake")
    with pytest.raises(InputError, match=r"tracked.csv is missing: .*ppglib track"):
        results_tracked.conditions(results, tmp_path)


def test_authors_estimates_are_compared_window_by_window(out, windows, tmp_path):
    """Planted: 2 BPM above the label of each window, after five without an estimate."""
    shutil.copytree(recordings_folder(read(out), None, out), tmp_path / "data")
    assert authors.table(read(out), windows, tmp_path / "data").empty
    for path in (tmp_path / "data/bami2").glob("*.mat"):
        content = scipy.io.loadmat(path)
        estimate = content["bpm_ecg"] + 2.0
        estimate[:5] = 0
        scipy.io.savemat(path, {"bpm_proposed": estimate})
    table = authors.table(read(out), windows, tmp_path / "data")
    tested = windows.table.iloc[split(windows, 0)[1]]
    assert table[["split", "fold", "dataset"]].drop_duplicates().values.tolist() == [["person", 0, "bami2"]]
    assert dict(zip(table.person, table.n)) == tested[tested.second >= 10].groupby("person").size().to_dict()
    np.testing.assert_allclose(table.mae, 2.0)


def test_the_committed_authors_are_on_our_test_people(monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 500)
    folder = ROOT / "data/results/open/receptive_field/front"
    rows = pd.read_csv(folder / "authors.csv", converters={"person": str}).query("split == 'person'")
    found = results_tracked.authors(folder)
    assert found["mae"] == pytest.approx(np.average(rows.mae, weights=rows.n), abs=1e-9)
    assert found["low"] < found["mae"] < found["high"] and found["windows"] == rows.n.sum()
    ours = pd.read_csv(folder / "tracked.csv", converters={"person": str}).query("dataset == 'bami2'")
    ours = ours[~ours.run_id.str.contains("-fifths-")]
    assert set(rows.person) == set(ours.person) and rows.n.max() <= ours.n.max()
