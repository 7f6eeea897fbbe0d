"""How many windows a second `ppglib.heart_rate` goes through, beside neurokit2's `ppg_process` on the same signal."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ppglib import files, models, simulate
from ppglib.bench.inference import describe
from ppglib.fast import keep_memory
from ppglib.models.predict import Stream, heart_rate

RATE, MINUTES = 64, 20.0  # Hz, of a common watch; of signal
ROUNDS, WARM_UP = 7, 1
PUSH = RATE  # samples: a stream gets a second at a time


def main(out: Path, minutes: float = MINUTES, rounds: int = ROUNDS) -> Path:
    """Measure by one thread, print the table and write predict.csv into `out`.

    A row per model and way, and of neurokit2: what, windows, windows_per_s (median over rounds), low, high (the slowest
    and the fastest round), times_neurokit2 (ratio of medians), rate, minutes, rounds, versions and device. In every
    round all take turns on the same simulated signal, so that no drift of the machine falls on one of them. neurokit2
    gives a rate for each sample and is counted as if it gave one for each window."""
    import neurokit2  # slow to import

    torch.set_num_threads(1)
    keep_memory()
    signal = simulate.ppg(simulate.person(0, minutes), RATE)[0]
    windows = len(heart_rate(signal, RATE, model="tiny"))
    calls = {"neurokit2 ppg_process": lambda: neurokit2.ppg_process(signal, sampling_rate=RATE)}
    for name in models.names():
        network = models.load(name)
        calls[f"{name}, heart_rate"] = lambda network=network: heart_rate(signal, RATE, model=network)
        calls[f"{name}, Stream, a second at a time"] = lambda network=network: _streamed(network, signal)
    seconds = {what: [] for what in calls}
    for round_ in range(WARM_UP + rounds):
        print(f"round {round_ + 1} of {WARM_UP + rounds}", flush=True)
        for what, call in calls.items():
            begun = time.perf_counter()
            call()
            seconds[what].append(time.perf_counter() - begun)
    about = {"rate": RATE, "minutes": minutes, "rounds": rounds, "neurokit2": neurokit2.__version__} | describe("cpu")
    speed = {what: windows / np.array(times[WARM_UP:]) for what, times in seconds.items()}
    ends = {"windows_per_s": np.median, "low": np.min, "high": np.max}
    rows = [{"what": w, "windows": windows} | {name: of(s) for name, of in ends.items()} for w, s in speed.items()]
    table = pd.DataFrame(rows).assign(times_neurokit2=lambda t: t.windows_per_s / t.windows_per_s[0], **about)
    print(table.iloc[:, :6].to_string(index=False, float_format="{:.4g}".format))
    files.write_table(out / "predict.csv", table)
    print(f"wrote {out / 'predict.csv'}")
    return out / "predict.csv"


def _streamed(network, signal) -> None:
    stream = Stream(network, RATE)
    for at in range(0, len(signal), PUSH):
        stream.push(signal[at : at + PUSH])
