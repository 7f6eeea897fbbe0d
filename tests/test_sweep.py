"""Many runs: killed, shared, damaged, distributed, and still the same table."""

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import tiny_study
import torch
from scipy.special import softmax

from ppglib import metrics
from ppglib.fast import Dropout
from ppglib.files import InputError
from ppglib.resnet1d import Design, ResNet1D
from ppglib.splits import split
from ppglib.strategies import STRATEGIES
from ppglib.study import engine, grid, groups, predictions, records, studies, teachers
from ppglib.training import outputs
from ppglib.windows import gather

STUDY = tiny_study.text(
    strategies=[
        "scratch", "hard", "soft", "dkd", "feature", "soft8", "gaussian", "dense_scratch", "soft_t1", "cdf", "wasserstein",
        "window_dkd", "dist", "soft_oof", "dense_soft",
    ],
    more_seeds=2, more_seeds_at=[1], epochs=2,
)  # fmt: skip
# A strategy of each kind of teacher: whether anything is lost or done twice does not depend on which losses there are.
KINDS = ["scratch", "soft", "feature", "soft_oof", "dense_soft"]


@pytest.fixture(scope="module")
def few_file(study_file, tmp_path_factory):
    """The study with KINDS alone; its runs are among those of the whole one, and so are their records."""
    path = tmp_path_factory.mktemp("few") / study_file.name
    path.write_text(tiny_study.text(strategies=KINDS, more_seeds=2, more_seeds_at=[1], epochs=2), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def few(few_file):
    return studies.read(str(few_file))


def runs_csv(study, windows, folder):
    records.save_tables(records.tables(study, windows, folder), folder / "results")
    return (folder / "results" / "runs.csv").read_bytes()


def command(study_file, out, *more):
    return [sys.executable, "-m", "ppglib", "sweep", "--study", str(study_file), "--out", str(out), *more]


def start(study_file, out, *more):
    return subprocess.Popen(
        command(study_file, out, *more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def wait_for_records(folder, count, seconds=600):
    deadline = time.monotonic() + seconds
    while len(list((folder / "runs").glob("*.json"))) < count:
        assert time.monotonic() < deadline, "the sweep does not get on"
        time.sleep(0.02)


def test_the_table_has_every_run_once_and_the_baselines(study, windows, undisturbed):
    tables = records.tables(study, windows, undisturbed)
    runs = tables["runs"]
    assert list(runs.columns) == records.COLUMNS
    assert runs.run_id.is_unique and len(runs) == len(grid.runs(study)) + 2
    assert set(runs.strategy) == {*STRATEGIES, "mean", "spectral"}
    assert runs.simulated.all()
    pooled = tables["people"].groupby("run_id")[["n", "mae"]].apply(lambda p: np.average(p.mae, weights=p.n))
    np.testing.assert_allclose(pooled[runs.run_id], runs.mae, rtol=1e-12)


def test_one_process_or_two_make_the_same_table(study, windows, undisturbed, tmp_path):
    engine.sweep(study, windows, tmp_path, jobs=2)
    assert runs_csv(study, windows, tmp_path) == runs_csv(study, windows, undisturbed)


def test_killed_half_way_and_started_again_it_ends_with_the_same_table(few, few_file, windows, undisturbed, tmp_path):
    process = start(few_file, tmp_path, "--jobs", "2")
    wait_for_records(tmp_path, 4)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list((tmp_path / "runs").glob("*.json")))
    assert 4 <= done < len(grid.runs(few))
    again = subprocess.run(
        command(few_file, tmp_path, "--jobs", "1"), capture_output=True, text=True, timeout=900
    )
    assert again.returncode == 0, again.stderr
    assert f"{done} done before" in again.stdout
    assert (tmp_path / "results" / "runs.csv").read_bytes() == runs_csv(few, windows, undisturbed)


def test_a_killed_worker_is_replaced(few, few_file, windows, undisturbed, tmp_path):
    process = start(few_file, tmp_path, "--jobs", "2")
    wait_for_records(tmp_path, 2)
    children = psutil.Process(process.pid).children(recursive=True)
    worker = next(child for child in children if "ppglib.study.workers" in " ".join(child.cmdline()))
    worker.kill()
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    assert output.count("A worker was killed; its run starts again.") == 1
    assert runs_csv(few, windows, tmp_path) == runs_csv(few, windows, undisturbed)


def test_two_sweeps_share_the_work_and_do_no_run_twice(few, few_file, windows, undisturbed, tmp_path):
    both = [start(few_file, tmp_path, "--jobs", "1") for _ in range(2)]
    outputs = [process.communicate(timeout=900)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    trained = sum(len(re.findall(r": \d+ s$", output, re.M)) for output in outputs)
    assert trained == len(grid.runs(few))
    assert runs_csv(few, windows, tmp_path) == runs_csv(few, windows, undisturbed)


@pytest.mark.parametrize("damage", ["cut", "changed", "another", "no json"])
def test_a_damaged_record_is_found_reported_and_made_again(
    study, windows, undisturbed, tmp_path, capsys, damage
):
    folder = tmp_path / "copy"
    shutil.copytree(undisturbed, folder)
    path, other = sorted((folder / "runs").glob("gaussian*.json"))[:2]
    text = path.read_text()
    content = {
        "cut": text[: len(text) // 2],
        "changed": text.replace('\\"mae\\": ', '\\"mae\\": 1'),
        "another": other.read_text(),
        "no json": "[]",
    }[damage]
    assert content != text
    path.write_text(content)
    engine.sweep(study, windows, folder)
    said = capsys.readouterr().out
    assert path.name in said and "made again" in said and " 1 to do" in said
    assert runs_csv(study, windows, folder) == runs_csv(study, windows, undisturbed)


def test_a_lost_teacher_is_trained_again_when_it_is_needed(study, windows, undisturbed, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(undisturbed, folder)
    shutil.rmtree(folder / "teachers")
    next((folder / "runs").glob("dkd*.json")).unlink()
    engine.sweep(study, windows, folder)
    assert runs_csv(study, windows, folder) == runs_csv(study, windows, undisturbed)


@pytest.mark.parametrize("name", ["*.logits.npy", "*.map.npy"])
def test_damaged_teacher_outputs_are_made_again(study, windows, undisturbed, tmp_path, name):
    folder = tmp_path / "copy"
    shutil.copytree(undisturbed, folder)
    path = next((folder / "teachers").glob(name))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    next((folder / "runs").glob("feature*.json")).unlink()
    engine.sweep(study, windows, folder)
    assert path.read_bytes() == whole
    assert runs_csv(study, windows, folder) == runs_csv(study, windows, undisturbed)


def test_a_damaged_teacher_is_one_sentence(study, windows, undisturbed, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(undisturbed, folder)
    logits = next((folder / "teachers").glob("*.logits.npy"))
    path = folder / "teachers" / logits.name.replace(".logits.npy", ".safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    logits.unlink()
    next((folder / "runs").glob("dkd*.json")).unlink()
    with pytest.raises(InputError, match=f"{path.name} is damaged"):
        engine.sweep(study, windows, folder)


def test_teacher_outputs_are_made_once_and_mapped(study, windows, undisturbed):
    run = next(r for r in grid.runs(study) if r.strategy == "feature")
    said = teachers.outputs(run, windows, windows.digest(), undisturbed)
    assert set(said) == {"logits", "map"} and all(isinstance(array, np.memmap) for array in said.values())


def test_a_lost_teacher_is_trained_again_and_counted(study, windows, undisturbed, tmp_path, capsys):
    (run,) = (r for r in grid.runs(study) if r.strategy == "dkd" and r.seed == 0)
    engine.complete("one", [run], windows, tmp_path)
    assert "2 networks: 0 done before, 2 to do" in capsys.readouterr().out
    next((tmp_path / "teachers").glob("*.safetensors")).unlink()
    records.path_of(tmp_path, run.id(windows.digest())).unlink()
    engine.complete("one", [run], windows, tmp_path)
    assert "2 networks: 0 done before, 2 to do" in capsys.readouterr().out


def test_too_few_people_are_said_before_anything_is_trained(study, windows, tmp_path):
    few = replace(windows, table=windows.table[windows.table.person.isin(windows.table.person.unique()[:3])])
    with pytest.raises(InputError, match="at least 5 people"):
        engine.sweep(study, few, tmp_path)
    assert not (tmp_path / "runs").exists()


def test_out_of_fold_logits_come_from_teachers_who_have_not_seen_the_person(study, windows, undisturbed):
    run = next(r for r in grid.runs(study) if r.strategy == "soft_oof")
    digest = windows.digest()
    said = teachers.outputs(run, windows, digest, undisturbed)["logits"]
    rows, _ = split(windows, run.fold)
    assert np.isfinite(said).all() and len(said) == len(rows)
    person = windows.table.person.to_numpy()
    for teacher in grid.teachers_of(run):
        trained_on, _ = split(windows, teacher.fold, teacher.split)
        theirs = ~np.isin(person[rows], person[trained_on])
        network = teachers.load_network(Design(2), teachers.weights_path(undisturbed, teacher.id(digest)))
        logits, _ = outputs(network, windows.signal, windows.table.start.to_numpy()[rows[theirs]])
        np.testing.assert_allclose(said[theirs], logits, rtol=1e-4, atol=1e-4)


def test_a_full_disk_is_one_sentence(study, windows, tmp_path, monkeypatch):
    def full(path, content):
        with open(path, "wb") as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        engine.sweep(study, windows, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_jobs_is_refused(study, windows, tmp_path, jobs):
    with pytest.raises(InputError, match="at least 1"):
        engine.sweep(study, windows, tmp_path, jobs=jobs)


def test_a_changed_constant_trains_only_what_depends_on_it(study, windows, undisturbed):
    other = replace(study, sigma=3.0)
    digest = windows.digest()
    missing = [r for r in grid.runs(other) if not records.path_of(undisturbed, r.id(digest)).exists()]
    assert {r.strategy for r in missing} == {"gaussian"}


def test_records_are_json_with_a_checksum(undisturbed):
    path = next((undisturbed / "runs").glob("*.json"))
    assert set(json.loads(path.read_text())) == {"sha256", "record"}
    assert records.read(undisturbed, path.stem)["run_id"] == path.stem


def test_tables_survive_a_round_trip(study, windows, undisturbed):
    tables = records.tables(study, windows, undisturbed)
    runs_csv(study, windows, undisturbed)
    again = pd.read_csv(undisturbed / "results" / "runs.csv")
    np.testing.assert_allclose(again.mae, tables["runs"].mae, rtol=1e-5)


def test_predictions_are_kept_of_every_network_and_their_error_is_that_of_the_record(study, windows, undisturbed):
    predictions.write(study, windows, undisturbed)
    tables = records.tables(study, windows, undisturbed)
    trained = tables["runs"][tables["runs"].student > 0]
    kept = sorted(path.stem for path in (undisturbed / "predictions").iterdir())
    assert kept == sorted(trained.run_id)
    for row in trained.itertuples():
        table = pd.read_parquet(undisturbed / f"predictions/{row.run_id}.parquet")
        tested = windows.table.iloc[split(windows, row.fold, row.split)[1]]
        assert table.truth.tolist() == tested.hr.tolist() and table.start.tolist() == tested.second.tolist()
        assert (table.argmax - table.truth).abs().mean() == pytest.approx(row.mae, rel=1e-4)
        assert (table.hr - table.truth).abs().mean() == pytest.approx(row.mae_median, rel=1e-4)
        assert ((table.low <= table.hr) & (table.hr <= table.high) & table.p_within_5.between(0, 1)).all()
        assert (table.end - table.start == 8).all() and table.person.tolist() == tested.person.tolist()
    (path, *_) = (undisturbed / "predictions").iterdir()
    before = path.stat().st_mtime_ns
    predictions.write(study, windows, undisturbed)
    assert path.stat().st_mtime_ns == before  # what is there is not made again


def test_each_seed_and_fold_has_weights_an_order_and_a_dropout_of_its_own_alike_for_all_strategies(
    study, windows, monkeypatch
):
    seen = {}

    class Seen(Exception):
        pass

    def train(members, windows):
        (member,) = members
        first = b"".join(p.detach().numpy().tobytes() for p in member.network.parameters())
        dropouts = {layer.rate for layer in member.network.modules() if isinstance(layer, Dropout)}
        seen[member.strategy, member.seed] = hashlib.sha256(first).hexdigest(), dropouts
        raise Seen

    monkeypatch.setattr(groups, "train_together", train)
    for strategy, seed, fold in product(("scratch", "gaussian"), range(3), (0, 1)):
        other = replace(study, dropout=0.25)
        run = grid.make_run(other, "person", strategy, Design(2), None, fold, seed)
        with pytest.raises(Seen):
            next(groups.train_runs([run], windows, [None]))
    orders = {order for _, order in seen}
    assert len(orders) == 6 and len(seen) == 12
    assert all(seen["scratch", order] == seen["gaussian", order] for order in orders)
    assert len({first for first, _ in seen.values()}) == 6
    assert all(dropouts == {0.25} for _, dropouts in seen.values())


def test_a_record_is_of_the_kept_network_on_the_test_people(study, windows, undisturbed):
    for strategy in ("dense_scratch", "soft"):
        run = next(r for r in grid.runs(study) if r.strategy == strategy and r.seed == 1)
        run_id, (rows, test) = run.id(windows.digest()), split(windows, run.fold)
        record = records.read(undisturbed, run_id)
        network = teachers.load_network(run.network, teachers.kept_path(run, windows.digest(), undisturbed))
        measured = metrics.evaluate(network, windows, test)
        assert record["mae"] == pytest.approx(measured["mae"]) and record["people"] == measured["people"]
        assert record["permuted"] == metrics.permuted(network, windows, test)
        assert (record["n_train"], record["n_test"]) == (len(rows), len(test))
        assert record["steps"] == 2 * len(rows) // 32 * (3 if strategy == "dense_scratch" else 1)
    said = teachers.outputs(run, windows, windows.digest(), undisturbed)["logits"]
    truth = np.floor(windows.table.hr.to_numpy()[rows]).astype(int) - 30
    at_truth = softmax(np.array(said, float), axis=1)[np.arange(len(rows)), truth]
    assert record["teacher_py"] == pytest.approx(at_truth.mean(), rel=1e-5)


def test_baselines_err_by_the_training_mean_and_the_spectral_peak_once_in_each_fold(study, windows, monkeypatch):
    monkeypatch.setattr(records, "members", lambda study: [study, replace(study, name="other")])
    rows = records.baselines(replace(study, folds=[0, 1]), windows)
    assert [(row["strategy"], row["fold"]) for row in rows] == [(k, fold) for fold in (0, 1) for k in ("mean", "spectral")]
    for row in rows:
        train, test = split(windows, row["fold"])
        hr = windows.table.hr.to_numpy()
        peak = metrics.spectral_peak(gather(windows.signal, windows.table.start.to_numpy()[test]))
        said = peak if row["strategy"] == "spectral" else hr[train].sum() / len(train)
        assert row["mae"] == pytest.approx(np.abs(said - hr[test]).mean())
        assert row["people_test"] == windows.table.person.iloc[test].nunique()


def test_a_record_counts_the_people_of_the_test(study, windows, monkeypatch):
    for name, value in {"train_together": None, "evaluate": {}, "permuted": []}.items():
        monkeypatch.setattr(groups, name, lambda *_, value=value, **__: value)
    for fold in (0, 1):
        run = grid.make_run(study, "person", "scratch", Design(1), None, fold, 0)
        (rows, test), record = split(windows, fold), next(groups.train_runs([run], windows, [None]))[1]
        assert record["people_test"] == windows.table.person.iloc[test].nunique() < windows.table.person.iloc[rows].nunique()


def test_a_record_says_how_many_samples_a_network_sees_and_what_it_costs(study):
    for design in (Design(1), Design(1, dilations=(2, 9, 39))):
        run = grid.make_run(study, "person", "scratch", design, None, 0, 0)
        found = records.identity(run)
        assert (found["field"], found["macs"], found["design"]) == (design.field, design.macs, design.name)


def test_weights_of_another_network_are_one_sentence(tmp_path):
    path = tmp_path / "scratch.safetensors"
    teachers.save_network(ResNet1D(1), path)
    with pytest.raises(InputError, match="scratch.safetensors is damaged"):
        teachers.load_network(Design(2), path)


def test_what_an_earlier_network_predicted_goes_with_it(tmp_path):
    names = ("teachers/a.logits.npy", "teachers/a.map.npy", "teachers/a2.logits.npy", "predictions/a.parquet")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    teachers.save_network(ResNet1D(1), tmp_path / "teachers" / "a.safetensors")
    assert [name for name in names if (tmp_path / name).exists()] == ["teachers/a2.logits.npy"]


def test_other_activities_are_in_the_records_without_training(few, windows, undisturbed, tmp_path, monkeypatch, capsys):
    """None before, then some, then as many of each in another order; and one network whose weights are lost."""
    folder, digest = tmp_path / "copy", windows.digest()
    shutil.copytree(undisturbed, folder)
    before, odd = records.tables(few, windows, folder), windows.table.index % 2
    lost = next(run for run in grid.runs(few) if run.teacher)
    teachers.kept_path(lost, digest, folder).unlink()
    monkeypatch.setattr(groups, "train_together", lambda members, _: trained.extend(members))
    trained, known = [], len(grid.runs(few))
    for activity, says in (
        (np.where(odd, "walk", "rest"), f"{known - 1} networks are tested again, 1 without weights are trained again"),
        (np.where(odd, "rest", "walk"), f"{known} networks are tested again, 0 without"),
        (np.where(odd, "rest", "walk"), "nothing to do"),
    ):
        active = replace(windows, table=windows.table.assign(activity=activity))
        engine.sweep(few, active, folder)
        said = capsys.readouterr().out
        assert says in said and len(trained) == 1
    old = {name: value for name, value in records.read(folder, lost.id(digest)).items() if name != "activities"}
    records.write(folder, lost.id(digest), old)  # as once: nobody knows whether they have changed
    engine.sweep(few, windows, folder)
    assert f"{known - 1} networks are tested again, 0 without" in capsys.readouterr().out
    engine.sweep(few, active, folder)
    after, keys = records.tables(few, active, folder), ["dataset", "person", "activity"]
    for run in grid.runs(few):
        rows = active.table.iloc[split(active, run.fold, run.split)[1]].groupby(keys).size()
        own = after["people"][after["people"].run_id == run.id(digest)]
        assert own.set_index(keys).n.to_dict() == rows.to_dict()
    same = after["runs"].run_id != lost.id(digest)
    pd.testing.assert_series_equal(after["runs"].mae[same], before["runs"].mae[same], rtol=1e-5)


def test_a_run_computes_in_one_thread(study, windows, tmp_path):
    torch.set_num_threads(2)
    run = grid.make_run(study, "person", "scratch", Design(1), None, 0, 0)
    assert engine.work(run, STRATEGIES["scratch"], windows, windows.digest(), tmp_path)[1] > 0
    assert torch.get_num_threads() == 1
    again = engine.work(run, STRATEGIES["scratch"], windows, windows.digest(), tmp_path)
    assert again == (run, None)


def test_a_task_whose_worker_always_dies_is_one_sentence_in_the_end(windows, tmp_path, monkeypatch, study, capsys):
    """Its workers and not the others: those do their runs."""
    monkeypatch.setattr(engine, "work", deadly)
    monkeypatch.setattr(engine, "RETRIES", 1)
    runs = [grid.make_run(study, "person", name, Design(1), None, 0, 0) for name in ("gaussian", "scratch")]
    with pytest.raises(InputError, match="Workers died [0-9]+ times without a run done.*; finished runs are kept"):
        engine.complete("some", runs, windows, tmp_path, jobs=2)
    done = {path.name.split("-")[0] for path in (tmp_path / "runs").glob("*.json")}
    assert done == {"scratch"} and "A worker was killed; its run starts again." in capsys.readouterr().out


def deadly(run, row, *common):
    if run.strategy == "gaussian":
        os.kill(os.getpid(), signal.SIGKILL)
    return real_work(run, row, *common)


real_work = engine.work


def test_what_a_killed_writer_left_goes_with_the_next(study, windows, undisturbed, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(undisturbed, folder)
    path = next((folder / "runs").glob("soft-*.json"))
    left = [path.with_name(f".{path.name}.part"), folder / "students" / f".{path.stem}.safetensors.part"]
    logits = next((folder / "teachers").glob("*.logits.npy"))
    left += [logits.with_name(f".{logits.name}.part"), folder / "results" / ".runs.csv.part"]
    for place in left:
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"half")
    path.unlink()
    logits.unlink()
    engine.sweep(study, windows, folder)
    assert runs_csv(study, windows, folder) == runs_csv(study, windows, undisturbed)
    assert not [place for place in left if place.exists()]


def tasks_of(study, windows, **constants):
    runs = grid.runs(replace(study, **constants), windows)
    return [(run, STRATEGIES[run.strategy]) for run in runs if not run.teacher]


def test_runs_that_are_trained_as_one_are_of_one_design_length_and_recipe(study, windows, monkeypatch):
    tasks = tasks_of(study, windows)
    for other in ({"rate": 1e-2}, {"dropout": 0.3}, {"batch": 16}, {"epochs": 1}):
        tasks += tasks_of(study, windows, **other)
    dealt = []
    monkeypatch.setattr(groups, "split", lambda *given: dealt.append(given[1:]) or split(*given))
    found = groups.alike(tasks, windows, 3)
    assert len(dealt) == len(set(dealt))  # people are dealt once, not for each run: a GPU waits for it
    assert sorted(map(id, [run for group in found for run, _ in group])) == sorted(id(run) for run, _ in tasks)
    assert 1 < max(map(len, found)) <= 3 and [groups.cost(g[0][0]) for g in found] == sorted(
        (groups.cost(g[0][0]) for g in found), reverse=True
    )
    for group in found:
        names = ("rate", "dropout", "batch", "epochs")
        of_all = {(run.network, *(run.get(name) for name in names)) for run, _ in group}
        steps = {len(split(windows, run.fold, run.split)[0]) // run.get("batch") for run, _ in group}
        assert len(of_all) == len(steps) == 1
    own = replace(STRATEGIES["scratch"], constants=("dense_noise",))  # one from outside, which is given noise
    monkeypatch.setitem(STRATEGIES, "noisy", own)
    run, row = tasks[0]
    noisy = replace(run, strategy="noisy", constants=(*run.constants, ("dense_noise", 0.3)))
    assert len(groups.alike([(run, row), (noisy, own)], windows)) == 2


def test_runs_as_one_have_the_records_that_they_have_alone(study, windows, tmp_path):
    """But for what is drawn for all at once, dropout, and for rounding."""
    group = groups.alike(tasks_of(study, windows, dropout=0.0), windows)[0]
    common = windows, windows.digest()
    assert len(group) > 1
    done = groups.work_together(group, *common, tmp_path / "one")
    assert [run for run, _ in done] == [run for run, _ in group] and all(seconds > 0 for _, seconds in done)
    assert groups.work_together(group, *common, tmp_path / "one") == [(run, None) for run, _ in group]
    for run, row in group:
        engine.work(run, row, *common, tmp_path / "alone")
        one, alone = (records.read(tmp_path / name, run.id(windows.digest())) for name in ("one", "alone"))
        assert one.keys() == alone.keys()
        measured = {"seconds", "curve", "people", "reliability", "permuted", *records.MEASURED}
        assert {name for name in one if one[name] != alone[name]} <= measured
        np.testing.assert_allclose(one["curve"], alone["curve"], rtol=1e-2)
        teachers.load_network(run.network, teachers.kept_path(run, windows.digest(), tmp_path / "one"))


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("short"), groups.Diverged("Training diverged.")])
def test_a_group_is_halved_until_what_can_be_done_is_done(study, windows, monkeypatch, error):
    """Memory for two; or one network that diverges, which is said when all others are done."""
    tasks, done = tasks_of(study, windows)[:4] * 2, []
    tasks = [(replace(run, seed=i), row) for i, (run, row) in enumerate(tasks[:5])]

    def together(tasks, *common):
        bad = len(tasks) > 2 if isinstance(error, torch.OutOfMemoryError) else any(run.seed == 1 for run, _ in tasks)
        if bad:
            raise error
        done.extend(run.seed for run, _ in tasks)
        return [(run, 1.0) for run, _ in tasks]

    monkeypatch.setattr(groups, "work_together", together)
    if isinstance(error, groups.Diverged):
        with pytest.raises(InputError, match="diverged"):
            groups.in_parts(tasks)
        assert sorted(done) == [0, 2, 3, 4]
    else:
        assert [run.seed for run, _ in groups.in_parts(tasks)] == sorted(done) == [0, 1, 2, 3, 4]

    def fails(*_):
        raise error

    monkeypatch.setattr(groups, "work_together", fails)
    with pytest.raises(InputError, match="diverged|memory is too short for .* smaller batch"):
        groups.in_parts(tasks[:1])
