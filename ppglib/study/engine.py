"""Many runs: train what is missing, teachers first, in processes or on a Dask cluster.

A sweep can be killed at any moment and started again, and two sweeps can work in one folder: a
run is claimed by a file lock that the system releases when its holder dies, and it counts as
done only when its record stands whole under its final name."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import joblib
import torch
from tqdm import tqdm

from ppglib import files
from ppglib.fast import device
from ppglib.files import InputError
from ppglib.metrics import evaluate
from ppglib.splits import split
from ppglib.strategies import STRATEGIES
from ppglib.study import cluster, records
from ppglib.study.grid import Run, runs, teachers_of
from ppglib.study.groups import alike, cost, in_parts, work
from ppglib.study.studies import Study
from ppglib.study.teachers import kept_path, load_network, weights_path
from ppglib.study.workers import AGAIN, Lost, Processes
from ppglib.windows import Windows

AT_ONCE = 6  # groups of networks that share a GPU: while one is evaluated, others train
RETRIES = 3  # deaths of workers for each that is at work, without a run done in between


def sweep(study: Study, windows: Windows, folder: Path, jobs: int = 1, dask: str | None = None) -> None:
    """Train every run of `study` that has no record in `folder`; then all tables can be made.

    jobs: processes of one thread each, or on a GPU groups of networks at once, at most 6. dask: address of a
    scheduler whose workers see `folder`.
    Raises InputError for jobs < 1, an unreachable scheduler or a folder that cannot be written."""
    complete(study.name, runs(study, windows), windows, folder, jobs, dask)


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
    test_again(whole(every, digest, folder), windows, digest, folder)
    missing = to_do(every, digest, folder)
    announce(name, every, missing, windows, 0 if dask or torch.cuda.is_available() else min(jobs, len(missing)))
    with backend(dask, jobs if missing else 1, (windows, digest, folder)) as workers, bar_of(missing) as bar:
        for phase in ([r for r in missing if not r.teacher], [r for r in missing if r.teacher]):
            work_through(phase, *workers, digest, folder, bar)


def announce(name: str, every: list[Run], missing: list[Run], windows: Windows, jobs: int) -> None:
    """What is about to happen, so that nobody waits for a bar without knowing for what."""
    people, rest = len(windows.table[["dataset", "person"]].drop_duplicates()), f"{len(missing)} to do"
    counts = f"{len(every)} networks: {len(every) - len(missing)} done before, {rest if missing else 'nothing to do'}"
    say(f"{name}: {people} people, {len(windows.table):,} windows, {counts}.")
    if missing and jobs > 1:
        say(f"{jobs} workers start, which takes some seconds. Ctrl-C stops; what is done is kept.")


def to_do(every: list[Run], digest: str, folder: Path) -> list[Run]:
    """Runs without a record, and teachers that they need but whose weights are lost."""
    missing = {run for run in every if not records.path_of(folder, run.id(digest)).exists()}
    for teacher in {teacher for run in missing for teacher in teachers_of(run)} - missing:
        if not weights_path(folder, teacher.id(digest)).exists():
            records.path_of(folder, teacher.id(digest)).unlink(missing_ok=True)
            missing.add(teacher)
    return [run for run in every if run in missing]


def work_through(phase: list[Run], results: Callable, at_once: int, digest: str, folder: Path, bar: tqdm) -> None:
    """Work until every run of the phase has a record, also if workers die or another sweep holds some.

    results, at_once: see `backend`."""
    lost = 0
    while phase:
        for found in results([(run, STRATEGIES[run.strategy]) for run in phase]):
            if isinstance(found, Lost):
                say(str(found))
                lost += 1
            elif found[1] is not None:
                lost = 0
                report(*found, bar)
            if lost > RETRIES * min(at_once, len(phase)):
                why = f"Workers died {lost} times without a run done in between"
                raise InputError(f"{why}: try fewer --jobs, memory may be short; {AGAIN}.")
        phase = [run for run in phase if not records.path_of(folder, run.id(digest)).exists()]
        if phase:
            time.sleep(1.0)  # held by another sweep: look again


def whole(every: list[Run], digest: str, folder: Path) -> dict[Run, dict]:
    """The records that are there. One that cannot be read is removed, with a word about it, and so made again."""
    found = {}
    for run in every:
        try:
            found[run] = records.read(folder, run.id(digest))
        except InputError as error:
            records.remove(folder, run.id(digest))
            say(f"{str(error).rstrip('.')}: that run is made again.")
    return {run: record for run, record in found.items() if record}


def test_again(found: dict[Run, dict], windows: Windows, digest: str, folder: Path) -> None:
    """Test finished networks anew, with a word about it, whose people do other things now than their records say.

    What people did is told beside their errors, but no network learns of it: a changed `activity` is no other run."""
    rows_of = cache(partial(split, windows))
    now = cache(lambda fold, kind: records.doing(windows.table.activity.iloc[rows_of(fold, kind)[1]]))
    outdated = [run for run in found if records.done_then(found[run]) not in ("", now(run.fold, run.split))]
    lost = [run for run in outdated if not kept_path(run, digest, folder).exists()]
    if outdated:
        again = f"{len(outdated) - len(lost)} networks are tested again, {len(lost)} without weights are trained again"
        say(f"The activities of the people have changed: {again}.")
    for run in outdated:
        run_id = run.id(digest)
        with files.locked(folder / "locks" / f"{run_id}.lock"):
            if run in lost:
                records.remove(folder, run_id)
                continue
            (folder / "predictions" / f"{run_id}.parquet").unlink(missing_ok=True)
            network, test = load_network(run.network, kept_path(run, digest, folder)), rows_of(run.fold, run.split)[1]
            told = {"activities": now(run.fold, run.split)} | evaluate(network.to(device()), windows, test)
            records.write(folder, run_id, found[run] | told)


@contextmanager
def backend(dask: str | None, jobs: int, common: tuple) -> Iterator[tuple[Callable, int]]:
    """Where the runs go: this process, several, or a Dask cluster; and how many are at work at once there.

    A function of tasks, the first arguments of `work`, that yields what it returns in any order, or `Lost`. common:
    its other arguments."""
    if dask is not None:
        yield partial(cluster.results, dask, work, common), 1
    elif torch.cuda.is_available():  # one process whose networks share the device
        sys.setswitchinterval(1e-4)  # seconds: a thread that only launches is not to wait for one that computes
        how = dict(backend="threading", return_as="generator_unordered", batch_size=1, pre_dispatch="all")
        threads, group = joblib.Parallel(min(jobs, AT_ONCE), **how), joblib.delayed(in_parts)
        groups = lambda tasks: threads(group(each, *common) for each in alike(tasks, common[0]))  # noqa: E731
        yield lambda tasks: (done for each in groups(tasks) for done in each), 1
    elif jobs == 1:
        yield lambda tasks: (work(*task, *common) for task in tasks), 1
    else:
        with Processes(jobs, common) as pool:
            yield lambda tasks: pool.each(work, tasks), jobs


def bar_of(missing: list[Run]) -> tqdm:
    """In a terminal a bar with the time left, in proportion to what runs cost; nothing elsewhere."""
    shown = "{percentage:3.0f}% |{bar}| {elapsed} < {remaining}{postfix}"
    return tqdm(total=sum(map(cost, missing)), bar_format=shown, disable=not (missing and sys.stderr.isatty()))


def report(run: Run, seconds: float, bar: tqdm) -> None:
    """Move the bar, or without one print a line."""
    bar.update(cost(run))
    if bar.disable:
        teacher = f" from {run.teacher}" if run.teacher else ""
        design = f" {run.design.name}" if run.design else ""
        name = f"{run.strategy} {run.student} blocks{design}{teacher}, fold {run.fold}, seed {run.seed}"
        say(name + ("" if run.split == "person" else f", {run.split}") + f": {seconds:.0f} s")


def say(text: str) -> None:
    tqdm.write(text, file=sys.stdout)
