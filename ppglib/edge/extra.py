"""Tools that the default install does not have: found, or named in one sentence; and work for several processes."""

import shutil
from collections.abc import Callable, Iterable
from importlib import import_module
from types import ModuleType

import joblib

from ppglib.files import InputError

PROGRAMS = {  # and the Debian packages that have them
    "cc": "gcc", "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi", "arm-none-eabi-size": "binutils-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}  # fmt: skip


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


def spread(jobs: int, task: Callable[..., Iterable], calls: Iterable[tuple]) -> list:
    """All that `task` yields for each of the calls, in their order, by so many processes."""
    parts = joblib.Parallel(n_jobs=jobs)(joblib.delayed(_whole)(task, call) for call in calls)
    return [found for part in parts for found in part]


def _whole(task: Callable[..., Iterable], call: tuple) -> list:
    return list(task(*call))
