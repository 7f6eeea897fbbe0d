"""A look at recordings that nothing was trained, tuned or chosen on: how far the models that ship err there.

A phone's camera at rest, a wrist in heavy motion and stairs. The table is made once for each set of models, after all
choices; a model that is changed because of it has lost its test. data/README.md keeps what earlier looks found."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from ppglib import models, recordings
from ppglib.models.evaluate import BASELINES, of_recording
from ppglib.results import agreement
from ppglib.results.students import FAMILY

# name: folder under the root, dataset in it
SETS = {"welltory": ("external/welltory", "own"), "wrist": ("external/wrist", "own"), "dalia_s6_stairs": ("", "dalia_s6_stairs")}
KEPT = ["people", "windows", "without", "mae", "mae_low", "mae_high", "bias", "within_5", "in_band"]


def table(root: Path) -> pd.DataFrame:
    """dataset, method (a model, by its median and untracked, or a baseline) and KEPT, as `ppglib.results.agreement.table` has them.

    root: the folder that holds those of SETS. Raises InputError as `ppglib.recordings.load` does."""
    networks, found = {name: models.load(name) for name in FAMILY}, []
    for name, (folder, dataset) in SETS.items():
        for recording in recordings.load(dataset, root / folder):
            said = [of_recording(replace(recording, dataset=name), network, model) for model, network in networks.items()]
            found.append(said)
    parts = []
    for i, model in enumerate(FAMILY):  # the first method of a table is the model whose band is looked at
        predictions = pd.concat([said[i] for said in found], ignore_index=True)
        parts.append(agreement.table(predictions, [model, *(BASELINES if i == 0 else [])]))
    rows = pd.concat(parts, ignore_index=True).query("person == @agreement.ALL and activity == @agreement.ALL")
    order = rows.dataset.map([*SETS].index)
    return rows.assign(order=order).sort_values("order", kind="stable", ignore_index=True)[["dataset", "method", *KEPT]]
