"""Worker processes that end with their parent, however that ends, and each of which dies alone.

The pools of joblib and of `concurrent.futures` break as a whole where one worker dies, and go on waiting for tasks for
minutes where their parent was killed. Here a process and its parent hold the ends of two pipes, which the system
closes with the last of either: that is how both learn of the other's death, on every system."""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

import joblib

# Ctrl-C reaches all processes of a terminal, and here it is the parent's to decide what follows (see also `_deaf`).
SERVE = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from ppglib.study.workers import serve; serve()"
AGAIN = "finished runs are kept, start again to go on"


class Lost(Exception):
    """A worker died of its task, or during it: a sentence."""


class Processes(ThreadPoolExecutor):
    """An executor of `jobs` processes of one thread each, whose tasks are called with `common` after their arguments.

    `common` is sent to each process once. A process that dies is replaced, and its task raises `Lost`. Leaving the
    `with` ends all processes, also those at work."""

    def __init__(self, jobs: int, common: tuple = ()):
        super().__init__(jobs, initializer=_deaf)
        self._common, self._own, self._lock = _packed(common), threading.local(), threading.Lock()
        self._started: list[subprocess.Popen] = []
        self._closed = False

    def submit(self, function, /, *arguments) -> Future:
        """function(*arguments, *common) in one of the processes; all must be picklable, lambdas may be among them."""
        return super().submit(self._ask, function, arguments)

    def each(self, function, tasks: list[tuple]) -> Iterator:
        """What `submit` gives for each task, in the order of their ends; `Lost` where a process died."""
        for future in as_completed([self.submit(function, *task) for task in tasks]):
            lost = future.exception()
            yield lost if isinstance(lost, Lost) else future.result()

    def _ask(self, function, arguments: tuple):
        """In a thread, which has a process of its own."""
        if not hasattr(self._own, "process"):
            self._own.process = self._start()
        process = self._own.process
        try:
            _send(process.stdin, (function, arguments))
            done, value = pickle.loads(pickle.load(process.stdout))
        except (EOFError, OSError, pickle.UnpicklingError):  # its end of a pipe is closed, or within a message
            del self._own.process
            process.kill()
            process.wait()
            raise Lost("A worker was killed; its run starts again.") from None
        if not done:
            raise value
        return value

    def _start(self) -> subprocess.Popen:
        path = os.pathsep.join(place or os.getcwd() for place in sys.path)
        environment = os.environ | {"PYTHONPATH": path} | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        command, pipes = [sys.executable, "-P", "-c", SERVE], {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with self._lock:
            if self._closed:
                raise Lost("The workers have ended.")
            process = subprocess.Popen(command, env=environment, **pipes)
            self._started.append(process)
        try:
            process.stdin.write(self._common)
        except OSError:  # it died already: the answer that does not come says so
            pass
        return process

    def __exit__(self, *_):
        with self._lock:
            self._closed = True
        for process in self._started:
            process.kill()
        self.shutdown(cancel_futures=True)
        for process in self._started:
            process.communicate()


def _deaf() -> None:
    """Processes that this thread starts hear of no Ctrl-C from their first moment on, not only once they serve."""
    if hasattr(signal, "pthread_sigmask"):  # Windows has none
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def serve() -> None:
    """What a worker process does: one task after the other, from standard input, until its parent's end is closed."""
    answers, tasks = os.fdopen(os.dup(1), "wb"), queue.SimpleQueue()
    os.dup2(2, 1)  # what is printed goes another way

    def listen() -> None:  # in a thread, so that the end of the parent is noticed at work too
        try:
            while True:
                tasks.put(pickle.load(sys.stdin.buffer))
        finally:
            os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    common = pickle.loads(tasks.get())
    while True:
        try:
            function, arguments = pickle.loads(tasks.get())
            answer = True, function(*arguments, *common)
        except Exception as error:
            answer = False, error
        _send(answers, answer)


def _packed(value) -> bytes:
    """A message: a pickle as bytes within a pickle, so that it can be read as a whole before it is understood."""
    return pickle.dumps(pickle.dumps(joblib.wrap_non_picklable_objects(value, keep_wrapper=False)))


def _send(stream, value) -> None:
    stream.write(_packed(value))
    stream.flush()
