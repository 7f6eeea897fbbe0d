"""Do something in another process, and say how it ended, how long it took and how much memory it needed at most."""

import gc
import os
import re
import signal
import sys
import time
import traceback
from contextlib import contextmanager
from multiprocessing import get_context
from typing import NamedTuple

HANG = 240.0  # seconds of a clock on the wall after which a process is ended: a busy machine takes long


class Outcome(NamedTuple):
    kind: str  # "done", "refused" (an InputError), "traceback", "hang" or "died"
    said: str
    seconds: float = 0.0  # of the processor
    mb: float = 0.0  # more than before, at most


def _resident(peak: bool) -> float:
    """MB that this process holds, or held at most since `_forget`; 0 where the system does not say."""
    try:
        with open("/proc/self/status") as file:
            return int(re.search(rf"Vm{'HWM' if peak else 'RSS'}:\s+(\d+)", file.read())[1]) / 1024
    except OSError:
        return 0.0


def _forget() -> None:
    if os.path.exists("/proc/self/clear_refs"):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")


def _serve(pipe) -> None:
    from ppglib.files import InputError

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    while (task := pipe.recv()) is not None:
        function, arguments = task
        gc.collect()
        _forget()
        before, begun, said = _resident(False), time.process_time(), ""
        try:
            kind, said = "done", function(*arguments)
        except InputError as error:
            kind, said = "refused", str(error)
        except BaseException:
            kind, said = "traceback", traceback.format_exc()[-2000:]
        pipe.send(Outcome(kind, said, time.process_time() - begun, _resident(True) - before))


@contextmanager
def worker():
    """A function (function, *arguments) -> Outcome; both must be found by a fresh process. What was returned is `said`."""
    context, alive = get_context("spawn"), []

    def start():
        mine, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        alive[:] = [process, mine]

    def run(function, *arguments) -> Outcome:
        if not alive:
            start()
        process, pipe = alive
        try:
            pipe.send((function, arguments))
            if pipe.poll(HANG):
                return pipe.recv()
            outcome = Outcome("hang", f"nothing for {HANG:g} s", HANG)
        except (EOFError, OSError):
            process.join(10)
            outcome = Outcome("died", f"exit code {process.exitcode}")
        process.kill()
        process.join()
        alive.clear()
        return outcome

    try:
        yield run
    finally:
        if alive:
            alive[0].kill()
            alive[0].join()
