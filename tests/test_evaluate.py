"""`python -m ppglib evaluate`: predictions in their places, baselines beside them, and what may be called an error."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from formats.paper_formats import write_own

import ppglib as ppg
from ppglib import models, simulate
from ppglib.__main__ import main
from ppglib.files import ROOT, InputError
from ppglib.metrics import spectral_peak
from ppglib.models import evaluate
from ppglib.recordings import Recording, dalia, load
from ppglib.windows import _bandpass

PERSON = simulate.person(1, 3.0, ("walk",))
MADE = Recording("own", "ann", "ann", simulate.ppg(PERSON, 50.0), 50.0, simulate.window_hr(PERSON, 87))


@pytest.fixture(scope="module")
def tiny():
    return models.load("tiny")


@pytest.fixture(scope="module")
def found(tiny):
    return evaluate.of_recording(MADE, tiny, "tiny")


def test_each_label_has_the_heart_rate_of_its_own_window(found, tiny):
    plain = ppg.heart_rate(MADE.ppg, 50, model=tiny)
    assert len(found) == 87 and found.truth.tolist() == MADE.hr.tolist()
    same = ["start", "end", "low", "high", "p_within_5", "reason"]
    pd.testing.assert_frame_equal(found[same], plain[same][:87])
    assert found.tiny.tolist() == plain.hr[:87].tolist()


def test_the_spectral_peak_is_that_of_the_filtered_window(found):
    alone = _bandpass(MADE.ppg[0, 10 * 100 : 10 * 100 + 401], 50)[::2][:200]
    assert found.spectral[10] == pytest.approx(spectral_peak(alone[None])[0], abs=0.4)


def test_neurokit2_is_averaged_over_the_window(found, recwarn):
    import neurokit2

    rate = neurokit2.ppg_process(MADE.ppg[0], sampling_rate=50)[0].PPG_Rate.to_numpy()
    expected = [rate[100 * i : 100 * i + 400].mean() for i in range(87)]
    np.testing.assert_allclose(found.neurokit2, expected, rtol=1e-6)
    down = neurokit2.ppg_process(-MADE.ppg[0], sampling_rate=50)[0].PPG_Rate.to_numpy()
    assert found["neurokit2 upside down"][10] == pytest.approx(down[1000:1400].mean())


def test_stamps_gaps_breaks_and_labels_out_of_range(found, tiny):
    time = np.arange(MADE.ppg.shape[1]) / 50
    before = np.append(np.arange(-7, 0) / 50, time)
    early = replace(MADE, ppg=np.concatenate([MADE.ppg[:, :7], MADE.ppg], 1), time=before)
    shifted = evaluate.of_recording(early, tiny, "tiny")
    np.testing.assert_allclose(shifted.tiny, found.tiny, atol=1e-6)
    late = replace(MADE, ppg=MADE.ppg[:, 3:], time=time[3:] + 0.003)
    uneven = evaluate.of_recording(late, tiny, "tiny")
    assert uneven.reason[0] == "not finite" and (uneven.tiny - found.tiny)[1:].abs().median() < 1
    holed = evaluate.of_recording(replace(MADE, gaps=((1000, 1100),)), tiny, "tiny")
    assert list(holed.start[holed.reason != ""]) == [14, 16, 18, 20]
    assert holed.neurokit2.isna().equals(holed.reason != "") and holed.spectral.isna().equals(holed.reason != "")
    bad = evaluate.of_recording(replace(MADE, hr=np.where(np.arange(87) < 3, [29.0] * 87, MADE.hr)), tiny, "tiny")
    assert bad.truth[:3].isna().all() and bad.truth[3:].notna().all()
    assert evaluate.of_recording(replace(MADE, ppg=MADE.ppg[:, :300], hr=MADE.hr[:1]), tiny, "tiny").empty


def test_signals_that_start_anew_are_not_joined(tiny):
    """Cells of 8 s with a label each, as one form of WildPPG has them: every window is that of its own cell."""
    cells = [simulate.ppg(simulate.person(k, 1.0), 25.0)[0, 500:700] for k in range(6)]
    how = {"step": 8.0, "breaks": tuple(range(200, 1200, 200))}
    made = Recording("own", "a", "a", np.concatenate(cells)[None], 25.0, np.full(6, 90.0), **how)
    for track in ("none", "online"):
        found = evaluate.of_recording(made, tiny, "tiny", track)
        expected = [ppg.heart_rate(cell, 25, model=tiny, track=track).hr[0] for cell in cells]
        np.testing.assert_allclose(found.tiny, expected, rtol=1e-6)
        assert found.start.tolist() == [0, 8, 16, 24, 32, 40] and (found.reason == "").all()


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    write_own(folder / "own", {name: simulate.person(seed, 1.0) for seed, name in enumerate(("ann", "bo"))})
    arguments = ["evaluate", "--data", folder, "--model", "tiny", "--out", folder / "out"]
    assert main([*map(str, arguments)]) == 0
    return folder


def test_everything_is_written_and_fits_together(evaluated, capsys):
    out = evaluated / "out"
    rows, table = pd.read_parquet(out / "predictions.parquet"), pd.read_csv(out / "agreement.csv")
    names = ["start", "end", "truth", "tiny", "low", "high", "p_within_5", "reason", *evaluate.BASELINES]
    assert len(rows) == 54 and list(rows) == [*evaluate.KEYS, *names]
    for row in table.itertuples():
        own = rows if row.person == "all" else rows[rows.person == row.person]
        own = own if row.activity == "all" else own[own.activity == row.activity]
        assert row.mae == pytest.approx((own[row.method] - own.truth).abs().mean(), rel=1e-4)
    assert list(pd.read_csv(out / "summary.csv").method) == ["tiny", *evaluate.BASELINES]
    pictures = {path.name for path in (out / "figures").iterdir()}
    assert pictures == {"heart_rate_own_ann.png", "heart_rate_own_bo.png", "bland_altman.png", "confidence.png"}
    assert len(pd.read_csv(out / "coverage.csv")) == 20


def test_what_cannot_be_evaluated_is_refused(evaluated, tmp_path, capsys):
    evaluate_ = ["evaluate", "--data", str(evaluated), "--out", str(tmp_path / "out"), "--model"]
    (tmp_path / "truth.safetensors").write_bytes((ROOT / "ppglib/models/tiny.safetensors").read_bytes())
    assert main([*evaluate_, str(tmp_path / "truth.safetensors")]) == 2
    assert "cannot be called 'truth'" in capsys.readouterr().err
    assert main([*evaluate_, "tiny", "--dataset", "bami1"]) == 2 and "no folder" in capsys.readouterr().err
    assert main([*evaluate_, "huge"]) == 2 and "no model 'huge'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_errors_on_training_people_are_not_shown_as_errors(simulated_root, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluate, "figures", lambda *_: [])
    arguments = ["evaluate", "--data", simulated_root, "--dataset", "bami1", "--model", "tiny", "--out", tmp_path]
    assert main([*map(str, arguments)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("bami1: tiny WAS TRAINED ON THESE PEOPLE")
    short, about = pd.read_csv(tmp_path / "summary.csv").set_index("method"), models.load("tiny").about
    (card,) = (row for row in about["error"]["rows"] if (row["dataset"], row["track"]) == ("bami1", "none"))
    held_out = short.loc["tiny, held out"]
    assert held_out.mae == pytest.approx(card["mae"], rel=1e-4) and held_out.people == card["people"]
    assert "tiny" not in short.index and "tiny, its training people" in short.index
    assert not any("same people" in name for name in short.index)  # five people are not those of the card


def test_baselines_beside_the_card_are_of_the_people_held_out():
    from ppglib.splits import split
    from ppglib.windows import Windows

    who = pd.DataFrame({"dataset": "bami1", "person": [f"{k:02d}" for k in range(1, 25)]})
    said = {"truth": 100.0, "spectral": 100.0 + np.arange(24), "neurokit2": 100.0, "neurokit2 upside down": 100.0}
    rows = who.assign(low=1, high=2, p_within_5=1, activity="", **said)
    found = evaluate._same_people(rows, 10)
    windows = Windows(np.empty(0), who, None, None)
    tested = np.concatenate([split(windows, fold)[1] for fold in (0, 1)])
    assert [row["people"] for row in found] == [10] * 3 and found[0]["mae"] == pytest.approx(tested.mean())
    assert evaluate._same_people(rows, 9) == []


def test_the_excerpt_of_dalia_is_one_recording_of_its_windows(shared):
    (recording,) = load("dalia_s6_stairs", shared("data/dalia_s6_stairs").parent)
    assert recording.rate == 32 and recording.ppg.shape == (1, 436 * 32) and len(recording.hr) == 215
    assert set(recording.activity) == {"stairs"} and 117.5 < recording.hr.min() and recording.hr.max() < 170


def test_windows_that_do_not_continue_begin_another_recording(tmp_path):
    import pickle

    rng = np.random.default_rng(0)
    long = rng.normal(size=(2, 256 + 9 * 64))
    x = np.array([[signal[64 * i : 64 * i + 256]] for signal in long for i in range(10)])
    content = {"X": x, "y": np.arange(60.0, 80)[:, None]}
    content |= {"groups": np.repeat([1, 2], 10), "activity": np.repeat([0.0, 8.0], 10)}
    (tmp_path / "dalia_s6_stairs").mkdir()
    path = tmp_path / "dalia_s6_stairs/x.pkl"
    path.write_bytes(pickle.dumps(content))
    found = list(load("dalia_s6_stairs", tmp_path))
    assert [r.person for r in found] == ["S1", "S2"]
    assert [set(r.activity) for r in found] == [{"transient"}, {"working"}]
    for recording, signal, first in zip(found, long, (60, 70)):
        np.testing.assert_array_equal(recording.ppg[0], signal)
        np.testing.assert_array_equal(recording.hr, np.arange(first, first + 10.0))
    wrong = {"X of shape": {"X": x[:, 0]}, "3 labels": {"y": np.zeros(3)}, "activities": {"activity": np.full(20, 9)}}
    for message, change in wrong.items():
        path.write_bytes(pickle.dumps(content | change))
        with pytest.raises(InputError, match=message):
            list(load("dalia_s6_stairs", tmp_path))
    assert dalia.EXCERPT == "dalia_s6_stairs"


def test_the_committed_table_is_of_the_models_that_ship():
    table = pd.read_csv(ROOT / "data/results/models/summary.csv")
    held_out = table[table.method == "largest, held out"].set_index("dataset")
    assert set(held_out.index) == {"spc2015", "bami1", "bami2"} and "dalia_s6_stairs" in set(table.dataset)
    for row in models.load("largest").about["error"]["rows"]:
        if row["track"] == "none" and row["dataset"] != "all":
            found = held_out.loc[row["dataset"]]
            assert found.mae == pytest.approx(row["mae"], rel=1e-5), "make it again, see data/README.md"


def test_the_table_of_the_readme_is_of_the_committed_tables():
    held_out = pd.read_csv(ROOT / "data/results/models/summary.csv")
    looked = pd.read_csv(ROOT / "data/results/models/external.csv").set_index(["dataset", "method"])
    stairs = held_out[held_out.dataset == "dalia_s6_stairs"].set_index("method")
    assert looked.mae["dalia_s6_stairs", "largest"] == stairs.mae["largest"], "make both again with the same models"
    found = {}
    for name in ("spc2015", "bami1", "bami2", "dalia_s6_stairs"):
        rows = held_out[held_out.dataset == name].set_index("method")
        rows.index = rows.index.str.replace(", same people", "").str.replace(", held out", "")
        found[name] = rows[~rows.index.duplicated()]
    found |= {name: looked.loc[name] for name in ("welltory", "wrist")}
    table = re.findall(r"^\| .* \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", (ROOT / "README.md").read_text(), re.M)
    assert len(table) == len(found)
    for shown, rows in zip(table, found.values()):
        pulse = min(rows.mae["neurokit2"], rows.mae["neurokit2 upside down"])
        people = int(rows.people["largest"])
        assert shown == (str(people), *(f"{mae:.1f}" for mae in (rows.mae["largest"], rows.mae["spectral"], pulse)))
