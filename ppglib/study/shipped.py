"""The models that come with the library: the family of students, for recordings whichever way the pulse points.

The open sets hold three sensors, so every recording is also learned upside down; they hold few slow pulses, and none
without motion, so some of these are learned beside them (`ppglib.study.paces`); and windows are filtered one by one, as
a device must. What a file says of errors is of networks that were trained so on two folds and tested on the recordings
as they are and upside down; the file's own network was then trained on all people."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch

from ppglib import files, models
from ppglib.fast import keep_memory
from ppglib.models.about import card, held_out, of_slowed
from ppglib.models.cut import cut
from ppglib.resnet1d import Design, ResNet1D
from ppglib.results.students import FAMILY
from ppglib.splits import split
from ppglib.study import paces, studies, tracked
from ppglib.task import HR_RANGE, LENGTH, STEP_SECONDS, WINDOW_SECONDS
from ppglib.training import predict, train
from ppglib.windows import Recording, Windows

STUDY, FOLDS, SIGNS = "open_receptive_field_family", (0, 1), (1, -1)
EPOCHS = 12  # of 2.9 times the windows: some 1.7 times the steps of the study
# Beside the recorded windows, in shares of their number, and of which pulses: the mix that `tools/mixes.py` chose.
CHOSEN = {"changed": 0.15, "simulated": 0.15, "disturbed": 0.15, "smooth": True}
LICENCE = "academic use only: the recordings (SPC 2015, BAMI-1, BAMI-2) are published for research"
log = logging.getLogger(__name__)


def windows_of(recordings: Iterable[Recording], signs: tuple[int, ...]) -> Windows:
    """All labelled windows, filtered one by one, of every recording with each sign.

    Windows across a gap, without a pulse or with a label out of range are left out."""
    parts = []
    for recording, sign in product(recordings, signs):
        ppg = sign * recording.ppg.mean(axis=0)
        time = np.arange(len(ppg)) / recording.rate if recording.time is None else recording.time
        numbers = np.arange(min(len(recording.hr), int((time[-1] - WINDOW_SECONDS) // STEP_SECONDS + 1)))
        rows, reasons = cut(time, ppg, numbers, recording.rate)
        hr = np.asarray(recording.hr, float)[: len(numbers)]
        good = (reasons == "") & (hr >= HR_RANGE[0]) & (hr < HR_RANGE[1])
        told = {"dataset": recording.dataset, "person": recording.person, "recording": f"{recording.name}{sign:+d}"}
        table = pd.DataFrame({"second": numbers * STEP_SECONDS, "hr": hr}).assign(**told)
        parts.append((rows[good], table[good]))
    rows, table = np.concatenate([part for part, _ in parts]), pd.concat([part for _, part in parts], ignore_index=True)
    table = table.assign(start=np.arange(len(table)) * LENGTH, activity="", simulated=False)
    return Windows(rows.ravel(), table, pd.DataFrame(), pd.DataFrame())


def designs() -> dict[str, Design]:
    """The family by name, in the order of its cost."""
    return dict(zip(FAMILY, sorted(studies.networks([], studies.read(STUDY).designs), key=lambda d: d.macs)))


def trained(design: Design, windows: Windows, rows: np.ndarray, fold: int) -> ResNet1D:
    """By the tuned recipe and Gaussian labels, which the tuning people preferred for four of the five (argmax)."""
    study = studies.read(STUDY)
    torch.set_num_threads(1)
    keep_memory()
    torch.manual_seed(fold)
    network = ResNet1D(**vars(design), dropout=study.dropout)
    what = {name: getattr(study, name) for name in ("rate", "schedule", "sigma")}
    return train(network, windows, rows, "gaussian", seed=fold, epochs=EPOCHS, progress=lambda _: None, **what)


def beside(windows: Windows, recordings: list[Recording], **mix) -> Windows:
    """The windows, and after them as many of changed and of disturbed recordings and of pulses as `mix` says (CHOSEN)."""
    mix, count = CHOSEN | mix, len(windows.table)
    others = windows_of((paces.changed(r, factor) for r, factor in product(recordings, paces.FACTORS)), SIGNS)
    worse = windows_of(map(paces.disturbed, recordings, range(len(recordings))), SIGNS)
    order = np.random.default_rng(0).permutation(len(worse.table))
    drawn = [np.arange(count), paces.rare(others.table, round(mix["changed"] * count))]
    parts = list(zip((windows, others, worse), [*drawn, np.sort(order[: round(mix["disturbed"] * count)])]))
    pulses, hr = paces.pulses(round(mix["simulated"] * count), mix["smooth"])
    made = pd.DataFrame({"second": 0.0, "hr": hr, "dataset": "", "person": "", "recording": "", "simulated": True})
    rows = [*(part.signal.reshape(-1, LENGTH)[at] for part, at in parts), pulses]
    table = pd.concat([*(part.table.iloc[at] for part, at in parts), made.assign(activity="")], ignore_index=True)
    table = table.assign(start=np.arange(len(table)) * LENGTH)
    return replace(windows, signal=np.concatenate(rows).ravel(), table=table)


def counts_of(everything: Windows, recorded: int) -> dict:
    """How many training windows are of each kind, in their order, and which rates (BPM) were changed to."""
    disturbed, simulated = round(CHOSEN["disturbed"] * recorded), int(everything.table.simulated.sum())
    made = {"changed": len(everything.table) - recorded - disturbed - simulated, "disturbed": disturbed, "simulated": simulated}
    return {"recorded": recorded, **made, "below": paces.SLOW, "above": paces.FAST}


def people_of(windows: Windows) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(windows.table[["dataset", "person"]])


def learned_without(design, windows: Windows, everything: Windows, fold: int, kind="person") -> tuple[ResNet1D, np.ndarray]:
    """A network that learned all but the test people of a split of `windows`, and the rows of these people.

    `windows` are the first of `everything`; of those beyond, it learned what is of the same people or simulated."""
    rows, tested = split(windows, fold, kind)
    people = people_of(everything)
    more = np.flatnonzero(people.isin(people[rows]) | everything.table.simulated)
    return trained(design, everything, np.append(rows, more[more >= len(windows.table)]), fold), tested


def held_out_probabilities(design: Design, windows: Windows, everything: Windows, fold: int) -> tuple[np.ndarray, ...]:
    """Test rows of a fold, beyond `windows` those slowed below `paces.SLOW` of the same people, and what is said of them."""
    network, tested = learned_without(design, windows, everything, fold)
    people, recorded = people_of(everything), len(windows.table)
    slowed = np.flatnonzero(people.isin(people[tested]) & (everything.table.hr < paces.SLOW))
    changed = (slowed >= recorded) & (slowed < recorded + counts_of(everything, recorded)["changed"])
    tested = np.append(tested, slowed[changed])
    return tested, predict(network, everything, tested)


def make(recordings: list[Recording], folder: Path, jobs: int = 1) -> None:
    """Train and write NAME.safetensors and NAME.md into `folder`."""
    windows = windows_of(recordings, SIGNS)
    everything = beside(windows, recordings)
    family, everyone = designs(), np.arange(len(everything.table))
    tasks = [joblib.delayed(held_out_probabilities)(d, windows, everything, f) for d in family.values() for f in FOLDS]
    tasks += [joblib.delayed(trained)(design, everything, everyone, len(FOLDS)) for design in family.values()]
    found = joblib.Parallel(n_jobs=jobs)(tasks)
    datasets, moves = sorted(windows.table.dataset.unique()), tracked.models()["network"]
    for i, name in enumerate(family):
        rows, said = map(np.concatenate, zip(*found[2 * i : 2 * i + 2]))
        table = everything.table.iloc[rows].reset_index(drop=True)
        slowed = rows >= len(windows.table)
        people = len(table[~slowed][["dataset", "person"]].drop_duplicates())
        protocol = f"Two folds by person: {people} people, each recording as it is and upside down, by networks that were "
        protocol += "trained without them."
        about = held_out(said[~slowed], table[~slowed].reset_index(drop=True), moves, protocol)
        about["error"]["slowed"] = of_slowed(said[slowed], table[slowed], about["interval"]["none"])
        about |= {"strategy": "gaussian", "teacher": "", "datasets": datasets, "licence": LICENCE}
        about |= {"windows": everything.digest(), "counts": counts_of(everything, len(windows.table))}
        models.save(found[2 * len(family) + i], folder / f"{name}.safetensors", about)
        files.write(folder / f"{name}.md", card(name, models.load(folder / f"{name}.safetensors").about).encode())
        log.info("%s: %s", name, about["error"]["rows"][-1])
