"""Cheap networks that see the whole window: their front against what they cost, and five of it with names.

Both were chosen on the tuning people. Students are texts, as in `ppglib.results.fields`."""

from itertools import product
from pathlib import Path

import pandas as pd

from ppglib.results import fields, tracked
from ppglib.results.tables import Results

# By what they cost: 0.07, 0.26, 1.2, 2.1 and 3.1 MMAC.
FAMILY = {
    "tiny": "3 d1.1.1.1.1.2.2-s4.1.2.1-w8",
    "small": "4 d1.1.1.1.1.1.2.2.2-s4.1.1.1.2-w12",
    "medium": "3 d1.1.2.2.3.3.4-s2.1.2.1-w24",
    "large": "3 d1.1.2.2.3.3.4-s2.1.2.1",
    "largest": "4 d1.1.1.2.2.2.3.3.4-s2.1.1.2.1",
}
SEES, SIZES = "see the whole window", "the paper's sizes"  # kinds of networks


def front(cheap: Results, designs: Results, paper: Results) -> pd.DataFrame:
    """Cost and MAE of networks that see the whole window and of the paper's sizes, from scratch and taught by DKD.

    cheap: the front that the tuning people chose. designs: where some that see the window were taught. paper: as
    for `fields.foresight`. Columns of `fields.every`, and kind: SEES or SIZES. Teachers: the one of 12 blocks."""
    taught = fields.every(designs).query("strategy in ('scratch', 'dkd') and design != '' and teacher in ('0', '12')")
    taught = taught[taught.field >= fields.FULL]
    parts = {SEES: pd.concat([fields.table(cheap), taught]), SIZES: fields.sizes(designs, paper, ("dkd",))}
    return pd.concat([part.assign(kind=kind) for kind, part in parts.items()], ignore_index=True)


def family(results: Results, folder: Path) -> pd.DataFrame:
    """MAE of the family and of the tracked spectrum: a row a name, split, dataset ("" is all), track and decoder.

    results: of the front; folder: theirs, which holds tracked.csv. Columns of `tables.conditions`, and macs,
    parameters. "person" tests the two folds, "fifths" everyone once."""
    names = {network: name for name, network in FAMILY.items()} | {"0": "spectrum"}
    mine = results.runs.student.isin(FAMILY.values()) | (results.runs.strategy == "spectral")
    own = results._replace(runs=results.runs[mine & results.runs.strategy.isin(["gaussian", "spectral"])])
    found = []
    for dataset, decoder in product(["", *sorted(results.people.dataset.unique())], ("argmax", "median")):
        rows = tracked.conditions(own, folder, decoder, dataset)
        found.append(rows.assign(dataset=dataset, decoder=decoder, name=rows.student.map(names)))
    rows = pd.concat(found, ignore_index=True).join(fields.networks(results)[["macs", "parameters"]], on="student")
    order = rows.name.map([*FAMILY, "spectrum"].index)
    return rows.assign(order=order).sort_values("order", kind="stable", ignore_index=True).drop(columns="order")
