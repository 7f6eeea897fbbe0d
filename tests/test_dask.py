"""The same sweep on a real Dask scheduler with two worker processes, each of which is killed."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from distributed import Client
from test_killed import STUDY
from test_sweep import runs_csv

from ppglib.files import ROOT, InputError
from ppglib.study import cluster, engine, studies
from ppglib.study.prepare import study_windows

MOMENTS = 20


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


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "tiny.toml"
    path.write_text(STUDY, encoding="utf-8")
    return studies.read(str(path))


@pytest.fixture(scope="module")
def windows(study, tmp_path_factory):
    return study_windows(study, None, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def undisturbed(study, windows, tmp_path_factory):
    """The folder of a sweep that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    engine.sweep(study, windows, folder)
    return folder


@pytest.fixture
def dask(tmp_path):
    made = Cluster(tmp_path)
    try:
        yield made
    finally:
        for process in (made.scheduler, *made.workers):
            process.kill()
            process.wait()


def killing(process, seconds):
    """A thread that does so after some time."""
    killer = threading.Timer(seconds, process.kill)
    killer.start()
    return killer


def after(count, folder, then):
    """A thread that does something when so many runs are done."""

    def wait():
        while len(list(folder.glob("runs/*.json"))) < count:
            time.sleep(0.02)
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


def test_a_scheduler_that_dies_is_one_sentence_and_finished_runs_are_kept(dask, study, windows, tmp_path, capfd):
    dask.add(2)
    folder = tmp_path / "shared"
    after(2, folder, dask.scheduler.kill)
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


def test_no_scheduler_is_one_sentence(study, windows, tmp_path):
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
            for process in (dask.scheduler, *dask.workers):
                process.kill()
                process.wait()
