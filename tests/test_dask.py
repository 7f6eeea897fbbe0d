"""The same sweep on a real Dask scheduler with two worker processes, each of which is killed."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
import tiny_study
from distributed import Client
from test_sweep import KINDS, runs_csv, wait_for_records

from ppglib.files import ROOT, InputError
from ppglib.study import cluster, engine

STUDY, MOMENTS = tiny_study.text(strategies=KINDS, seeds=2), 20


class Cluster:
    """A scheduler in its own process, and worker processes without a nanny."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.address, self.folder, self.workers = f"tcp://127.0.0.1:{port}", folder, []
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", port)

    def start(self, what, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments, "--no-dashboard"]
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        quiet["env"] = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, **quiet)

    def add(self, count):
        """So many more workers, and wait for them."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        self.workers += [self.start("worker", self.address, "--nthreads", "1", "--no-nanny") for _ in range(count)]
        with Client(self.address, timeout="60s", set_as_default=False) as client:
            while len(client.nthreads()) != len(self.workers):  # dead ones are forgotten too
                time.sleep(0.05)

    def stop(self):
        for process in (self.scheduler, *self.workers):
            process.kill()
            process.wait()


@pytest.fixture
def dask(tmp_path):
    made = Cluster(tmp_path)
    try:
        yield made
    finally:
        made.stop()


def killing(process, seconds):
    """A thread that does so after some time."""
    killer = threading.Timer(seconds, process.kill)
    killer.start()
    return killer


def after(count, folder, then):
    """A thread that does something when so many runs are done."""

    def wait():
        wait_for_records(folder, count)
        then()

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    return waiter


def test_a_cluster_that_loses_both_workers_in_turn_makes_the_same_table(dask, study, windows, undisturbed, tmp_path):
    dask.add(2)
    folder, (first, second) = tmp_path / "shared", dask.workers

    def replace():
        dask.workers.append(dask.start("worker", dask.address, "--nthreads", "1", "--no-nanny"))
        second.kill()

    killers = [after(2, folder, first.kill), after(5, folder, replace)]
    engine.sweep(study, windows, folder, jobs=1, dask=dask.address)
    for killer in killers:
        killer.join(10)
    assert first.wait(10) == second.wait(10) == -signal.SIGKILL and dask.workers[2].poll() is None
    assert runs_csv(study, windows, folder) == runs_csv(study, windows, undisturbed)


def test_a_scheduler_that_dies_is_one_sentence_and_finished_runs_are_kept(
    dask, study, windows, tmp_path, capfd, monkeypatch
):
    def kill():
        monkeypatch.setattr(cluster, "CONNECT", 4.0)  # the next is tried in vain
        dask.scheduler.kill()

    dask.add(2)
    folder = tmp_path / "shared"
    after(2, folder, kill)
    with pytest.raises(InputError, match="No Dask scheduler answers at .*finished runs are kept, start again"):
        engine.sweep(study, windows, folder, dask=dask.address)
    said = capfd.readouterr()
    assert "The Dask scheduler went away" in said.out and "Traceback" not in said.err
    assert len(list(folder.glob("runs/*.json"))) >= 2


def test_a_scheduler_without_workers_is_one_sentence(dask, study, windows, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with Client(dask.address, timeout="60s", set_as_default=False):
        pass
    with pytest.raises(InputError, match="No worker is left or has come .* start workers; finished runs are kept"):
        engine.sweep(study, windows, tmp_path / "shared", dask=dask.address)


def test_patience_begins_with_each_result(monkeypatch):
    """All workers went, while the first result was written, and a new one brings the second."""
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    monkeypatch.setattr(cluster, "LOOK", 0.1)
    first, second = Future(), Future()
    first.set_result(1)
    found = cluster._finished(SimpleNamespace(nthreads=dict), "tcp://here", [first, second])
    assert next(found) is first
    time.sleep(1.2)
    threading.Timer(0.4, second.set_result, [2]).start()
    assert next(found) is second


def test_a_folder_that_a_worker_cannot_use_is_one_sentence(dask, study, windows, tmp_path):
    dask.add(1)
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "locks").write_text("no folder")
    with pytest.raises(InputError, match="Cannot write .*locks.*: choose another folder"):
        engine.sweep(study, windows, folder, dask=dask.address)


def test_an_error_of_a_workers_system_is_not_taken_for_the_end_of_the_scheduler(dask, tmp_path):
    dask.add(1)
    with pytest.raises(InputError, match="failed in a run .*/there.*see the folder"):
        list(cluster.results(dask.address, shutil.copy, (str(tmp_path),), [("/there",)]))


def test_no_scheduler_is_one_sentence(study, windows, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 1.0)
    with pytest.raises(InputError, match="No Dask scheduler answers"):
        engine.sweep(study, windows, tmp_path, dask="tcp://127.0.0.1:9")


@pytest.mark.slow
def test_one_of_two_workers_killed_at_20_random_moments(dask, study, windows, undisturbed, tmp_path, capsys):
    dask.add(2)
    begun = time.monotonic()
    engine.sweep(study, windows, tmp_path / "whole", dask=dask.address)
    seconds, seed = time.monotonic() - begun, random.SystemRandom().randrange(10**6)
    rng, done = random.Random(seed), []
    for moment in range(MOMENTS):
        dask.add(2 - sum(worker.poll() is None for worker in dask.workers))
        folder = tmp_path / f"out{moment}"
        # The first ones while the sweep starts: its client connects, looks at the workers and sends the windows.
        wait = rng.uniform(0, 0.5 if moment < MOMENTS // 2 else seconds)
        killer = killing(rng.choice(dask.workers), wait)
        engine.sweep(study, windows, folder, dask=dask.address)
        killer.cancel()
        done.append(wait)
        assert runs_csv(study, windows, folder) == runs_csv(study, windows, undisturbed), f"seed {seed}, {moment}"
    with capsys.disabled():
        print(f"\nseed {seed}: killed after {', '.join(f'{wait:.2f}' for wait in sorted(done))} of {seconds:.1f} s")


@pytest.mark.slow
def test_the_scheduler_killed_at_random_moments(study, windows, tmp_path, capfd):
    rng = random.Random(random.SystemRandom().randrange(10**6))
    for moment in range(3):
        (tmp_path / str(moment)).mkdir()
        dask = Cluster(tmp_path / str(moment))
        try:
            dask.add(2)
            killing(dask.scheduler, rng.uniform(0, 4))
            with pytest.raises(InputError, match="No Dask scheduler answers"):
                engine.sweep(study, windows, tmp_path / str(moment) / "out", dask=dask.address)
            assert "Traceback" not in capfd.readouterr().err
        finally:
            dask.stop()
