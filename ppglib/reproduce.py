"""Run the notebooks in order through papermill, and make pages of what came out."""

import logging
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import nbformat
import papermill
import psutil
from jupyter_client import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm
from traitlets.config import Config

from ppglib import files
from ppglib.files import NOTEBOOKS, InputError
from ppglib.study import studies
from ppglib.study.engine import sweep
from ppglib.study.prepare import study_windows
from ppglib.study.workers import AGAIN

READING = ("02", "04", "05", "06", "08", "09", "10", "11", "12")  # need no recordings and train nothing
OWN = ("02", "10", "11", "12")  # of these, do not read the results of the study
FIRST = ("03", "07")  # one writes the tables of the study, one measures this machine: others read both
KINDS = {"str": str, "int": int, "float": float, "bool": {"True": True, "False": False}.__getitem__}


class NotebookError(Exception):
    """A notebook failed; the message names it, its cell and its error."""


def reproduce(
    study: str, data: Path | None, out: Path, only=None, jobs=1, dask=None, results=None, given=None
) -> Path:
    """Execute notebooks into `out`/notebooks, and write `out`/index.html and its pages. only: numbers
    of notebooks, or all; jobs, dask: as `ppglib.study.engine.sweep`. results: a folder of result tables to
    show instead of training; only reading notebooks run then. given: further notebook parameters by name, as
    the user typed them. Raises InputError for wrong input, before the first notebook runs, and NotebookError
    if one fails."""
    parsed = studies.read(study)
    notebooks = select(only, READING if results else None)
    if not (results or only):
        for number in ("10", "11"):  # they show the committed designs and devices, which are none of the study's
            notebooks.pop(number, None)
    tables, numbers = results or out / "results", set(notebooks)
    if "03" not in numbers and numbers & {*READING} - {*OWN} and not (tables / "runs.csv").is_file():
        raise InputError(f"There are no results in {tables}: run notebook 03 too, or name them by --results.")
    name = str(Path(study).resolve()) if study.endswith(".toml") else study
    values = {"study": name, "data": str(data or ""), "out": str(out), "results": str(tables)}
    if "07" in numbers and not {"compute", "measure"} & {*(given or {})}:
        values["compute"] = str(out / "compute")  # 07 measures this machine, and 08 judges by that
    plan = parameters([*notebooks.values()], values | {"jobs": jobs, "measure": True}, given or {})
    owner = f"study {parsed.name}" if not results or results == out / "results" else f"the folder {results}"
    files.claim(out, owner, check_only=True)
    files.write(out / ".writable", b"")  # better now than after minutes
    (out / ".writable").unlink()
    if not results and numbers & {"01", "03"}:
        windows = study_windows(parsed, data, out)
        if "03" in numbers:  # here, where a terminal shows the progress; the notebook finds the runs done
            sweep(parsed, windows, out, jobs, dask)
    files.claim(out, owner)
    execute(plan, out, jobs)
    from ppglib.bench.costs import one_window
    from ppglib.results import pages  # with matplotlib, which wrong input need not wait for

    here = out / "compute"  # this machine, if notebook 07 measured it
    return pages.write(out, tables, one_window(here if here.is_dir() else files.ROOT / "data/results/compute"))


def select(only: list[str] | None, allowed: tuple[str, ...] | None) -> dict[str, Path]:
    """The notebooks with these two-digit numbers, or all, by number and in order."""
    every = {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    if not every:
        raise InputError(f"No notebooks in {NOTEBOOKS}: run from a checkout of the repository.")
    only = [number.strip().zfill(2) for number in only or []]
    for number in only:
        if number not in every or (allowed and number not in allowed):
            choices = ", ".join(allowed or every)
            raise InputError(f"There is no notebook {number!r} to run here: choose from {choices}.")
    return {number: every[number] for number in sorted(set(only or allowed or every))}


def parameters(notebooks: list[Path], values: dict, given: dict[str, str]) -> dict[Path, dict]:
    """What each notebook is given: those of `values` that it declares, and the user's own, checked."""
    declared = {path: papermill.inspect_notebook(str(path)) for path in notebooks}
    known = sorted({name for found in declared.values() for name in found})
    for name in given:
        if name in values and name != "measure":
            raise InputError(f"Parameter {name} follows from the command line: use --{name}.")
        if name not in known:
            raise InputError(f"No selected notebook has a parameter {name!r}; they have {', '.join(known)}.")
    plan = {}
    for path, found in declared.items():
        plan[path] = {name: value for name, value in values.items() if name in found}
        for name in given.keys() & found:
            kind = found[name]["inferred_type_name"]
            try:
                plan[path][name] = KINDS[kind](given[name])
            except (KeyError, ValueError):
                raise InputError(f"Parameter {name} must be of type {kind}, not {given[name]!r}.") from None
    return plan


def execute(plan: dict[Path, dict], out: Path, jobs: int = 1) -> None:
    """Run every notebook with its parameters, `jobs` at a time; a bar in a terminal, elsewhere a line a notebook.

    Those of FIRST run before the others, alone. An interrupt ends the kernels too."""
    (out / "notebooks").mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # PyTorch's profiler would write a line a call
    cells = sum(map(code_cells, plan)) + sum(map(bool, plan.values()))  # parameters are a cell of their own
    shown = "{percentage:3.0f}% |{bar}| cell {n} of {total}, {elapsed} < {remaining}{postfix}"
    bar = tqdm(total=cells, bar_format=shown, mininterval=0, disable=not sys.stderr.isatty())  # before a slow cell too

    def run(path: Path) -> None:
        begun = time.perf_counter()
        bar.set_postfix_str(path.name[:2])
        with local_kernel() as config:
            execute_one(path, plan[path], out / "notebooks", config, lambda cell, cell_index: bar.update())
        if bar.disable:
            print(f"{path.stem}: {time.perf_counter() - begun:.0f} s", flush=True)

    alone = [path for path in plan if path.name.startswith(FIRST)]
    with bar:
        list(map(run, alone))
        with one_thread_each() if jobs > 1 else nullcontext(), ThreadPoolExecutor(jobs) as pool, kernels_end(pool):
            list(pool.map(run, [path for path in plan if path not in alone]))


def code_cells(path: Path) -> int:
    return sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in nbformat.read(path, 4).cells)


@contextmanager
def kernels_end(pool: ThreadPoolExecutor) -> Iterator[None]:
    """What is in kernels is not waited for after an interrupt: they end, and no notebook begins."""
    try:
        yield
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        for name in ("papermill", "traitlets"):  # would say that kernels died
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        for process in psutil.Process().children(recursive=True):
            process.kill()
        raise


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Kernels that start now compute in one thread: several that take all cores each would wait for one another."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]
        os.environ |= {} if before is None else {"OMP_NUM_THREADS": before}


@contextmanager
def local_kernel() -> Iterator[Config]:
    """Settings for a kernel that talks through sockets in a folder of its own, which only the user can enter;
    Windows keeps TCP. Over TCP every program on the machine could listen, and each kernel says so."""
    config = Config()
    if not hasattr(socket, "AF_UNIX"):
        yield config
        return
    short = None if len(tempfile.gettempdir()) < 70 else "/tmp"  # a socket's path has about 100 characters
    with tempfile.TemporaryDirectory(prefix="ppg-", dir=short, ignore_cleanup_errors=True) as folder:
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = f"{folder}/kernel"  # sockets are named kernel-1, kernel-2, ...
        yield config


class Unheard(AsyncKernelManager):
    """Its kernels are ended, never interrupted: one that still writes its last answer would tell the terminal of it."""

    async def _async_interrupt_kernel(self) -> None:
        pass


def execute_one(path: Path, given: dict, folder: Path, config: Config, done: Callable) -> None:
    """Run one notebook into `folder`, whole or as NAME.failed.ipynb with NotebookError, or not if its kernel dies.

    `done` hears of each cell."""
    beside, failed = folder / f".{path.name}", folder / f"{path.stem}.failed.ipynb"
    how = {"kernel_name": "python3", "progress_bar": False, "config": config}
    how |= {"kernel_manager_class": Unheard, "shutdown_kernel": "immediate"}
    try:
        papermill.execute_notebook(path, beside, given, **how, on_cell_complete=done)
        os.replace(beside, folder / path.name)
        failed.unlink(missing_ok=True)
    except PapermillExecutionError as error:
        os.replace(beside, failed)
        why = f"cell {error.cell_index}: {error.ename}: {error.evalue}"
        raise NotebookError(f"{path.name} failed in {why} (see {failed})") from None
    except RuntimeError as error:
        if not str(error).startswith("Kernel"):  # "Kernel died", at its start or later, or "didn't respond"
            raise
        what = f"The kernel of {path.name} died, killed or short of memory ({error})"
        raise NotebookError(f"{what}: try fewer --jobs; {AGAIN}.") from None
    finally:
        beside.unlink(missing_ok=True)
