"""Runs on a Dask cluster, whose workers may come and go at any moment, and whose scheduler may go too."""

import importlib
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from uuid import uuid4

from ppglib.files import InputError
from ppglib.study.workers import AGAIN, Lost

CONNECT = 10.0  # seconds in which a scheduler must answer
PATIENCE = 60.0  # seconds without any worker, after which a sweep ends
LOOK = 2.0  # seconds between two looks at whether there are workers
GONE = OSError, CancelledError  # what a client sees of a scheduler that is gone: Dask's own errors are of these kinds


def results(address: str, function: Callable, common: tuple, tasks: list[tuple]) -> Iterator:
    """function(*task, *common) of each task, as they come, or a `Lost` for one whose workers died, or for all the rest.

    The first of `common` is large, and sent once. Dask itself gives the task of a dead worker to another.
    Raises InputError where no scheduler answers, workers lack a package, or there are none for `PATIENCE`."""
    with _connected(address) as client:
        try:
            _check(client, address, function.__module__)
            # A task, not scattered data: where the workers that hold it die, the scheduler has it made anew.
            held = client.submit(_same, common[0], key=f"windows-{uuid4().hex}")
            next(_finished(client, address, [held]))
            if held.status == "error":
                yield _result(held, address)
                return
            futures = [client.submit(function, *task, held, *common[1:], pure=False) for task in tasks]
            for future in _finished(client, address, futures):
                yield _result(future, address)
        except GONE:
            yield Lost("The Dask scheduler went away: connecting again.")


@contextmanager
def _connected(address: str):
    import dask
    from dask.distributed import Client

    try:
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:  # ValueError: an unknown scheme
        said = f"No Dask scheduler answers at {address} ({error}): check the address and start it"
        raise InputError(f"{said}; {AGAIN}.") from None
    with client, dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        yield client


def _check(client, address: str, module: str) -> None:
    """InputError if a worker lacks a package: better now than a sentence for every run."""
    for answer in client.run(importlib.import_module, module, on_error="return").values():
        if isinstance(answer, ImportError):
            _lacking(address, answer)


def _lacking(address: str, error: ImportError):
    raise InputError(f"The Dask workers of {address} lack a package ({error}): install ppglib there.") from None


def _finished(client, address: str, futures: list) -> Iterator:
    """The futures as they are done, in whatever way; InputError where there are no workers for long."""
    done = queue.SimpleQueue()
    for future in futures:
        future.add_done_callback(done.put)
    for _ in futures:
        seen = time.monotonic()  # whoever asks may have taken long over what came before
        while True:
            try:
                yield done.get(timeout=LOOK)
                break
            except queue.Empty:
                seen = time.monotonic() if client.nthreads() else seen
            if time.monotonic() - seen > PATIENCE:
                said = f"No worker is left or has come to the Dask scheduler at {address} for {PATIENCE:.0f} s"
                raise InputError(f"{said}: start workers; {AGAIN}.")


def _result(future, address: str):
    from distributed import KilledWorker

    if future.status != "error":
        return future.result()
    error = future.exception()
    if isinstance(error, KilledWorker):  # several died of it
        return Lost("Dask workers died of a run; it starts again.")
    if isinstance(error, ImportError):  # of a worker that came later
        _lacking(address, error)
    if isinstance(error, OSError):  # else it would be taken for the end of the scheduler
        said = f"A Dask worker of {address} failed in a run ({error}): let the workers see the folder and write there"
        raise InputError(f"{said}; {AGAIN}.")
    raise error


def _same(value):
    return value
