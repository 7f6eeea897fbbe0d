"""The edge table: what was committed is whole, differences are paired, and a stream is what its trunk says of a recording."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ppglib import models, recordings
from ppglib.__main__ import main
from ppglib.edge import bench, shown, streaming, table
from ppglib.files import InputError
from ppglib.metrics import measure
from ppglib.resnet1d import Design
from ppglib.results import agreement, bootstrap
from ppglib.results.students import FAMILY
from ppglib.splits import split
from ppglib.study.shipped import windows_of
from ppglib.task import LENGTH
from ppglib.training import predict
from ppglib.windows import gather


@pytest.fixture(scope="module")
def committed(root):
    return shown.load(root / "data/results/edge")


def test_every_network_of_the_family_was_measured_in_both_kinds(committed):
    rows = shown.costs(committed)
    assert set(rows.network) == {*FAMILY, *map(str, table.SIZES)}
    assert (rows.groupby("network").kind.nunique() == 2).all()
    for name in FAMILY:
        design = models.load(name).design
        own = rows[rows.network == name]
        assert (own.macs == design.macs).all() and (own["median_low"] < own["median"]).all()
    assert rows[[*shown.CORES, "flash", "ram", "stack"]].min(axis=None) > 0
    assert rows[rows.kind == "int8"][["tflite", "arena", "npu_cycles", "median cost"]].notna().all(axis=None)


def test_runtimes_agree_as_the_table_says(committed):
    same = committed.agreement.set_index(["kind", "runtime"])
    exact = same.loc["float32"]
    assert (exact.same_argmax == exact.windows).all() and exact.logit.max() < 1e-4 and (exact.windows == table.COMPARED).all()
    assert same.loc["int8"].median_mean.max() < 1
    runtimes = committed.people.groupby(["network", "fold", "kind"]).runtime.agg(set)
    assert (runtimes.xs("float32", level="kind") == {"PyTorch"}).all()
    assert (runtimes.xs("int8", level="kind") == {"PyTorch", "ONNX Runtime", "LiteRT", table.DEVICE}).all()
    cost = shown.runtimes_table(committed).pivot(index="network", columns="runtime", values="cost")
    assert cost.shape == (committed.networks.network.nunique(), 4)
    assert (cost.max(axis=1) - cost.min(axis=1)).max() < 0.001  # int8 is the same by every tool


def test_how_far_a_runtime_is_from_pytorch_is_counted_in_windows_logits_and_bpm():
    truth = np.full((3, 180), -30.0)
    truth[:, 50] = 0
    other = truth.copy()
    other[0, [50, 60]] = -30, 1  # another heart rate, 10 BPM higher
    rows = list(table.agreement({("int8", "C"): other, ("float32", "PyTorch"): truth}))
    assert [row["runtime"] for row in rows] == ["PyTorch", "C"] and rows[0]["same_argmax"] == rows[0]["windows"] == 3
    assert (rows[1]["same_argmax"], rows[1]["logit"]) == (2, 31)
    for how in ("argmax", "median"):
        assert rows[1][f"{how}_largest"] == pytest.approx(10) and rows[1][f"{how}_mean"] == pytest.approx(10 / 3)


def people(mae):
    """Errors of four people with other numbers of windows, of which float32 and int8 differ by 0.1 for each."""
    rows = [("a", "1", 10, mae), ("a", "2", 30, mae + 2), ("b", "1", 50, mae + 1), ("b", "2", 10, mae + 1)]
    base = pd.DataFrame(rows, columns=["dataset", "person", "n", "mae"]).assign(network="x", fold=0, kind="float32")
    both = pd.concat([base, base.assign(kind="int8", mae=base.mae + 0.1)], ignore_index=True)
    return both.assign(mae_expectation=both.mae, mae_median=both.mae)


def test_a_difference_is_of_the_same_people():
    draws = shown.errors(people(3.0), ["network", "kind"])["argmax"]
    assert draws.loc[("x", "float32")][0] == pytest.approx((10 * 3 + 30 * 5 + 60 * 4) / 100)
    errors = np.repeat([3.0, 5, 4, 4], [10, 30, 50, 10])  # of windows
    ends = agreement.over_people(errors, pd.Series(np.repeat([*"abcd"], [10, 30, 50, 10])))
    assert bootstrap.error_interval(draws.loc[("x", "float32")]) == pytest.approx(ends)
    np.testing.assert_allclose(draws.loc[("x", "int8")] - draws.loc[("x", "float32")], 0.1, atol=1e-12)
    with pytest.raises(InputError, match="not tested on all people"):
        shown.errors(people(3.0).iloc[:-1], ["network", "kind"])


def test_tables_that_are_missing_are_named(tmp_path):
    with pytest.raises(InputError, match="people.csv: make it with python -m ppglib bench --edge"):
        shown.load(tmp_path)


def test_all_that_is_missing_is_told_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    assert main(["bench", "--edge", "--out", str(tmp_path)]) == 2
    assert "name their recordings with --data" in capsys.readouterr().err
    monkeypatch.setattr(bench, "TOOLS", ())
    monkeypatch.setenv("PATH", "")
    assert main(["bench", "--edge", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "The program cc is missing" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_errors_are_those_of_the_library(simulated_windows):
    rows = split(simulated_windows, 0)[1]
    network = models.load("tiny")
    logits = table.by_torch(network, gather(simulated_windows.signal, simulated_windows.table.start.to_numpy()[rows]))
    found = measure(table.shares(logits), simulated_windows.table.iloc[rows])
    expected = measure(predict(network, simulated_windows, rows), simulated_windows.table.iloc[rows])
    assert found["mae_median"] == pytest.approx(expected["mae_median"], abs=1e-4)
    drawn = streaming.person({}, logits, simulated_windows, rows)
    assert np.average([r["mae"] for r in drawn], weights=[r["n"] for r in drawn]) == pytest.approx(found["mae"])


@pytest.fixture
def causal():
    torch.manual_seed(0)
    network = streaming.Causal(2, width=4, strides=(5, 1, 2), dilations=(1, 2, 1, 3, 1)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.uniform_(0.05, 1)
    return network


def test_what_comes_later_changes_nothing_and_a_window_is_a_short_stream(causal):
    x = torch.randn(400)
    with torch.inference_mode():
        maps = causal.trunk(x)
        assert maps.shape == (4, 40)
        later = torch.cat([x[:250], torch.zeros(150)])
        assert torch.equal(causal.trunk(later)[:, :25], maps[:, :25]) and not torch.equal(causal.trunk(later), maps)
        window = causal(x[None, None, :LENGTH])[0]
        torch.testing.assert_close(causal.head(maps[:, :20].mean(1)), window)


def test_a_stream_begins_anew_where_windows_are_missing(causal, simulated_root):
    given = list(recordings.load("bami1", simulated_root))[:2]
    alone = windows_of(given, (1,))
    windows = streaming.causal(alone, given)
    assert windows.table.equals(alone.table) and not np.allclose(windows.signal, alone.signal)
    rows = np.arange(len(windows.table))
    whole = streaming.stream(causal, windows, rows)
    first = rows[windows.table.second == 0]
    x = gather(windows.signal, windows.table.start.to_numpy()[first])
    np.testing.assert_allclose(whole[first], table.by_torch(causal, x), atol=1e-5)
    apart = rows[windows.table.second != 10]
    cut = streaming.stream(causal, windows, apart)
    again = apart[windows.table.second.iloc[apart] == 12]
    x = gather(windows.signal, windows.table.start.to_numpy()[again])
    np.testing.assert_allclose(cut[np.isin(apart, again)], table.by_torch(causal, x), atol=1e-5)
    assert not np.allclose(whole[again], table.by_torch(causal, x), atol=1e-5)
    moved = replace(windows, table=windows.table.assign(second=windows.table.second + 2))
    np.testing.assert_allclose(streaming.stream(causal, moved, rows), whole)


def test_a_stream_saves_three_quarters_of_the_trunk():
    design = Design(1, width=4, strides=(5, 2))
    whole, streamed, kept = streaming.saved(design)
    trunk = 40 * 5 * 4 + 20 * 5 * 16 + 20 * 5 * 16  # stem, then both of the block
    assert whole == design.macs == trunk + 4 * 180
    assert streamed == trunk // 4 + 4 * 180
    assert kept == 4 * 1 + 4 * 4 + 4 * 4 + 4 * 4  # four samples behind each of the taps, and four sums of 2 s
