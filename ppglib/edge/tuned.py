"""int8 that was trained for: a few more epochs in which every number is rounded as int8 rounds it, and the two choices about
int8, both made on the tuning people (`splits.TUNING`, whom neither fold tests) with networks that were trained without them.

The choices: whether the head is rounded, and for how many epochs and at which rate a network is trained on."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ppglib import files
from ppglib.edge import host, table
from ppglib.edge.extra import spread
from ppglib.edge.graph import INPUT, OUTPUT, Folded, Op
from ppglib.fast import Dropout, keep_memory
from ppglib.metrics import errors_of_people
from ppglib.results.students import FAMILY
from ppglib.splits import TUNING, split
from ppglib.study import engine, grid, studies
from ppglib.study.grid import Run
from ppglib.study.studies import Study
from ppglib.training import train
from ppglib.windows import Windows, gather

EPOCHS, RATE = 3, 1e-4  # with the least MAE (argmax, mean over the networks) of what was `tried`
TRIED_EPOCHS, TRIED_RATES = (1, 3), (1e-5, 1e-4)
TRIED_ON = ("tiny", "small", "medium", "large")  # of the family: the largest would take as long as these together
TUNED_ON = ("tiny", "small", "large")  # likewise, what is fine-tuned to choose epochs and rate
HEADS = ("as it is", "weights", "weights and logits")  # what of the head is rounded
TUNED = "fine-tuned"  # kind of errors, beside those of `table.errors`


class Rounded(Folded):
    """The operations in PyTorch, every number rounded as int8 rounds it: weights by a step a filter, maps by one a map, biases
    by the steps of the sums.

    Gradients pass through the rounding as if it were not there, but not where a map is cut off. `drawn`: windows (N, 200)
    of training people, whose least and largest numbers are the ends of the maps, as in the export. head: one of HEADS.
    dropout: in training, where the network had it. `ppglib.train` trains it like a network."""

    def __init__(self, ops: list[Op], drawn: np.ndarray, head: str = HEADS[0], dropout: float = 0.0):
        super().__init__(ops)
        self.drawn, self.head, self.dropout = torch.from_numpy(drawn)[:, None], head, Dropout(dropout)
        self.blocks = [op for op in ops if op.kind == "add"]  # as a network has them
        self.calibrate()

    @torch.no_grad()
    def calibrate(self) -> None:
        """The ends of all maps by the weights that are here now, in float32."""
        self.ends = {}
        for name, x in Folded(self.operations()).maps(self.drawn).items():
            if name != OUTPUT or self.head == HEADS[2]:
                low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
                step = float(np.float32((high - low) / 255)) or 1.0
                self.ends[name] = step, int(np.rint(-128 - low / step))

    def operations(self) -> list[Op]:
        """The operations with the weights that are here now, to be exported."""
        now = lambda parameters, name: parameters[name].detach().numpy().copy() if name in parameters else None  # noqa: E731
        return [replace(op, weight=now(self.weights, op.output), bias=now(self.biases, op.output)) for op in self.ops]

    def steps(self, op: Op) -> Tensor | None:
        """Of the weights of each filter; None where they are not rounded."""
        whole = op.output == OUTPUT and self.head == HEADS[0]
        return None if whole else (self.weights[op.output].detach().abs().amax((1, 2)) / 127).clamp_min(1e-30)

    def weight(self, op: Op) -> Tensor:
        weight, steps = self.weights[op.output], self.steps(op)
        if steps is None:
            return weight
        return torch.fake_quantize_per_channel_affine(weight, steps, torch.zeros(len(steps), dtype=torch.int32), 0, -127, 127)

    def bias(self, op: Op) -> Tensor:
        bias, steps = self.biases[op.output], self.steps(op)
        if steps is None:
            return bias
        steps = steps * self.ends[op.inputs[-1]][0]  # of the sums
        return bias + ((bias / steps).round() * steps - bias).detach()

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        return super().maps(self.rounded(INPUT, x))

    def run(self, op: Op, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        x = self.rounded(op.output, super().run(op, x, shortcut))
        return self.dropout(x) if op.relu and op.output not in ("stem", "exit") else x

    def rounded(self, name: str, x: Tensor) -> Tensor:
        """A map in the steps of its ends."""
        return torch.fake_quantize_per_tensor_affine(x, *self.ends[name], -128, 127) if name in self.ends else x

    def feature_map(self, x: Tensor) -> Tensor:
        """Logits: all that a loss without a teacher looks at."""
        return self(x)

    def classify(self, logits: Tensor) -> Tensor:
        """The same."""
        return logits


def fine_tune(rounded: Rounded, windows: Windows, rows: np.ndarray, sigma: float, seed: int, epochs: int, rate: float, each: Callable) -> Rounded:
    """Train on the windows at `rows` by Gaussian labels, as before but at a small constant rate.

    After each epoch the ends of the maps are found anew, and `each` is called with its number."""
    torch.set_num_threads(1)
    keep_memory()
    torch.manual_seed(seed)
    epoch = count(1)

    def after(_) -> None:
        rounded.eval().calibrate()
        each(next(epoch))

    what = {"epochs": epochs, "rate": rate, "schedule": "constant", "sigma": sigma, "precision": "float32"}
    return train(rounded, windows, rows, "gaussian", seed=seed, progress=after, **what)


def main(out: Path, study: Study, windows: Windows, work: Path, jobs: int) -> None:
    """Write tuning.csv, what was tried on the tuning people, and tuned.csv, what the choice brings on the test people."""
    family = {table.name_of(design): design for design in studies.networks([], study.designs)}
    tried_on = [grid.make_run(study, TUNING, "gaussian", family[name], None, 0, 0) for name in TRIED_ON]
    engine.complete(f"{study.name}, tuning people", tried_on, windows, work, jobs)
    tested = [run for run in grid.runs(study) if table.name_of(run.network) in FAMILY]
    for name, task, runs in (("tuning", tried, tried_on), ("tuned", tested_rows, tested)):
        runs = sorted(runs, key=lambda run: -run.network.macs)  # the longest first
        rows = spread(jobs, task, [(run, study, windows, work) for run in runs])
        files.write_table(out / f"{name}.csv", pd.DataFrame(rows))


def tried(run: Run, study: Study, windows: Windows, work: Path) -> list[dict]:
    """Mean errors of the tuning people in float32, in int8 with each of HEADS, and of TUNED_ON after so many epochs at each rate."""
    student, (train_rows, test_rows) = table.made(run, windows, work), split(windows, run.fold, run.split)
    x = gather(windows.signal, windows.table.start.to_numpy()[test_rows])
    found = []

    def keep(network, head: str, epochs: int, rate: float) -> None:
        about = {"network": student.name, "head": head, "epochs": epochs, "rate": rate}
        found.extend(about | row for row in errors_of_people(table.shares(table.by_torch(network, x)), windows.table.iloc[test_rows]))

    keep(student.network, "float32", 0, 0.0)
    for head in HEADS:
        keep(Rounded(student.ops, student.drawn, head), head, 0, 0.0)
    for rate in TRIED_RATES if student.name in TUNED_ON else ():
        rounded = Rounded(student.ops, student.drawn, dropout=study.dropout)
        each = lambda epoch, n=rounded, r=rate: keep(n, n.head, epoch, r) if epoch in TRIED_EPOCHS else None  # noqa: E731
        fine_tune(rounded, windows, train_rows, study.sigma, run.fold, max(TRIED_EPOCHS), rate, each)
    return found


def tested_rows(run: Run, study: Study, windows: Windows, work: Path) -> list[dict]:
    """Mean errors of the fold's test people: in float32, in int8, and in int8 after fine-tuning on its training people.

    int8 is the C code on this machine, as in `table.errors`."""
    student, (train_rows, test_rows) = table.made(run, windows, work), split(windows, run.fold, run.split)
    rounded = Rounded(student.ops, student.drawn, dropout=study.dropout)
    fine_tune(rounded, windows, train_rows, study.sigma, run.fold, EPOCHS, RATE, lambda _: None)
    x = gather(windows.signal, windows.table.start.to_numpy()[test_rows])
    said = {"float32": table.by_torch(student.network, x), "int8": host.predict(student.c["int8"], x)}
    said[TUNED] = host.predict(table.int8_code(rounded.operations(), student.drawn), x)
    found = []
    for kind, logits in said.items():
        about = {"network": student.name, "fold": run.fold, "kind": kind}
        found += [about | row for row in errors_of_people(table.shares(logits), windows.table.iloc[test_rows])]
    return found
