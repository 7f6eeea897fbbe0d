"""Tools that the default install does not have: found, or named in one sentence; and work for several processes."""

import io
import logging
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType

import joblib

from ppglib.files import InputError

PROGRAMS = {  # and the Debian packages that have them
    "cc": "gcc", "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi", "arm-none-eabi-size": "binutils-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}  # fmt: skip
SECONDS = 600  # that a compiler or an emulated board may take


def needed(name: str) -> ModuleType:
    """A module of the extra `edge`. InputError where it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        missing = error.name or name
        raise InputError(f"The Python package {missing} is missing: pip install 'ppglib[edge]'.") from None


def program(name: str) -> str:
    """The path of a program. InputError, with the Debian package that has it, where there is none."""
    if path := shutil.which(name):
        return path
    raise InputError(f"The program {name} is missing: apt-get install {PROGRAMS.get(name, name)}.")


def run(command: list[str]) -> str:
    """What a program says. InputError where it fails, with its reason, or does not end."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise InputError(f"{Path(command[0]).name} has not ended after {SECONDS} s: the program hangs.") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        said = next((line for line in lines if "error" in line), lines[0])
        raise InputError(f"{Path(command[0]).name} fails and says: {said}.")
    return done.stdout


@contextmanager
def quiet() -> Iterator[None]:
    """Without the many lines that the tools write."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def spread(jobs: int, task: Callable[..., Iterable], calls: Iterable[tuple]) -> list:
    """All that `task` yields for each of the calls, in their order, by so many processes."""
    whole = joblib.delayed(lambda call: list(task(*call)))
    return [found for part in joblib.Parallel(n_jobs=jobs)(map(whole, calls)) for found in part]
