"""Many runs: train what is missing, teachers first, in processes or on a Dask cluster.

A sweep can be killed at any moment and started again, and two sweeps can work in one folder: a
run is claimed by a file lock that the system releases when its holder dies, and it counts as
done only when its record stands whole under its final name.
"""

import importlib
import math
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import joblib
import torch
from filelock import FileLock, Timeout
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from ppglib import records
from ppglib.allocator import keep_memory
from ppglib.errors import InputError
from ppglib.grid import Run, runs, teachers_of
from ppglib.provenance import device_name
from ppglib.resnet1d import macs
from ppglib.splits import split
from ppglib.studies import Study
from ppglib.teachers import outputs, save_network, weights_path
from ppglib.training import epochs_of, train
from ppglib.windows import Windows

RETRIES = 3  # times that a pool is started anew after a worker died, without a run done in between


def sweep(study: Study, windows: Windows, folder: Path, jobs: int = 1, dask: str | None = None) -> None:
    """Train every run of `study` that has no record in `folder`; then all tables can be made.

    jobs: processes of one thread each. dask: address of a scheduler whose workers see `folder`.
    Raises InputError for jobs < 1, an unreachable scheduler or a folder that cannot be written.
    """
    complete(study.name, runs(study), windows, folder, jobs, dask)


def complete(
    name: str, every: list[Run], windows: Windows, folder: Path, jobs: int = 1, dask: str | None = None
) -> None:
    """As `sweep`, for any runs and their teachers."""
    if jobs < 1:
        raise InputError(f"--jobs must be at least 1, not {jobs}.")
    folder = folder.resolve()  # workers may have another working folder
    digest = windows.digest()
    every = list(dict.fromkeys([*(teacher for run in every for teacher in teachers_of(run)), *every]))
    for fold, kind in {(run.fold, run.split) for run in every}:
        split(windows, fold, kind)  # too few people: better now than after hours
    report_damaged(every, digest, folder)
    missing = to_do(every, digest, folder)
    say(f"{name}: {len(every)} runs, {len(every) - len(missing)} done before, {len(missing)} to do")
    progress = Progress(missing)
    with backend(dask, jobs, windows):
        for phase in ([r for r in missing if not r.teacher], [r for r in missing if r.teacher]):
            work_through(phase, windows, digest, folder, progress)
    progress.close()


def to_do(every: list[Run], digest: str, folder: Path) -> list[Run]:
    """Runs without a record, and teachers that they need but whose weights are lost."""
    missing = {run for run in every if not records.path_of(folder, run.id(digest)).exists()}
    for teacher in {teacher for run in missing for teacher in teachers_of(run)} - missing:
        if not weights_path(folder, teacher.id(digest)).exists():
            records.path_of(folder, teacher.id(digest)).unlink(missing_ok=True)
            missing.add(teacher)
    return [run for run in every if run in missing]


def work_through(phase: list[Run], windows: Windows, digest: str, folder: Path, progress: "Progress") -> None:
    """Work until every run of the phase has a record, also if workers die or another sweep holds some."""
    failures = 0
    while phase:
        before = len(phase)
        try:
            for run, seconds in joblib.Parallel(
                return_as="generator_unordered", batch_size=1, pre_dispatch="all"
            )(joblib.delayed(work)(run, windows, digest, folder) for run in phase):
                progress.done(run, seconds)
        except worker_deaths():
            say("A worker was killed; its run starts again.")
            failures += 1
        phase = [run for run in phase if not records.path_of(folder, run.id(digest)).exists()]
        failures = 0 if len(phase) < before else failures
        if failures > RETRIES:
            raise InputError(
                f"Workers die again and again ({failures} times): try fewer --jobs, memory may be short."
            )
        if phase:
            time.sleep(1.0)  # held by another sweep: look again


def work(run: Run, windows: Windows, digest: str, folder: Path) -> tuple[Run, float | None]:
    """Do one run unless it is done or somebody else is doing it; seconds, or None if nothing was done."""
    torch.set_num_threads(1)  # also makes a result independent of the number of jobs
    keep_memory()
    run_id = run.id(digest)
    (folder / "locks").mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "locks" / f"{run_id}.lock")
    try:
        with lock.acquire(blocking=False):
            if records.path_of(folder, run_id).exists():
                return run, None
            taught = outputs(run, windows, digest, folder) if run.teacher else None
            network, record = train(run, windows, taught)
            if run.strategy == "scratch" and run.seed == 0:  # it may teach
                save_network(network, weights_path(folder, run_id))
            machine = {"device": device_name(), "torch": torch.__version__}
            # The record last: its precision is what was used, the constant's may be "auto".
            records.write(folder, run_id, records.identity(run) | machine | record | {"run_id": run_id})
            return run, record["seconds"]
    except Timeout:
        return run, None


def report_damaged(every: list[Run], digest: str, folder: Path) -> None:
    """Remove, with a word about it, records that cannot be read, so that they are made again."""
    for run in every:
        try:
            records.read(folder, run.id(digest))
        except ValueError as error:
            say(f"{error}: that run is made again.")
            records.path_of(folder, run.id(digest)).unlink()


def worker_deaths() -> tuple[type[Exception], ...]:
    """What a pool raises when a worker dies; Dask's only after several of them died of one run."""
    if "distributed" not in sys.modules:
        return (TerminatedWorkerError,)
    from distributed import KilledWorker

    return TerminatedWorkerError, KilledWorker


def backend(dask: str | None, jobs: int, windows: Windows):
    if dask is None:
        jobs = 1 if torch.cuda.is_available() else jobs
        return (
            joblib.parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1)
            if jobs > 1
            else nullcontext()
        )
    try:
        from dask.distributed import Client
    except ImportError:
        raise InputError("--dask needs the package `distributed`: pip install distributed.") from None
    try:
        client = Client(dask, timeout="10s")
    except OSError as error:
        raise InputError(f"No Dask scheduler answers at {dask} ({error}): check the address.") from None
    try:  # before the work is sent, because a worker that lacks the library would never answer
        client.run(importlib.import_module, "ppglib.sweep")
    except ImportError as error:
        raise InputError(
            f"The Dask workers of {dask} lack a package ({error}): install ppglib there."
        ) from None
    # Scattered: every worker gets the windows once, and not with every run.
    return joblib.parallel_config(backend="dask", n_jobs=-1, scatter=[windows])


class Progress:
    """A bar with the time left in a terminal, one line a run elsewhere."""

    def __init__(self, missing: list[Run]):
        self.left = {run: cost(run) for run in missing}
        self.total, self.started = sum(self.left.values()), time.perf_counter()
        self.bar = tqdm(total=len(missing), unit="run", disable=not sys.stderr.isatty())

    def done(self, run: Run, seconds: float | None) -> None:
        """seconds: None if the run was not done here but by another sweep."""
        self.left.pop(run, None)
        if seconds is None:
            return
        elapsed = time.perf_counter() - self.started
        left = sum(self.left.values())
        remaining = elapsed * left / max(self.total - left, 1e-9)
        self.bar.set_postfix_str(f"{minutes(remaining)} left")
        self.bar.update()
        if self.bar.disable:
            teacher = f" from {run.teacher}" if run.teacher else ""
            name = f"{run.strategy} {run.student} blocks{teacher}, fold {run.fold}, seed {run.seed}"
            name += "" if run.split == "person" else f", {run.split}"
            say(f"{name}: {seconds:.0f} s, {len(self.left)} to go, about {minutes(remaining)}")

    def close(self) -> None:
        self.bar.close()


def cost(run: Run) -> float:
    """What a run costs, relative to others: arithmetic plus a constant for what is not arithmetic."""
    return epochs_of(run) * (macs(run.student) + 2e6)


def minutes(seconds: float) -> str:
    return f"{math.ceil(seconds / 60)} min" if seconds > 90 else f"{seconds:.0f} s"


def say(text: str) -> None:
    tqdm.write(text, file=sys.stdout)
