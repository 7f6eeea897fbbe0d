"""The models that come with the library: the family of students, for heart rates and sensors that no set holds.

They learn from recordings as they are and as they might have been (`ppglib.study.augment`), in any direction, filtered
window by window as a device must. What a file says of errors is of networks that were trained so on two folds and tested
on the recordings as they are and upside down; the file's own network was then trained on all people."""

import logging
import warnings
from pathlib import Path

import joblib
import numpy as np
import torch

from ppglib import files, models
from ppglib.fast import keep_memory
from ppglib.models.about import card, held_out
from ppglib.resnet1d import Design, ResNet1D
from ppglib.results.students import FAMILY
from ppglib.splits import split
from ppglib.study import studies, tracked
from ppglib.study.augment import augmented, windows_of
from ppglib.task import decode
from ppglib.training import predict, train
from ppglib.windows import Recording, Windows

STUDY, FOLDS = "open_receptive_field_family", (0, 1)
EPOCHS, PLAIN_EPOCHS = 3, 12  # either way each window is seen 24 times, half of them upside down
STILL = tuple(range(40, 205, 5))  # BPM
LICENCE = "academic use only: the recordings (SPC 2015, BAMI-1, BAMI-2) are published for research"
log = logging.getLogger(__name__)


def trained(design: Design, windows: Windows, rows: np.ndarray, epochs: int, seed: int) -> ResNet1D:
    """By the tuned recipe and Gaussian labels, which the tuning people preferred for four of the five (argmax)."""
    study = studies.read(STUDY)
    torch.set_num_threads(1)
    keep_memory()
    torch.manual_seed(seed)
    network = ResNet1D(**vars(design), dropout=study.dropout)
    what = {name: getattr(study, name) for name in ("rate", "schedule", "sigma")}
    return train(network, windows, rows, "gaussian", seed=seed, epochs=epochs, progress=lambda _: None, **what)


def held_out_probabilities(design: Design, learned: Windows | None, windows: Windows, fold: int) -> np.ndarray:
    """What a network says of the test rows of a fold: it learned from `learned`, or (None) the other rows alone."""
    rows, tested = split(windows, fold)
    if learned is None:
        return predict(trained(design, windows, rows, PLAIN_EPOCHS, fold), windows, tested)
    return predict(trained(design, learned, np.arange(len(learned.table)), EPOCHS, fold), windows, tested)


def still_errors(network: ResNet1D) -> dict[str, list[float]]:
    """How far a network errs where someone keeps still: "bpm", and "error", the mean over windows, in BPM.

    neurokit2 simulates the pulses, in both directions; what the network learned from is of another generator."""
    import neurokit2  # slow to import

    made = []
    for bpm, sign in ((bpm, sign) for bpm in STILL for sign in (1, -1)):
        about = {"duration": 60, "sampling_rate": 50, "heart_rate": bpm, "random_state": bpm, "frequency_modulation": 0.02}
        with warnings.catch_warnings(action="ignore"):
            signal = neurokit2.ppg_simulate(**about, ibi_randomness=0.02, drift=0.5, powerline_amplitude=0.01)
        made.append(Recording("neurokit2", str(bpm), str(bpm), sign * np.asarray(signal)[None], 50.0, np.full(27, float(bpm))))
    windows = windows_of(made)
    found = decode(predict(network, windows, np.arange(len(windows.table))), "median")
    error = np.abs(found - windows.table.hr).groupby(windows.table.hr).mean()
    return {"bpm": list(STILL), "error": error.round(4).tolist()}


def make(recordings: list[Recording], folder: Path, jobs: int = 1) -> None:
    """Train and write NAME.safetensors and NAME.md into `folder`."""
    windows = windows_of(recordings, (1, -1))
    designs = dict(zip(FAMILY, sorted(studies.networks([], studies.read(STUDY).designs), key=lambda d: d.macs)))
    learned = [augmented(of_fold(recordings, windows, fold), fold) for fold in FOLDS]
    everyone = augmented(recordings, len(FOLDS))
    tasks = [joblib.delayed(held_out_probabilities)(d, learned[f], windows, f) for d in designs.values() for f in FOLDS]
    tasks += [joblib.delayed(held_out_probabilities)(d, None, windows, f) for d in designs.values() for f in FOLDS]
    last = everyone, np.arange(len(everyone.table)), EPOCHS, len(FOLDS)
    tasks += [joblib.delayed(trained)(design, *last) for design in designs.values()]
    found = joblib.Parallel(n_jobs=jobs)(tasks)
    for i, name in enumerate(designs):
        said, plain = (np.concatenate(found[2 * k : 2 * k + 2]) for k in (i, i + len(designs)))
        plain = told(plain, windows)["error"]["rows"]
        write(folder, name, found[4 * len(designs) + i], said, plain, windows, everyone.digest())


def of_fold(recordings: list[Recording], windows: Windows, fold: int) -> list[Recording]:
    """The recordings of the people whom a fold trains on."""
    people = set(windows.table.iloc[split(windows, fold)[0]][["dataset", "person"]].itertuples(index=False, name=None))
    return [recording for recording in recordings if (recording.dataset, recording.person) in people]


def told(said: np.ndarray, windows: Windows) -> dict:
    """What `held_out` finds in the probabilities of the test rows of all folds."""
    rows = np.concatenate([split(windows, fold)[1] for fold in FOLDS])
    table = windows.table.iloc[rows].reset_index(drop=True)
    people = len(table[["dataset", "person"]].drop_duplicates())
    protocol = f"Two folds by person: {people} people, each recording as it is and upside down, by networks that were "
    return held_out(said, table, tracked.models()["network"], protocol + "trained without them.")


def write(folder: Path, name: str, network: ResNet1D, said: np.ndarray, plain: list[dict], windows: Windows, digest: str) -> None:
    """One model and its card. said: as for `told`. plain: the rows of errors without augmentation."""
    about = told(said, windows) | {"strategy": "gaussian", "teacher": "", "licence": LICENCE, "windows": digest}
    about |= {"datasets": sorted(windows.table.dataset.unique()), "still": still_errors(network), "plain": plain}
    models.save(network, folder / f"{name}.safetensors", about)
    files.write(folder / f"{name}.md", card(name, models.load(folder / f"{name}.safetensors").about).encode())
    log.info("%s: %s", name, about["error"]["rows"][-1])
