"""Runs as they are done, alone or several as one: from the claim to the record, and which can be several."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from filelock import Timeout

from ppglib import files, losses
from ppglib.fast import device, keep_memory, precision_of
from ppglib.files import InputError
from ppglib.gpu import ALONE, TOGETHER, own_stream
from ppglib.metrics import evaluate, permuted
from ppglib.resnet1d import ResNet1D
from ppglib.splits import split
from ppglib.strategies import STRATEGIES, Strategy
from ppglib.study import records
from ppglib.study.grid import Run
from ppglib.study.records import device_name
from ppglib.study.teachers import kept_path, outputs, save_network
from ppglib.task import to_bin
from ppglib.training import Diverged, Member, constants_of, epochs_of, samples, shared, train_together
from ppglib.windows import Windows


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
    rows_of = cache(partial(split, windows))
    for run, said, curve in zip(runs, taught, curves):
        given = dict(run.constants)
        # The same fold and seed give the same first weights and the same order of windows to every
        # strategy, so that differences between strategies are paired.
        with ALONE:
            torch.manual_seed(run.seed * 2 + run.fold)
            network = ResNet1D(**vars(run.network), dropout=given.pop("dropout"))
        used = constants_of(run.strategy, given)
        rows, _ = rows_of(run.fold, run.split)
        members.append(Member(network, rows, run.strategy, used, said or {}, (run.seed, run.fold), curve.append))
    train_together(members, windows)
    before = (time.perf_counter() - started) / len(runs)
    for run, said, curve, member in zip(runs, taught, curves, members):
        started, network, used = time.perf_counter(), member.network, member.constants
        rows, test = rows_of(run.fold, run.split)
        yield network, evaluate(network, windows, test) | {
            "permuted": permuted(network, windows, test),
            "activities": records.doing(windows.table.activity.iloc[test]),
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
    groups, rows_of = {}, cache(partial(split, windows))
    for run, row in tasks:
        given = dict(run.constants)
        dropout, constants = given.pop("dropout"), constants_of(run.strategy, given)
        rows, _ = rows_of(run.fold, run.split)
        groups.setdefault((dropout, *shared(run.network, rows, run.strategy, constants)), []).append((run, row))
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


def cost(run: Run) -> float:
    """What a run costs, relative to others: arithmetic plus a constant for what is not arithmetic."""
    given = dict(run.constants)
    return given["epochs"] * given.get("dense_times", 1) * (run.network.macs + 2e6)
