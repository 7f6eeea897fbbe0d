"""How far a study's networks err when their predictions are tracked over consecutive windows (`ppglib.tracking`).

One model serves all networks, because on the tuning people one for each would gain nearly nothing; the spectrum, which
is no probability of a heart rate, has its own. Both are the chosen rows of tracking.csv, which `fit` makes from
networks that were trained without the people they are fitted on: `splits.TUNING`, whom no fold of the split by person
tests. The five folds of "fifths" test everyone, so also those ten: there the few constants have seen a sixth of the
people, the networks none."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib import files, metrics, tracking
from ppglib.fast import device
from ppglib.files import InputError
from ppglib.splits import TUNING, split
from ppglib.study import grid, records
from ppglib.study.studies import Study
from ppglib.study.teachers import kept_path, load_network
from ppglib.tracking import Model
from ppglib.training import predict
from ppglib.windows import Windows, gather

FITTED = files.ROOT / "data/results/open/receptive_field/tracking.csv"
log = logging.getLogger(__name__)


def table(study: Study, windows: Windows, folder: Path) -> pd.DataFrame:
    """run_id, track, dataset, person, n and the mean error (BPM) of each decoder, of every network with kept weights.

    The spectrum stands under the run_id of its baseline. Networks predict anew here: on another device than that of
    their records "none" may differ from people.csv by some thousandths, argmax by hundredths. Raises InputError if
    no weights are kept or some are damaged."""
    fitted, found = models(), []
    for run_id, what, kind, fold, probabilities in predictions(study, windows, folder):
        tested = windows.table.iloc[split(windows, fold, kind)[1]]
        segments = tracking.segments(tested)
        for how in tracking.HOW:
            tracked = tracking.track(probabilities, segments, fitted[what], how)
            rows = metrics.errors_of_people(tracked, tested)
            found.append(pd.DataFrame(rows).assign(run_id=run_id, track=how))
    every = pd.concat(found, ignore_index=True)
    return every[["run_id", "track", *every.columns.drop(["run_id", "track"])]]


def fit(study: Study, windows: Windows, folder: Path) -> pd.DataFrame:
    """All models tried on the study's test people, columns of `tracking.fit`, for what: network (all) and spectrum.

    Raises InputError unless the study tests the tuning people alone, and for weights as `table` does."""
    if list(study.splits) != [TUNING]:
        raise InputError(f"Study {study.name} tests other people than those of {TUNING}: name one of that split alone.")
    tested, given = windows.table.iloc[split(windows, 0, TUNING)[1]], {}
    for _, what, *_, probabilities in predictions(study, windows, folder):
        given.setdefault(what, []).append(probabilities)
    tried = {what: tracking.fit(several, tested) for what, several in given.items()}
    return pd.concat(tried, names=["what"]).reset_index("what")


def models() -> dict[str, Model]:
    """The chosen models of "network" and "spectrum"."""
    fitted = pd.read_csv(FITTED).query("chosen").set_index("what")
    return {what: Model(*row) for what, row in zip(fitted.index, fitted[[*Model._fields]].to_numpy())}


def predictions(study: Study, windows: Windows, folder: Path) -> Iterator[tuple[str, str, str, int, np.ndarray]]:
    """Of each finished network with weights, then of the spectrum: run_id, what, split, fold, test probabilities."""
    digest = windows.digest()
    finished = [run for run in grid.runs(study, windows) if records.path_of(folder, run.id(digest)).exists()]
    kept = [run for run in finished if kept_path(run, digest, folder).exists()]
    if not kept:
        lack = f"None of the {len(finished)} finished runs of {study.name} has its weights in {folder}/students"
        older = "older records came without; remove them from runs/ to have them trained again"
        raise InputError(f"{lack}: sweep first ({older}).")
    log.info("%s: %d of %d finished networks have kept their weights", study.name, len(kept), len(finished))
    for run in kept:
        network = load_network(run.network, kept_path(run, digest, folder)).to(device())
        rows = split(windows, run.fold, run.split)[1]
        yield run.id(digest), "network", run.split, run.fold, predict(network, windows, rows)
    for row in records.baselines(study, windows):
        if row["strategy"] == "spectral":
            start = windows.table.start.to_numpy()[split(windows, row["fold"], row["split"])[1]]
            power = metrics.spectral_probabilities(gather(windows.signal, start))
            yield row["run_id"], "spectrum", row["split"], row["fold"], power
