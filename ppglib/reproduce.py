"""Run the notebooks in order through papermill, and make an index of what came out."""

import ast
import html
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import papermill
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm
from traitlets.config import Config

from ppglib import files
from ppglib.files import NOTEBOOKS, InputError
from ppglib.study import studies
from ppglib.study.engine import sweep
from ppglib.study.prepare import study_windows

READING = ("02", "04", "05", "06", "08", "09")  # need no recordings and train nothing
TYPES = {"str": str, "int": int, "float": float, "bool": bool}


class NotebookError(Exception):
    """A notebook failed; the message names it, its cell and its error."""


def reproduce(
    study: str,
    data: Path | None,
    out: Path,
    only: list[str] | None = None,
    jobs: int = 1,
    dask: str | None = None,
    results: Path | None = None,
    given: dict[str, str] | None = None,
) -> Path:
    """Execute notebooks into `out`/notebooks, as .ipynb and .html, and write `out`/index.html.

    results: a folder of result tables to show instead of training; only reading notebooks run then.
    given: further notebook parameters by name, as the user typed them.
    Everything that can be checked is checked before the first notebook runs. Raises InputError for
    wrong input, and NotebookError if a notebook fails.
    """
    parsed = studies.read(study)
    if jobs < 1:
        raise InputError(f"--jobs must be at least 1, not {jobs}.")
    notebooks = select(only, READING if results else None)
    check_results(notebooks, results or out / "results")
    values = {
        "study": study if not study.endswith(".toml") else str(Path(study).resolve()),
        "data": str(data or ""),
        "out": str(out),
        "jobs": jobs,
        "results": str(results or out / "results"),
        "measure": True,
    }
    plan = parameters(notebooks, values, given or {})
    check_writable(out)
    if results is None and any(path.name[:2] in ("01", "03") for path in notebooks):
        windows = study_windows(parsed, data, out)
        if any(path.name.startswith("03") for path in notebooks):
            # Trained here and not in the notebook's kernel, so that a terminal shows the progress;
            # the notebook finds the runs done and makes the tables.
            sweep(parsed, windows, out, jobs, dask)
    execute(plan, out)
    return write_index(out)


def select(only: list[str] | None, allowed: tuple[str, ...] | None) -> list[Path]:
    """The notebooks with these two-digit numbers, or all; in order."""
    every = {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    if not every:
        raise InputError(f"No notebooks in {NOTEBOOKS}: run from a checkout of the repository.")
    for number in only or []:
        if number not in every or (allowed and number not in allowed):
            raise InputError(
                f"There is no notebook {number!r} to run here: choose from {', '.join(allowed or every)}."
            )
    return [every[number] for number in sorted(set(only or allowed or every))]


def parameters(notebooks: list[Path], values: dict, given: dict[str, str]) -> dict[Path, dict]:
    """What each notebook is given: those of `values` that it declares, and the user's own, checked."""
    declared = {path: kinds_of(path) for path in notebooks}
    known = sorted({name for kinds in declared.values() for name in kinds})
    for name in given:
        if name in values and name != "measure":
            raise InputError(f"Parameter {name} follows from the command line: use --{name}.")
        if name not in known:
            raise InputError(f"No selected notebook has a parameter {name!r}; they have {', '.join(known)}.")
    return {
        path: {name: value for name, value in values.items() if name in kinds}
        | {name: typed(name, text, kinds[name]) for name, text in given.items() if name in kinds}
        for path, kinds in declared.items()
    }


def kinds_of(path: Path) -> dict[str, str]:
    """The parameters of a notebook, and what type each is of."""
    found = papermill.inspect_notebook(str(path))
    return {name: parameter["inferred_type_name"] for name, parameter in found.items()}


def typed(name: str, text: str, kind: str):
    if kind == "str":
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None
    if kind == "float" and type(value) is int:
        value = float(value)
    if type(value) is not TYPES.get(kind, type(None)):
        raise InputError(f"Parameter {name} must be of type {kind}, not {text!r}.")
    return value


def check_writable(out: Path) -> None:
    files.write(out / ".writable", b"")
    (out / ".writable").unlink(missing_ok=True)


def check_results(notebooks: list[Path], results: Path) -> None:
    numbers = {path.name[:2] for path in notebooks}
    if (
        "03" not in numbers
        and numbers & {"04", "05", "06", "08", "09"}
        and not (results / "runs.csv").is_file()
    ):
        raise InputError(
            f"There are no results in {results}: run notebook 03 too, or name them with --results."
        )


def execute(plan: dict[Path, dict], out: Path) -> None:
    folder = out / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # PyTorch's profiler would write a line a call
    size = {path: len(nbformat.read(path, as_version=4).cells) for path in plan}
    bar = tqdm(total=sum(size.values()), unit="cell", disable=not sys.stderr.isatty())
    with bar, local_kernels() as config:
        for path, parameters in plan.items():
            bar.set_description(path.stem)
            begun = time.perf_counter()
            execute_one(path, parameters, folder, config)
            bar.update(size[path])
            if bar.disable:
                print(f"{path.stem}: {time.perf_counter() - begun:.0f} s", flush=True)


@contextmanager
def local_kernels() -> Iterator[Config]:
    """Settings for kernels that talk through sockets in a folder of the user's own, and not over TCP.

    Over TCP every program on the machine could listen, and each kernel says so. A socket's path may have
    about 100 characters, so a long temporary folder is not used. Windows keeps TCP.
    """
    config = Config()
    if not hasattr(socket, "AF_UNIX"):
        yield config
        return
    short = None if len(tempfile.gettempdir()) < 70 else "/tmp"
    with tempfile.TemporaryDirectory(prefix="ppg-", dir=short, ignore_cleanup_errors=True) as folder:
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = f"{folder}/kernel"  # sockets are named kernel-1, kernel-2, ...
        yield config


def execute_one(path: Path, parameters: dict, folder: Path, config: Config) -> None:
    target, beside = folder / path.name, folder / f".{path.name}"
    options = {"kernel_name": "python3", "progress_bar": False, "log_output": False, "config": config}
    try:
        papermill.execute_notebook(str(path), str(beside), parameters, **options)
    except PapermillExecutionError as error:
        failed = folder / f"{path.stem}.failed.ipynb"
        os.replace(beside, failed)
        raise NotebookError(
            f"{path.name} failed in cell {error.cell_index}: {error.ename}: {error.evalue} (see {failed})"
        ) from None
    notebook = nbformat.read(beside, as_version=4)
    page, _ = HTMLExporter(exclude_input_prompt=True, exclude_output_prompt=True).from_notebook_node(notebook)
    files.write(target.with_suffix(".html"), page.encode())
    os.replace(beside, target)
    (folder / f"{path.stem}.failed.ipynb").unlink(missing_ok=True)


def write_index(out: Path) -> Path:
    """index.html: every executed notebook, figure and table under `out`, as links."""
    sections = {
        "Notebooks": sorted((out / "notebooks").glob("*.html")),
        "Also rendered here": sorted(out.glob("*/index.html")),
        "Figures": sorted((out / "figures").glob("*.png")),
        "Tables": sorted([*(out / "tables").glob("*.csv"), *(out / "results").glob("*.csv")]),
    }
    body = [f"<h1>{html.escape(out.name)}</h1>"]
    for title, paths in sections.items():
        items = "".join(item(path, out) for path in paths)
        body += [f"<h2>{title}</h2><ul>{items}</ul>"] if paths else []
    style = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}img{max-width:100%}"
    page = f"<!doctype html><meta charset=utf-8><title>{html.escape(out.name)}</title><style>{style}</style>"
    files.write(out / "index.html", (page + "".join(body)).encode())
    return out / "index.html"


def item(path: Path, out: Path) -> str:
    link = html.escape(path.relative_to(out).as_posix())
    name = html.escape(path.parent.name if path.name == "index.html" else path.stem)
    image = f'<br><img src="{link}" alt="{name}">' if path.suffix == ".png" else ""
    return f'<li><a href="{link}">{name}</a>{image}</li>'
