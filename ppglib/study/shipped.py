"""The models that come with the library: the family of students, trained for recordings of any sensor.

The open sets hold three sensors, one direction of the pulse each, and no heart rate below 60 BPM. So every recording
is also played slower and faster, with its labels, and upside down; and windows are filtered one by one, as a device
must. Nothing of this was tuned. What a file says of errors is of networks that were trained so on two folds and
tested on the recordings as they are; the file's own network was then trained on all people."""

import logging
from collections.abc import Iterable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch

from ppglib import files, models
from ppglib.fast import keep_memory
from ppglib.models.about import card, held_out
from ppglib.models.cut import cut
from ppglib.resnet1d import Design, ResNet1D
from ppglib.splits import split
from ppglib.study import studies, tracked
from ppglib.task import HR_RANGE, LENGTH, STEP_SECONDS, WINDOW_SECONDS
from ppglib.training import predict, train
from ppglib.windows import Recording, Windows

NAMES = ("tiny", "small", "medium", "large", "largest")  # of the designs of the study, from the cheapest
STUDY, FOLDS = "open_receptive_field_family", (0, 1)
SLOWER, PLAYED, EPOCHS = (0.625, 2.0), 4, 6  # times as long, log-uniform; times that each recording is so played
LICENCE = "academic use only: the recordings (SPC 2015, BAMI-1, BAMI-2) are published for research"
log = logging.getLogger(__name__)


def played(recording: Recording, slower: float, sign: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Windows (N, 200), filtered one by one, of a recording that lasts `slower` times as long, and their labels.

    Columns dataset, person, recording, second, hr (BPM, interpolated between labels). Windows without a label in
    the range, across a gap or without a pulse are left out."""
    ppg = sign * recording.ppg.mean(axis=0)
    time = np.arange(len(ppg)) / recording.rate if recording.time is None else recording.time - recording.time[0]
    time = time * slower
    numbers = np.arange(max(0, int((time[-1] - WINDOW_SECONDS) // STEP_SECONDS + 1)))
    rows, reasons = cut(time, ppg, numbers, recording.rate / slower)
    middle = (numbers * STEP_SECONDS + WINDOW_SECONDS / 2) / slower
    labels = np.arange(len(recording.hr)) * recording.step + WINDOW_SECONDS / 2
    hr = np.interp(middle, labels, recording.hr, np.nan, np.nan) / slower
    good = (reasons == "") & (hr >= HR_RANGE[0]) & (hr < HR_RANGE[1])
    told = {"dataset": recording.dataset, "person": recording.person, "recording": recording.name}
    table = pd.DataFrame({"second": numbers * STEP_SECONDS, "hr": hr}).assign(**told)
    return rows[good], table[good]


def windows_of(recordings: Iterable[Recording], seed: int | None) -> Windows:
    """All recordings as they are; with a seed also upside down, and slower and faster, either way up."""
    random, parts = np.random.default_rng(seed), []
    for recording in recordings:
        ways = [(1.0, 1)]
        if seed is not None:
            slower = np.exp(random.uniform(*np.log(SLOWER), PLAYED))
            ways += [(1.0, -1), *zip(slower, random.choice([-1, 1], PLAYED))]
        parts += [played(recording, *way) for way in ways]
    rows, table = np.concatenate([part for part, _ in parts]), pd.concat([part for _, part in parts], ignore_index=True)
    table = table.assign(start=np.arange(len(table)) * LENGTH, activity="", simulated=False)
    return Windows(rows.ravel(), table, pd.DataFrame(), pd.DataFrame())


def trained(design: Design, windows: Windows, rows: np.ndarray, fold: int) -> ResNet1D:
    """By the tuned recipe and Gaussian labels, which the tuning people preferred."""
    study = studies.read(STUDY)
    torch.set_num_threads(1)
    keep_memory()
    torch.manual_seed(fold)
    network = ResNet1D(**vars(design), dropout=study.dropout)
    what = {name: getattr(study, name) for name in ("rate", "schedule", "sigma")}
    return train(network, windows, rows, "gaussian", seed=fold, epochs=EPOCHS, progress=lambda _: None, **what)


def held_out_probabilities(design: Design, given: Windows, plain: Windows, fold: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Test windows of a fold as they are, and what a network says that was trained on its other people."""
    people = plain.table.dataset + "/" + plain.table.person
    rows = split(plain, fold)[1]
    others = ~(given.table.dataset + "/" + given.table.person).isin(set(people.iloc[rows])).to_numpy()
    network = trained(design, given, np.flatnonzero(others), fold)
    return plain.table.iloc[rows], predict(network, plain, rows)


def make(recordings: list[Recording], digest: str, folder: Path, jobs: int = 1) -> None:
    """Train and write NAME.safetensors and NAME.md into `folder`. digest: of the study's windows."""
    given, plain = windows_of(recordings, 0), windows_of(recordings, None)
    designs = dict(zip(NAMES, sorted(studies.networks([], studies.read(STUDY).designs), key=lambda d: d.macs)))
    pool = joblib.Parallel(n_jobs=jobs, return_as="list", max_nbytes="1M")
    tasks = [joblib.delayed(held_out_probabilities)(d, given, plain, f) for d in designs.values() for f in FOLDS]
    everyone = np.arange(len(given.table))
    tasks += [joblib.delayed(trained)(design, given, everyone, len(FOLDS)) for design in designs.values()]
    found = pool(tasks)
    datasets, moves = sorted(plain.table.dataset.unique()), tracked.models()["network"]
    for i, name in enumerate(designs):
        tables, said = zip(*found[2 * i : 2 * i + 2])
        people = sum(len(table[["dataset", "person"]].drop_duplicates()) for table in tables)
        protocol = f"Two folds by person: {people} people, by networks that were trained without them."
        about = held_out(np.concatenate(said), pd.concat(tables, ignore_index=True), moves, protocol)
        about |= {"strategy": "gaussian", "teacher": "", "datasets": datasets, "licence": LICENCE, "windows": digest}
        models.save(found[2 * len(designs) + i], folder / f"{name}.safetensors", about)
        files.write(folder / f"{name}.md", card(name, models.load(folder / f"{name}.safetensors").about).encode())
        log.info("%s: %s", name, about["error"]["rows"][-1])
