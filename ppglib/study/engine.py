"""Many runs: train what is missing, teachers first, in processes or on a Dask cluster.

A sweep can be killed at any moment and started again, and two sweeps can work in one folder: a
run is claimed by a file lock that the system releases when its holder dies, and it counts as
done only when its record stands whole under its final name."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import torch
from filelock import Timeout
from tqdm import tqdm

from ppglib import files, losses
from ppglib.fast import device, keep_memory, precision_of
from ppglib.files import InputError
from ppglib.gpu import ALONE, TOGETHER, own_stream
from ppglib.metrics import evaluate, permuted
from ppglib.resnet1d import ResNet1D
from ppglib.splits import split
from ppglib.strategies import DENSE, STRATEGIES, Strategy
from ppglib.study import cluster, records
from ppglib.study.grid import RECIPE, Run, runs, teachers_of
from ppglib.study.records import device_name
from ppglib.study.studies import Study
from ppglib.study.teachers import kept_path, outputs, save_network, weights_path
from ppglib.study.workers import AGAIN, Lost, Processes
from ppglib.task import to_bin
from ppglib.training import Diverged, Member, constants_of, epochs_of, samples, train_together
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
    report_damaged(every, digest, folder)
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


def work(run: Run, row: Strategy, windows: Windows, digest: str, folder: Path) -> tuple[Run, float | None]:
    """Do one run unless it is done or somebody else is doing it; seconds, or None if nothing was done."""
    return work_together([(run, row)], windows, digest, folder)[0]


def work_together(tasks: list[tuple[Run, Strategy]], windows: Windows, digest: str, folder: Path) -> list[tuple]:
    """As `work` for runs that are `alike`, whose networks are trained as one."""
    STRATEGIES.update({run.strategy: row for run, row in tasks})  # one added in the main process travels with its run
    torch.set_num_threads(1)  # also makes a result on a CPU independent of the number of jobs
    keep_memory()
    seconds = dict.fromkeys([run for run, _ in tasks])
    with ExitStack() as held, own_stream(device()):
        mine = [run for run in seconds if claimed(run, digest, folder, held)]
        taught = [outputs(run, windows, digest, folder) if run.teacher else None for run in mine]
        for run, (network, record) in zip(mine, train_runs(mine, windows, taught)):
            save_network(network, kept_path(run, digest, folder))
            # The record last: its precision is what was used, the constant's may be "auto".
            run_id, seconds[run] = run.id(digest), record["seconds"]
            records.write(folder, run_id, records.identity(run) | record | {"run_id": run_id})
    return [*seconds.items()]


def claimed(run: Run, digest: str, folder: Path, held: ExitStack) -> bool:
    """Whether the run is this process's to do, until `held` ends: not done, and nobody else is doing it."""
    try:
        held.enter_context(files.locked(folder / "locks" / f"{run.id(digest)}.lock", blocking=False))
    except Timeout:
        return False
    return not records.path_of(folder, run.id(digest)).exists()


def train_runs(runs: list[Run], windows: Windows, taught: list[dict | None]) -> Iterator[tuple[ResNet1D, dict]]:
    """Seed, network, train, record, of runs that are `alike`: each trained network, and what is kept of it.

    taught: what each teacher predicts for the fold's training samples, see `teachers.outputs`. The test windows
    are seen once, at the end."""
    if not runs:
        return
    started, members, curves, where = time.perf_counter(), [], [[] for _ in runs], device()
    for run, said, curve in zip(runs, taught, curves):
        given = dict(run.constants)
        # The same fold and seed give the same first weights and the same order of windows to every
        # strategy, so that differences between strategies are paired.
        with ALONE:
            torch.manual_seed(run.seed * 2 + run.fold)
            network = ResNet1D(**vars(run.network), dropout=given.pop("dropout"))
        used = constants_of(run.strategy, given)
        rows, _ = split(windows, run.fold, run.split)
        members.append(Member(network, rows, run.strategy, used, said or {}, (run.seed, run.fold), curve.append))
    train_together(members, windows)
    before = (time.perf_counter() - started) / len(runs)
    for run, said, curve, member in zip(runs, taught, curves, members):
        started, network, used = time.perf_counter(), member.network, member.constants
        rows, test = split(windows, run.fold, run.split)
        yield network, evaluate(network, windows, test) | {
            "permuted": permuted(network, windows, test),
            "curve": curve,
            "teacher_py": None if said is None else true_probability(said, windows, rows, run.strategy),
            "parameters": sum(p.numel() for p in network.parameters()),
            "n_train": len(rows),
            "n_test": len(test),
            "people_test": len(windows.table.iloc[test][["dataset", "person"]].drop_duplicates()),
            "steps": epochs_of(run.strategy, used) * (len(rows) // used.batch),
            "seconds": before + time.perf_counter() - started,
            "precision": precision_of(used.precision, where),
            "simulated": bool(windows.table.simulated.any()),
            "device": device_name(),
            "torch": torch.__version__,
        }


def alike(tasks: list[tuple[Run, Strategy]], windows: Windows, most: int = TOGETHER) -> list[list[tuple]]:
    """The tasks in groups, of at most so many, that can be trained as one: of one design, for as many steps.

    Those that take longest come first, for these can go on beside all others."""
    groups = {}
    for run, row in tasks:
        given = dict(run.constants)
        steps = len(split(windows, run.fold, run.split)[0]) // given["batch"]
        shared = [given.get(name) for name in (*RECIPE, *DENSE)]
        groups.setdefault((run.network, steps, *shared), []).append((run, row))
    parts = [(group, np.array_split(np.arange(len(group)), -(-len(group) // most))) for group in groups.values()]
    found = [[group[i] for i in part] for group, each in parts for part in each]
    return sorted(found, key=lambda group: -cost(group[0][0]))


def in_parts(tasks: list[tuple[Run, Strategy]], *common) -> list[tuple[Run, float | None]]:
    """As `work_together`; in halves where the GPU's memory is too short for all, or one network diverges.

    InputError for a single one, after all others are done."""
    try:
        return work_together(tasks, *common)
    except (torch.OutOfMemoryError, Diverged) as error:
        if len(tasks) == 1:
            if isinstance(error, Diverged):
                raise
            said = f"The GPU's memory is too short for {tasks[0][0].student} blocks ({error})"
            raise InputError(f"{said}: choose a smaller batch, or fewer --jobs.") from None
    with ALONE:  # nobody may record a graph now
        torch.cuda.empty_cache()
    done, failed, half = [], None, len(tasks) // 2
    for part in (tasks[:half], tasks[half:]):
        try:
            done += in_parts(part, *common)
        except InputError as error:
            failed = error
    if failed is not None:
        raise failed
    return done


def true_probability(taught: dict, windows: Windows, rows, strategy: str) -> float:
    """Mean probability that the teacher gives the true bin, over the samples that it teaches."""
    target = torch.from_numpy(to_bin(samples(windows, rows, strategy)[1]))
    return float(losses.true_probability(torch.from_numpy(np.array(taught["logits"])), target).mean())


def report_damaged(every: list[Run], digest: str, folder: Path) -> None:
    """Remove, with a word about it, records that cannot be read, so that they are made again."""
    for run in every:
        try:
            records.read(folder, run.id(digest))
        except InputError as error:
            records.remove(folder, run.id(digest))
            say(f"{str(error).rstrip('.')}: that run is made again.")


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
        threads = joblib.Parallel(min(jobs, AT_ONCE), **how)
        groups = lambda tasks: threads(joblib.delayed(in_parts)(group, *common) for group in alike(tasks, common[0]))  # noqa: E731
        yield lambda tasks: (done for group in groups(tasks) for done in group), 1
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


def cost(run: Run) -> float:
    """What a run costs, relative to others: arithmetic plus a constant for what is not arithmetic."""
    given = dict(run.constants)
    return given["epochs"] * given.get("dense_times", 1) * (run.network.macs + 2e6)


def say(text: str) -> None:
    tqdm.write(text, file=sys.stdout)
