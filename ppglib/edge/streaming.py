"""What it costs that a device knows no future, and what it would save to compute nothing twice.

Windows overlap by 6 of 8 s, but the networks of the family cannot keep what they computed of it: every output of their
trunk sees the whole window, its borders and, by the z-score, its mean and size; and 2 s, 50 samples, are no multiple of
their strides. `Causal` is made for it: taps reach back only, strides divide 50 samples, and each 2 s are scaled once,
by the 8 s before them. It is trained on windows like any other and then runs over whole recordings."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ppglib import files, recordings
from ppglib.edge import signal
from ppglib.edge.extra import spread
from ppglib.edge.table import STUDY, by_torch, person
from ppglib.fast import keep_memory
from ppglib.resnet1d import Design, ResNet1D
from ppglib.results.students import FAMILY
from ppglib.splits import split
from ppglib.study import studies
from ppglib.study.shipped import windows_of
from ppglib.study.studies import Study
from ppglib.task import LENGTH, RATE, STEP_SECONDS
from ppglib.training import train
from ppglib.windows import Recording, Windows, gather

HOP = round(STEP_SECONDS * RATE)  # samples between two estimates
# The second of the family, with strides whose product, 10, divides 2 s; and the dilations that see 8 s behind them.
DESIGN = Design(4, width=12, strides=(5, 1, 1, 1, 2), dilations=(1, 1, 1, 1, 1, 1, 2, 2, 2))


class Back(nn.Module):
    """A convolution whose taps reach back from a moment: all of its padding is before the first."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.before, self.conv = 2 * conv.padding[1], conv
        conv.padding = (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(nn.functional.pad(x, (self.before, 0)))


class Causal(ResNet1D):
    """A ResNet1D whose outputs do not depend on what comes later, but for the end of their own stride."""

    def __init__(self, blocks: int, dropout: float = 0.5, **design):
        super().__init__(blocks, dropout, **design)
        self.stem[0] = Back(self.stem[0])
        for block in self.blocks:
            block.conv1, block.conv2 = Back(block.conv1), Back(block.conv2)

    def trunk(self, x: Tensor) -> Tensor:
        """A recording (samples,) -> (C, moments)."""
        return self.exit(self.blocks(self.stem(x[None, None, None])))[0, :, 0]


def saved(design: Design) -> tuple[int, int, int]:
    """Multiply-accumulates every 2 s of a window computed whole and of a stream, and numbers that a stream keeps.

    Of the trunk it computes 2 of 8 s, and the head; each convolution keeps what its taps reach."""
    head = design.channels[-1] * 180
    inputs = [1, *(c for i in range(design.blocks) for c in (design.channels[i], design.channels[i + 1]))]
    reach = [(kernel - 1) * dilation for kernel, dilation in zip(design.kernels, design.dilations)]
    sums = design.channels[-1] * LENGTH // HOP  # of each 2 s, for the mean over 8 s
    return design.macs, (design.macs - head) * HOP // LENGTH + head, sum(map(int.__mul__, inputs, reach)) + sums


def designs() -> dict[str, Design]:
    """The paper's smallest network, the family and `Causal`, by name."""
    study = studies.read(STUDY)
    own = {f"{d.blocks} {d.name}": d for d in studies.networks([], study.designs)}
    return {"1": Design(1)} | {name: own[text] for name, text in FAMILY.items()} | {"Causal": DESIGN}


def causal(windows: Windows, given: list[Recording]) -> Windows:
    """The same `windows` (`windows_of` the recordings `given`), every sample of a recording filtered as it comes."""
    table, rows = windows.table, np.empty((len(windows.table), LENGTH), np.float32)
    for recording in given:
        here = (table.dataset == recording.dataset) & (table.recording == f"{recording.name}+1")
        ppg = recording.ppg.mean(axis=0)
        good = np.isfinite(ppg)
        ppg = np.interp(np.arange(len(ppg)), np.flatnonzero(good), ppg[good])
        rows[here] = signal.causal(ppg, recording.rate, (table.second[here] // STEP_SECONDS).to_numpy(int))
    return replace(windows, signal=rows.ravel())


def stream(network: Causal, windows: Windows, rows: np.ndarray) -> np.ndarray:
    """Logits (N, 180) of windows at `rows`, of a causally filtered signal, that nothing was computed twice for.

    The 2-s ends of a recording's windows, each scaled by its own 8 s, make one signal; the trunk runs over it once, and
    the head sees the mean over 8 s. Where a window is missing the stream begins anew."""
    table = windows.table.iloc[rows]
    cut = gather(windows.signal, table.start.to_numpy())
    found = np.empty((len(rows), 180), np.float32)
    places = table.reset_index(drop=True).groupby(["dataset", "recording"], sort=False).indices.values()
    for place in places:
        second = table.second.to_numpy()[place]
        for run in np.split(place, np.flatnonzero(np.diff(second) != STEP_SECONDS) + 1):
            x = np.concatenate([cut[run[0]][:-HOP], *cut[run][:, -HOP:]])
            with torch.inference_mode():
                maps = network.trunk(torch.from_numpy(x))
                size = maps.shape[1] * HOP // len(x)  # moments in 2 s
                means = maps.unfold(1, size * LENGTH // HOP, size).mean(2).T
                found[run] = network.head(means).numpy()
    return found


def main(out: Path, data: Path, jobs: int) -> None:
    """Train and test two networks on windows of both filters, two folds each, and write streaming.csv to `out`.

    Raises InputError for missing recordings."""
    study = studies.read(STUDY)
    given = [r for name in study.datasets for r in recordings.load(name, data)]
    alone = windows_of(given, (1,))
    both = {"each window": alone, "causal": causal(alone, given)}
    kinds = ((ResNet1D, designs()["small"], "each window"), (ResNet1D, designs()["small"], "causal"), (Causal, DESIGN, "causal"))
    calls = [(both, study, fold, *kind) for fold in study.folds for kind in kinds]
    files.write_table(out / "streaming.csv", pd.DataFrame(spread(jobs, rows_of, calls)))


def rows_of(both: dict[str, Windows], study: Study, fold: int, make: type[ResNet1D], design: Design, trained: str) -> Iterable[dict]:
    """Mean errors of each test person: of a network trained on windows of one filter, and tested on one or the other."""
    network = fitted(make, design, both[trained], study, fold)
    about = {"network": make.__name__, "fold": fold, "trained_on": trained}
    for tested, windows in both.items() if make is ResNet1D else [("causal", both["causal"])]:
        rows = split(windows, fold)[1]
        x = gather(windows.signal, windows.table.start.to_numpy()[rows])
        yield from person(about | {"tested_on": tested, "runs": "windows"}, by_torch(network, x), windows, rows)
    if make is Causal:
        said = stream(network, windows, rows)
        yield from person(about | {"tested_on": "causal", "runs": "stream"}, said, windows, rows)


def fitted(make: type[ResNet1D], design: Design, windows: Windows, study: Study, fold: int) -> ResNet1D:
    """A network trained on the training people of a fold, by the recipe of the study."""
    torch.set_num_threads(1)
    keep_memory()
    torch.manual_seed(fold)
    network = make(**vars(design), dropout=study.dropout)
    what = {name: getattr(study, name) for name in ("epochs", "rate", "schedule", "sigma")}
    return train(network, windows, split(windows, fold)[0], "gaussian", seed=(0, fold), progress=lambda _: None, **what)
