"""Rounding in PyTorch is that of the C code, gradients pass through it, and what was chosen was chosen on the tuning people."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from test_edge import DESIGNS, said, trained

from ppglib import losses, models
from ppglib.edge import host, onnx_file, shown, table, tuned
from ppglib.edge.graph import INPUT, OUTPUT, graph
from ppglib.results.students import FAMILY
from ppglib.splits import TUNING, split
from ppglib.windows import gather


@pytest.fixture(scope="module")
def windows(simulated_windows):
    """500 windows, z-scored."""
    start = simulated_windows.table.start.to_numpy()
    return gather(simulated_windows.signal, start[np.arange(500) % len(start)] + np.arange(500) // len(start))


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler, cc")
def test_rounding_in_pytorch_is_that_of_the_exported_c_code(windows):
    """But for numbers at the edge of two steps: the median window differs by less than 0.1 % of a logit's size."""
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the extra edge")
    for network in (models.load("small"), trained(DESIGNS[1]), trained(DESIGNS[2])):
        ops, drawn = graph(network), windows[::4]
        rounded = tuned.Rounded(ops, drawn)
        ends = onnx_file.scales(onnx_file.int8(onnx_file.float32(ops, {}), drawn)).maps
        for name in rounded.ends:
            assert rounded.ends[name] == (pytest.approx(ends[name][0], rel=1e-5), ends[name][1])
        found, theirs = table.by_torch(rounded, windows), host.predict(table.int8_code(ops, drawn), windows)
        exact = said(network, windows)
        assert np.median(np.abs(found - theirs).max(1)) < 1e-3 * exact.std()
        assert 3 * np.abs(found - theirs).mean() < np.abs(theirs - exact).mean()


def test_gradients_pass_through_rounding_but_not_where_a_map_is_cut_off(windows):
    rounded = tuned.Rounded(graph(trained(DESIGNS[1])), windows[:64])
    assert {INPUT} < set(rounded.ends) and OUTPUT not in rounded.ends
    x = torch.from_numpy(windows[:32])[:, None]
    rounded(x).square().mean().backward()
    for name, parameter in rounded.named_parameters():
        assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().max() > 0, name
    step, zero = rounded.ends[INPUT]
    inside = torch.tensor([(-128 - zero - 1) * step, 0.3 * step, (127 - zero + 1) * step], requires_grad=True)
    rounded.rounded(INPUT, inside).sum().backward()
    assert inside.grad.tolist() == [0, 1, 0]


def test_rounding_the_head_too_takes_one_step_more(windows):
    ops, x = graph(models.load("tiny")), windows[:200]
    exact = said(models.load("tiny"), x)
    far = [np.abs(table.by_torch(tuned.Rounded(ops, x, head), x) - exact).mean() for head in tuned.HEADS]
    assert far[0] < far[1] < far[2]


def test_a_run_of_one_epoch_is_repeatable_and_learns(simulated_windows):
    rows = split(simulated_windows, 0)[0]
    x = gather(simulated_windows.signal, simulated_windows.table.start.to_numpy()[rows])
    ops = graph(trained(DESIGNS[0]))
    before, hr = [op.weight.copy() for op in ops if op.weight is not None], simulated_windows.table.hr.to_numpy()[rows]
    made, epochs = [], []
    for _ in range(2):
        rounded = tuned.Rounded(ops, x[:64], dropout=0.2)
        what = (simulated_windows, rows, 8.0, 0, 2, 1e-3, epochs.append)
        made.append(tuned.fine_tune(rounded, *what).operations())
    assert epochs == [1, 2, 1, 2]
    for op, one, other, weight in zip([op for op in ops if op.weight is not None], *([o for o in m if o.weight is not None] for m in made), before):
        assert (one.weight == other.weight).all() and (one.weight != weight).any() and (op.weight == weight).all()
    logits = [torch.from_numpy(table.by_torch(tuned.Rounded(o, x[:64]), x)) for o in (ops, made[0])]
    first, last = (float(losses.gaussian(told, torch.from_numpy(hr), 8.0)) for told in logits)
    assert last < first - 0.03


def test_the_choices_are_those_of_the_tuning_people(root):
    tuning, people = (pd.read_csv(root / f"data/results/edge/{name}.csv", dtype={"person": str}) for name in ("tuning", "people"))
    sums = tuning.assign(error=tuning.mae * tuning.n).groupby(["head", "epochs", "rate", "network"])[["error", "n"]].sum()
    mae = (sums.error / sums.n).groupby(["head", "epochs", "rate"]).mean().drop("float32")
    after = mae.index.get_level_values("epochs") > 0
    assert mae[~after].idxmin()[0] == tuned.HEADS[0] and mae[after].idxmin()[1:] == (tuned.EPOCHS, tuned.RATE)
    for rows, names in ((tuning[tuning.epochs == 0], tuned.TRIED_ON), (tuning[tuning.epochs > 0], tuned.TUNED_ON)):
        assert set(rows.network) == set(names) and rows.groupby("network").size().nunique() == 1
    assert not set(zip(tuning.dataset, tuning.person)) & set(zip(people.dataset, people.person)) and TUNING == "part4"


def test_the_fine_tuned_were_tested_on_all_test_people_beside_themselves(root):
    measured = shown.load(root / "data/results/edge")
    who = ["fold", "dataset", "person", "n"]
    expected = measured.people.query("network == 'tiny' and kind == 'float32'")[who].sort_values(who, ignore_index=True)
    assert set(measured.tuned.network) == {*FAMILY} and set(measured.tuned.kind) == {tuned.TUNED}
    for _, rows in measured.tuned.groupby("network"):
        pd.testing.assert_frame_equal(rows[who].sort_values(who, ignore_index=True), expected)
    assert len(shown.tuned_table(measured)) == 2 * measured.tuned.network.nunique()
