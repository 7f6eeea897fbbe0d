"""Sweeps killed at any moment, whole or in part: the same table in the end, and nothing left behind."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid

import psutil
import pytest
import tiny_study

KILLS = 100
LEFT = 10.0  # seconds in which everything must have ended with a killed sweep
STUDY = tiny_study.text(
    simulate_people=[5], simulate_minutes=1.0, strategies=["scratch", "hard", "soft", "soft_oof", "feature", "dense_soft"], seeds=4
)


class Sweep:
    """One in a session of its own, of two worker processes, all of which carry a mark."""

    def __init__(self, folder):
        self.mark = uuid.uuid4().hex
        command = [sys.executable, "-m", "ppglib", "sweep", "--study", folder.parent / "tiny.toml", "--out", folder]
        self.process = subprocess.Popen(
            [*map(str, command), "--jobs", "2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"PPGLIB_TEST": self.mark}, start_new_session=True,
        )  # fmt: skip

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("PPGLIB_TEST") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def workers(self) -> list[psutil.Process]:
        return [process for process in self.processes() if "ppglib.study.workers" in " ".join(process.cmdline())]

    def kill(self, what: str, rng: random.Random) -> None:
        if what == "group":
            os.killpg(self.process.pid, signal.SIGKILL)
        elif what == "parent":
            self.process.kill()
        elif workers := self.workers():
            rng.choice(workers).kill()

    def seconds_to_the_end(self) -> float:
        """How long any of its processes lived on."""
        begun = time.monotonic()
        while self.processes():
            assert time.monotonic() < begun + LEFT, f"still there: {[p.cmdline() for p in self.processes()]}"
            time.sleep(0.1)
        return time.monotonic() - begun


def files(folder):
    """All but the locks."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith("locks/")}


def same(folder, other) -> None:
    assert files(folder) == files(other)
    for name in ("runs", "people", "reliability", "permuted"):
        tables = [(each / "results" / f"{name}.csv").read_bytes() for each in (folder, other)]
        assert tables[0] == tables[1]


def undisturbed(tmp_path):
    (tmp_path / "tiny.toml").write_text(STUDY, encoding="utf-8")
    whole, begun = Sweep(tmp_path / "whole"), time.monotonic()
    output, _ = whole.process.communicate()
    assert whole.process.returncode == 0, output
    return tmp_path / "whole", time.monotonic() - begun


def test_idle_and_busy_workers_end_with_their_parent(tmp_path):
    (tmp_path / "tiny.toml").write_text(STUDY, encoding="utf-8")
    sweep = Sweep(tmp_path / "out")
    while len(sweep.workers()) < 2:
        assert sweep.process.poll() is None
        time.sleep(0.1)
    sweep.process.kill()
    sweep.seconds_to_the_end()


@pytest.mark.slow
def test_killed_at_100_random_moments_it_ends_with_the_same_table(tmp_path, capsys):
    """A third of the kills are its parent's, a third those of a worker, a third the whole group's."""
    whole, seconds = undisturbed(tmp_path)
    seed = random.SystemRandom().randrange(10**6)
    rng, folder, sweep, lived, ends = random.Random(seed), None, None, [], 0
    plan = rng.sample(["parent", "worker", "group"] * (KILLS // 3 + 1), KILLS)
    while plan or sweep:
        if sweep is None:
            if folder is None:
                folder = tmp_path / f"out{ends}"
            sweep = Sweep(folder)
        try:
            output, _ = sweep.process.communicate(timeout=rng.uniform(0, seconds) if plan else None)
        except subprocess.TimeoutExpired:
            what = plan.pop()
            sweep.kill(what, rng)
            if what != "worker":
                sweep.process.communicate()
                lived.append(sweep.seconds_to_the_end())
                sweep = None if plan else Sweep(folder)
            continue
        assert sweep.process.returncode == 0, f"seed {seed}: {output}"
        assert "Traceback" not in output, f"seed {seed}: {output}"
        sweep.seconds_to_the_end()
        same(folder, whole)
        sweep, folder, ends = None, None, ends + 1
    with capsys.disabled():
        print(f"\nseed {seed}: {KILLS} kills, {ends} sweeps ended alike, after a kill all gone in {max(lived):.1f} s")
