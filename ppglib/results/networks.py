"""Every network that a study tested on its people, a row each: what it is, what it costs, how it errs.

Students and teachers are texts, as in `ppglib.results.fields`. Rows are of the split by person alone: other splits
test other people, and their errors are not to be compared."""

from pathlib import Path

import numpy as np
import pandas as pd

from ppglib import files
from ppglib.results import evidence, tables, tracked
from ppglib.results.students import FAMILY
from ppglib.results.tables import BASELINES, Results
from ppglib.task import DECODERS, LENGTH, RATE
from ppglib.tracking import HOW

IS = ["recipe", "strategy", "student", "teacher"]  # a network, trained in each fold
COSTS = {"macs": "multiply-accumulates a window", "parameters": "parameters", "bytes": "bytes of float32 weights"}
COUNTED = files.ROOT / "data" / "results" / "edge" / "networks.csv"  # what a network costs on a device, whatever it learned
NAMES = {network: name for name, network in FAMILY.items()}


def studies(folder: Path) -> dict[Path, Results]:
    """The study in a folder and those in folders below it that test people as it does, the study itself first."""
    paths = sorted((path.parent for path in Path(folder).rglob("runs.csv")), key=lambda path: len(path.parts))
    every = {path: tables.load(path, designs=True) for path in paths}
    here = {*tables.judged(next(iter(every.values())).runs).split} if every else set()
    return {path: found for path, found in every.items() if here & {*tables.judged(found.runs).split}}


def catalogue(found: dict[Path, Results]) -> pd.DataFrame:
    """Columns IS, blocks, design, field (s), macs, parameters, bytes (4 a parameter), int8 and float32 (instructions), decoder,
    dataset ("" is all), mae, low, high, people, windows, seeds, simulated.

    found: as `studies` gives it. decoder: in DECODERS, or "median, online" and "median, smooth" where the study was
    tracked. What two studies have alike, a baseline say, is taken from the first."""
    parts = []
    for folder, results in found.items():
        known = costs(results)
        for dataset in ["", *sorted(results.people.dataset.unique())]:
            for rows, decoder in decoded(results, folder, dataset):
                rows = tables.judged(rows).assign(decoder=decoder, dataset=dataset)
                parts.append(rows.join(known, on="student"))
    data = pd.concat(parts, ignore_index=True).drop_duplicates([*IS, "decoder", "dataset"])
    again = data.strategy.isin(BASELINES) & data.duplicated(["strategy", "decoder", "dataset"])  # of another recipe
    data = data[~again]
    columns = [*IS, *known, "decoder", "dataset", "mae", "low", "high", "people", "windows", "seeds", "simulated"]
    return data[columns].reset_index(drop=True)


def decoded(results: Results, folder: Path, dataset: str):
    """`tables.conditions` of each decoder, and of each way of tracking, with its name."""
    for decoder in DECODERS:
        yield tables.conditions(results, decoder, dataset), decoder
    if (folder / "tracked.csv").exists():
        rows = tracked.conditions(results, folder, "median", dataset)
        for how in HOW[1:]:
            yield rows[rows["track"] == how], f"median, {how}"


def costs(results: Results) -> pd.DataFrame:
    """Of each student: blocks, design, field (s), macs, parameters, bytes, int8, float32; NaN where that is not known."""
    rows = results.runs.drop_duplicates("student").set_index("student")
    rows = rows.reindex(columns=["field", "macs", "parameters", "design"])
    rows = rows.assign(design=rows.design.fillna("").astype(str), blocks=evidence.blocks(rows.index))
    numbers = rows[["field", "macs", "parameters"]].apply(pd.to_numeric)
    rows = rows.assign(**numbers.where(rows.blocks > 0))
    rows = rows.assign(field=np.minimum(rows.field, LENGTH) / RATE, bytes=4 * rows.parameters)
    return rows.join(instructions())


def instructions(path: Path = COUNTED) -> pd.DataFrame:
    """Instructions a window on a Cortex-M4F, in int8 and float32, of each student for which they were counted."""
    if not path.is_file():
        return pd.DataFrame(columns=["int8", "float32"], dtype=float)
    table = pd.read_csv(path, dtype={"blocks": str})
    student = (table.blocks + " " + table.design.fillna("")).str.strip()
    return table.assign(student=student).pivot(index="student", columns="kind", values="Cortex-M4F").astype(float)


def named(row) -> str:
    """ "tiny", "4 blocks", "1 block, d2.9.39": of a row of the catalogue, without strategy and teacher."""
    return BASELINES.get(row.strategy) or NAMES.get(row.student) or sized(row.student)


def sized(network: str) -> str:
    """ "1 block, d2.9.39" of "1 d2.9.39"."""
    blocks, _, design = network.partition(" ")
    return f"{blocks} block" + ("" if blocks == "1" else "s") + (f", {design}" if design else "")


def learned(row) -> str:
    """ "dkd, taught by 12 blocks, recipe tuned"."""
    if row.strategy in BASELINES:
        return "no network"
    taught = f", taught by {sized(row.teacher)}" if row.teacher != "0" else ""
    return f"{row.strategy}{taught}, recipe {row.recipe}"


def choice(data: pd.DataFrame) -> pd.DataFrame:
    """Which network to take: those that no other beats at the same or a lower cost, cheapest first, then baselines.

    data: of `catalogue`. Columns IS, blocks, design, costs, and mae, low, high of each decoder, such as mae_median.
    Judged by the median and multiply-accumulates, or parameters where those are not recorded."""
    whole = data[data.dataset == ""]
    ends = whole.pivot(index=IS, columns="decoder", values=["mae", "low", "high"])
    ends.columns = [f"{name}_{decoder.rpartition(' ')[2]}" for name, decoder in ends.columns]
    about = whole.drop_duplicates(IS)[[*IS, "blocks", "design", "field", *COSTS, "people", "seeds"]]
    rows = about.merge(ends.reset_index(), on=IS)
    cost = "macs" if rows.macs.notna().any() else "parameters"
    networks = rows[~rows.strategy.isin(BASELINES)].sort_values([cost, "mae_median"], kind="stable")
    best = networks.mae_median < networks.mae_median.cummin().shift(fill_value=np.inf)
    others = rows[rows.strategy.isin(BASELINES)].drop_duplicates("strategy").sort_values("mae_median")
    return pd.concat([networks[best], others], ignore_index=True)


def counted(data: pd.DataFrame) -> int:
    """Networks of the catalogue, each trained in every fold."""
    return len(data[~data.strategy.isin(BASELINES)][IS].drop_duplicates())


def best(data: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The network and the baseline with the lowest MAE over all sets, by argmax. data: of `catalogue`, with a network in it."""
    rows = data[(data.dataset == "") & (data.decoder == "argmax")].sort_values("mae")
    is_baseline = rows.strategy.isin(BASELINES)
    return tuple(part.iloc[0] for part in (rows[~is_baseline], rows[is_baseline]))


def sets(folder: Path, results: Results) -> pd.DataFrame:
    """A row a set: dataset, people, hours, windows kept, refused; tested: people of the split by which networks are judged.

    From windows.csv; without it, people and windows of those who were tested, and no hours."""
    tested = results.people.merge(tables.judged(results.runs)[["run_id"]])
    who = ["dataset", "person", *tested.columns.intersection(["activity"])]
    once = tested.drop_duplicates(who)  # of all runs
    tested = once.groupby("dataset").agg(tested=("person", "nunique"), kept=("n", "sum"))
    path = Path(folder) / "windows.csv"
    if not path.exists():
        return tested.assign(people=tested.tested).reset_index()
    table = pd.read_csv(path).set_index("dataset")
    refused = table.drop(columns=["people", "recordings", "hours", "kept"], errors="ignore").sum(axis=1)
    rows = table.assign(refused=refused.astype(int)).reindex(columns=["people", "recordings", "hours", "kept", "refused"])
    return rows.join(tested.tested).reset_index()
