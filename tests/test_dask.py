"""The same sweep on a real Dask scheduler with two worker processes, one of which is killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from distributed import Client
from test_sweep import runs_csv, study, study_file, undisturbed, windows  # noqa: F401  (fixtures)

from ppglib.files import InputError
from ppglib.study import engine


@pytest.fixture
def cluster(tmp_path):
    """Address of a scheduler in its own process, and the two worker processes, each without a nanny."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address, processes = f"tcp://127.0.0.1:{port}", []
    scheduler = ["dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = ["dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    try:
        for command, *arguments in (scheduler, worker, worker):
            command = [sys.executable, "-m", f"distributed.cli.{command}", *arguments]
            quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)
            processes.append(subprocess.Popen(command, **quiet))
        with Client(address, timeout="60s") as client:
            client.wait_for_workers(2, timeout=60)
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_cluster_that_loses_a_worker_makes_the_same_table(cluster, study, windows, undisturbed, tmp_path):  # noqa: F811
    address, workers = cluster
    folder = tmp_path / "shared"

    def kill_one():
        while len(list(folder.glob("runs/*.json"))) < 2:
            time.sleep(0.02)
        os.kill(workers[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    engine.sweep(study, windows, folder, jobs=1, dask=address)
    killer.join(10)
    assert workers[0].wait(10) == -signal.SIGKILL and workers[1].poll() is None
    assert runs_csv(study, windows, folder) == runs_csv(study, windows, undisturbed)


def test_no_scheduler_is_one_sentence(study, windows, tmp_path):  # noqa: F811
    with pytest.raises(InputError, match="No Dask scheduler answers"):
        engine.sweep(study, windows, tmp_path, dask="tcp://127.0.0.1:9")
