"""Table 3: the clock, the ledger of allocations, what the paper's numbers say; and what training costs."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppglib import gpu, models
from ppglib.bench import costs, gpu_training, inference, memory, predicting, training
from ppglib.files import InputError, resolve
from ppglib.resnet1d import SIZES, ResNet1D, live_parameters, macs, paper_parameters
from ppglib.study import studies

PAPER = pd.read_csv(resolve("data/paper/table3_compute.csv")).assign(device="paper")


# --- time


def test_networks_take_turns_and_no_call_sees_an_input_again():
    seen = []
    networks = {b: lambda x, b=b: seen.append((b, x.data_ptr())) for b in (1, 4, 12)}
    pool = torch.zeros(4 * 3 * (inference.WARM_UP + 5), 1, 200)
    seconds = inference.call_times(networks, pool, 4, 5, "eager")
    assert [b for b, _ in seen] == [1, 4, 12] * (inference.WARM_UP + 5)
    assert len({where for _, where in seen}) == len(seen)
    assert {b: len(s) for b, s in seconds.items()} == {1: 5, 4: 5, 12: 5}


def test_the_pool_is_larger_than_caches_and_holds_whole_batches():
    for device, cache in {"cpu": 256e6, "cuda": 60e6}.items():
        pool = inference.POOL[device]
        assert pool * 200 * 4 > cache
        assert all(pool % batch == 0 for batch in inference.QUICK | inference.FULL[device])


def test_a_slower_call_is_timed_as_slower():
    waits = {1: 0.002, 2: 0.02}
    calls = {b: lambda x, s=s: time.sleep(s) for b, s in waits.items()}
    seconds = inference.call_times(calls, torch.zeros(16, 1, 200), 1, 3, "eager")
    for blocks, wait in waits.items():
        assert (seconds[blocks] >= wait).all() and np.median(seconds[blocks]) < 3 * wait


def test_spread_holds_drift_that_the_standard_deviation_of_a_mean_would_hide():
    noise = np.tile([0.9, 1.1], 50)
    steady, drifting = (inference.summary(np.split(s, 10)) for s in (noise, noise + np.repeat([0, 1], 50)))
    assert steady["spread"] == pytest.approx(0) and steady["n"] == 100
    assert steady["sd"] == pytest.approx(0.1, rel=0.01) and steady["median"] == pytest.approx(1)
    assert drifting["spread"] == pytest.approx(1)


def test_main_writes_one_pair_of_tables_a_device(tmp_path, monkeypatch):
    monkeypatch.setattr(inference, "SIZES", (2,))
    monkeypatch.setitem(inference.POOL, "cpu", 128)
    monkeypatch.setattr(inference, "QUICK", {1: 3})
    monkeypatch.setattr(memory, "SIZES", (2,))
    monkeypatch.setattr(memory, "MODES", ("inference",))
    threads = torch.get_num_threads()
    paths = inference.main(tmp_path, "cpu", quick=True)
    assert sorted(tmp_path.iterdir()) == sorted(paths) and torch.get_num_threads() == threads
    times, held = costs.read(tmp_path)
    assert len(times) == times.threads.nunique() and (times.n == inference.STRETCHES).all()
    assert held["mode"].tolist() == ["inference"]
    for table in (times, held):
        assert table[["device", "driver", "torch", "threads", "n", "spread"]].notna().all(axis=None)
    assert costs.table3(times, held).notna().all(axis=None)


def test_bad_devices_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match="tpu"):
        inference.main(tmp_path, "tpu")
    with pytest.raises(InputError, match="bench --inference"):
        costs.read(tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="CUDA"):
            inference.main(tmp_path, "cuda")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="write"):
        inference.main(tmp_path / "file", "cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- memory


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 100)), max_size=40), st.sets(st.integers(0, 4)))
def test_at_peak_equals_a_brute_force_replay(moves, owned):
    """Each move allocates at a free address or releases what is there; owners are alive at the end."""
    held, events, history = {}, [], []
    for address, size in moves:
        if address in held:
            events.append((address, -held.pop(address)[0]))
        else:
            held[address] = size, len(events)
            events.append((address, size))
        history.append(dict(held))
    owner = {a: "gradients" for a in owned if a in held}
    allocated = {held[a][1] for a in owner}  # the events by which the owners came to be
    found = memory.at_peak(events, owner)
    totals = [sum(size for size, _ in now.values()) for now in history] or [0]
    assert sum(found.values()) == max(totals)
    if history and max(totals):
        last = max(i for i, total in enumerate(totals) if total == max(totals))
        assert found["gradients"] == sum(size for size, i in history[last].values() if i in allocated)


def test_releases_of_earlier_memory_do_not_count():
    assert sum(memory.at_peak([(7, -50), (1, 10), (1, -10)], {}).values()) == 10


@pytest.mark.parametrize("blocks", [1, 12])
def test_the_parts_of_a_training_step_are_what_the_shapes_say(blocks):
    """Batch 1: the peak is at the optimizer's step, when every gradient and moment is there."""
    network = memory.use(blocks, 1, "inference", "cpu")[0]
    tensors = len(list(network.parameters()))
    buffers = sum(b.numel() * b.itemsize for b in network.buffers())
    step, live = memory.parts(blocks, 1, "training", "cpu"), 4 * live_parameters(blocks)
    assert step["parameters"] == live + buffers
    assert step["optimizer"] == 2 * live + 4 * tensors  # two moments, and a counter a tensor
    assert 0.6 * live < step["gradients"] <= live
    call = memory.parts(blocks, 1, "inference", "cpu")
    assert call["parameters"] == live + buffers and call["gradients"] == call["optimizer"] == 0
    assert call["activations"] >= 2 * 32 * 200 * 4  # two maps at least


@pytest.mark.parametrize("case", [(4, 128, "training"), (1, 128, "inference")])
def test_the_parts_explain_what_the_operating_system_saw(case):
    with memory.fresh_processes() as pool:
        constant, peak = pool.submit(memory.peaks, *case, "cpu").result(timeout=120)
    held = sum(memory.parts(*case, "cpu").values())
    assert abs(held + constant - peak) < 0.05 * peak
    assert held == pytest.approx(peak - constant, rel=0.3)  # also without the constant, roughly


# --- what the numbers say


def test_the_papers_own_savings():
    found = costs.saved(PAPER, ["seconds", "memory_mb"]).loc["paper"]
    assert found.round(1).tolist() == [89.2, 59.7]


def test_time_laws_name_the_cause_that_made_the_times():
    rng = np.random.default_rng(0)
    causes = {
        "blocks": 0.1 + 0.4 * np.array(SIZES),
        "MACs": 0.1 + 0.4 * np.array([macs(b) / 1e6 for b in SIZES]),
    }
    tables = [
        pd.DataFrame({"device": k, "blocks": SIZES, "seconds": s * rng.normal(1, 1e-3, len(SIZES))})
        for k, s in causes.items()
    ]
    found = costs.time_laws(pd.concat(tables)).set_index("device")
    assert found.better.to_dict() == {"blocks": "blocks", "MACs": "MACs"}
    assert found.loc["blocks", "ms per block"] == pytest.approx(400, rel=0.01)
    assert found.loc["MACs", "ms per MMAC"] == pytest.approx(400, rel=0.01)
    assert found.loc["blocks", "AICc blocks - MACs"] < -10 < 10 < found.loc["MACs", "AICc blocks - MACs"]


def test_calls_are_even_only_for_the_papers_own_shape():
    ours = PAPER.assign(device="a", seconds=PAPER.seconds / 1000)
    flat = PAPER.assign(device="b", seconds=0.001)
    found = costs.calls(PAPER, pd.concat([ours, flat])).set_index("device")
    assert found.calls["a"] == pytest.approx(1000) and found.unevenness["a"] == pytest.approx(0, abs=1e-9)
    assert found.unevenness["b"] > 0.4


def test_bytes_law_recovers_a_training_state():
    blocks = pd.Series(SIZES)
    law = costs.bytes_law(blocks, 9 + 16 * blocks.map(live_parameters) / 1e6)
    assert law["bytes per byte"] == pytest.approx(4) and law["constant MB"] == pytest.approx(9)


def test_allocated_state_by_hand():
    """From 2 to 3 blocks: two convolutions of 32 x 32 x 5 with bias and two batch norms of 32."""
    block = 2 * (32 * 32 * 5 * 4 + 512) + 4 * 512  # parameters; biases and norms fill 512 bytes each
    statistics = 4 * 512
    for copies in (1, 4):
        grown = costs.allocated_state(3, copies) - costs.allocated_state(2, copies)
        assert grown == copies * block + statistics
    idle = 4 * (paper_parameters(1) - live_parameters(1))
    assert costs.allocated_state(1, 0) >= idle


def test_the_parts_add_up_in_the_committed_tables():
    times, held = costs.read(resolve("data/results/compute"))
    assert set(times.blocks) == set(held.blocks) == set(SIZES) and set(times.device) == set(held.device)
    off = held[[*memory.PARTS, "constant"]].sum(axis=1) / held.measured - 1
    # The H200's peak was measured with TF32 in convolutions, its parts without: at batch 128 other workspaces.
    tf32 = (held.device == "NVIDIA H200") & (held.batch == 128)
    assert (off[~tf32].abs() <= 0.05).all() and (off[held.device == "NVIDIA H200"][~tf32].abs() <= 0.01).all()
    assert (off[tf32] > 0.05).all(), "measured again: this exception, and what data/README.md says of it, can go"


def test_no_convolution_is_rounded_to_tf32_where_memory_is_measured(monkeypatch):
    """The peak is measured in new processes, which know nothing of what was set in this one."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    memory.use(1, 1, "inference", "cpu")
    assert not torch.backends.cudnn.allow_tf32


def test_the_committed_tables_are_full_measurements():
    times, _ = costs.read(resolve("data/results/compute"))
    for device, rows in times.groupby("device"):
        kind = "cuda" if rows.driver.str.contains("CUDA").all() else "cpu"
        full = inference.FULL[kind]
        assert set(rows.batch) == set(full) and (rows.n == rows.batch.map(full)).all() and rows.n.min() >= 100, device
        ways = rows.groupby(["variant", "threads"]).ngroups
        assert ways == 2 and set(rows.variant) == ({"eager", "graph"} if kind == "cuda" else {"eager"}), device
        runs = rows.pivot(index=["variant", "threads", "batch", "blocks"], columns="run")
        assert len(runs) == ways * len(full) * len(SIZES) and runs["n"].shape[1] == 2 and runs.notna().all(axis=None)
        agree = (runs["median"][1] - runs["median"][0]).abs() <= runs["spread"].max(axis=1)
        assert agree.mean() >= 0.95, device


def test_no_two_tables_claim_one_device():
    folder = resolve("data/results/compute")
    names = [pd.read_csv(path).device.unique().tolist() for path in folder.glob("*.memory.csv")]
    assert len(names) == len({name for one in names for name in one}) == sum(map(len, names))


def test_verdicts_follow_the_numbers():
    """The paper's row; then the same with times and bytes made by arithmetic and inference."""
    printed = costs.verdicts(PAPER).verdict.tolist()
    assert printed[1] == "follows blocks" and printed[2].startswith("4")
    made = PAPER.assign(
        seconds=PAPER.blocks.map(macs) / 1e7,
        memory_mb=9 + PAPER.blocks.map(lambda b: costs.allocated_state(b, 1)) / 1e6,
    )
    made.seconds *= np.random.default_rng(0).normal(1, 1e-3, len(made))
    assert costs.verdicts(made).verdict.tolist() == ["follows MACs", "follows MACs", "1: inference"]


# --- training


@pytest.mark.parametrize("blocks", [1, 10])
def test_the_plain_network_is_the_same_function(blocks):
    ours, plain = ResNet1D(blocks).eval(), training.PlainNetwork(blocks).eval()
    ours.stem[1].running_var.fill_(2.0)
    shapes = {name: value.shape for name, value in plain.state_dict().items()}
    weights = zip(shapes, ours.state_dict().values(), strict=True)
    plain.load_state_dict({name: value.reshape(shapes[name]) for name, value in weights})
    assert not any(isinstance(part, torch.nn.Conv2d | torch.nn.BatchNorm2d) for part in plain.modules())
    assert sum(isinstance(part, torch.nn.Dropout) for part in plain.modules()) == 2 * blocks - 1
    x = torch.randn(3, 1, 200)
    assert torch.allclose(plain(x), ours(x), atol=1e-5)


@pytest.mark.parametrize("kind", training.LOOPS)
def test_both_loops_are_timed_and_weighed(kind, monkeypatch):
    monkeypatch.setattr(training, "STEPS", 1)
    monkeypatch.setattr(training.fast, "keep_memory", lambda: None)  # this process goes on
    rate, memory = training.windows_per_second(kind, 1, torch.get_num_threads())
    assert rate > 100 and 100 < memory < 1e5


def test_both_loops_learn_the_same(simulated_windows, monkeypatch):
    monkeypatch.setattr(training, "SIZES", (1,))
    monkeypatch.setattr(training, "EPOCHS", 6)
    study = replace(studies.read("smoke"), rate=1e-2, batch=16)  # many steps of few windows: soon learned
    (row,) = training.equality(study, simulated_windows, 1).itertuples()
    assert (row.blocks, row.seeds, row.epochs) == (1, 3, 6)
    assert row.gap == pytest.approx(abs(row.ours_mean - row.plain_mean))
    assert row.equal == (row.gap < max(row.ours_std, row.plain_std))
    assert row.gap < 3.0 and max(row.ours_mean, row.plain_mean) < 12  # predicting the mean would be off by 15 or more


def test_missing_recordings_are_said_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(training, "speed", lambda cores: pytest.fail("measured"))
    with pytest.raises(InputError, match="nowhere"):
        training.main(tmp_path, tmp_path / "nowhere")


def test_the_committed_training_tables_meet_the_aim():
    speed, equal = (
        pd.read_csv(resolve(f"data/results/training/{name}.csv")) for name in ("training", "equality")
    )
    assert speed.blocks.tolist() == equal.blocks.tolist() == [1, 4, 8, 12]
    assert (speed.ratio >= 3).all() and (speed.memory_mib < 3 * 1024).all()
    assert equal.equal.all() and (equal.seeds >= 3).all()


def test_the_committed_training_on_a_gpu_meets_the_aim():
    """20 times the plain loop at 1 and 4 blocks, 8 times at 10."""
    table = pd.read_csv(resolve("data/results/training/cuda.csv"))
    assert tuple(table.blocks) == gpu_training.SIZES == (1, 4, 10) and (table.batch == training.BATCH).all()
    assert (table.rounds == gpu_training.ROUNDS).all() and (table.networks == gpu.TOGETHER).all()
    for name in ("graph", "together"):
        ratio, low, high = (table[f"{name}_ratio{end}"] for end in ("", "_low", "_high"))
        assert ((1 < low) & (low <= ratio) & (ratio <= high)).all()
    assert (table.together_ratio_low >= [20, 20, 8]).all()
    assert table.bandwidth_share.between(0, 1).all() and table.arithmetic_share.between(0, 1).all()


def test_heart_rates_are_timed_beside_neurokit2(tmp_path, capsys):
    table = pd.read_csv(predicting.main(tmp_path, minutes=1.0, rounds=2))
    assert table.what[0] == "neurokit2 ppg_process" and table.times_neurokit2[0] == 1
    ways = ("heart_rate", "Stream, a second at a time")
    assert set(table.what[1:]) == {f"{name}, {how}" for name in models.names() for how in ways}
    assert set(table.windows) == {27} and table.windows_per_s.between(table.low, table.high).all()
    np.testing.assert_allclose(table.times_neurokit2, table.windows_per_s / table.windows_per_s[0], rtol=1e-3)
    assert "round 3 of 3" in capsys.readouterr().out and {"device", "torch", "neurokit2"} <= set(table)
