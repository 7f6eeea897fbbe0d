"""Finished runs on disk, one JSON each, the tidy tables that are made from them, and what made a number."""

import hashlib
import json
import os
import platform
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ppglib import files, metrics
from ppglib.files import InputError
from ppglib.splits import split
from ppglib.study.grid import Run, places, runs
from ppglib.study.studies import Study, members
from ppglib.task import DECODERS
from ppglib.windows import Windows

KEY = ["study", "recipe", "simulated", "split", "strategy", "student", "teacher", "fold", "seed"]
MEASURED = ["mae", "mae_expectation", "mae_median", "rmse", "within5", "nll", "ece", "teacher_py"]
COUNTS = ["parameters", "macs", "field", "n_train", "n_test", "people_test", "steps"]
CONSTANTS = ["epochs", "batch", "rate", "schedule", "dropout"]
MACHINE = ["precision", "device", "torch"]
DESIGNS = ["design", "teacher_design"]  # what is not as in the paper
NESTED = ["people", "reliability", "permuted"]  # tables with several rows a run
LARGEST = 1e8  # bytes of a record, which has some ten thousand
COLUMNS = ["run_id", *KEY, *DESIGNS, *MEASURED, *COUNTS, *CONSTANTS, *MACHINE]


def path_of(folder: Path, run_id: str) -> Path:
    return folder / "runs" / f"{run_id}.json"


def write(folder: Path, run_id: str, record: dict) -> None:
    """Store a record with a checksum of its content, under its final name only when it is whole.

    Whoever calls holds the lock of the run, and of its network: see `groups.work_together`."""
    content = json.dumps(record, allow_nan=False, sort_keys=True)
    whole = json.dumps({"sha256": _digest(content), "record": content}).encode()
    files.write(path_of(folder, run_id), whole, alone=True)


def read(folder: Path, run_id: str) -> dict | None:
    """The record, or None if there is none. Raises InputError if it is damaged."""
    path = path_of(folder, run_id)
    if not os.path.lexists(path):
        return None
    content = files.read(path, LARGEST)
    try:
        content = files.from_json(content)
        whole = content["sha256"] == _digest(content["record"])
        record = files.from_json(content["record"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({str(error)[:200]}).") from None
    if not whole:
        raise InputError(f"{path} is damaged (its checksum does not fit its content).")
    if not _is_record(record) or record["run_id"] != run_id:
        raise InputError(f"{path} is no record of this run.")
    return record


def doing(activities) -> str:
    """What tells one order of activities from another, of the windows of a test."""
    return _digest("\n".join(activities))


def done_then(record: dict) -> str:
    """`doing` when a network was tested; records once did not keep it. "" where it cannot be known."""
    none = not any(row.get("activity") for row in record.get("people", []))
    return record.get("activities") or (doing([""] * record["n_test"]) if none and record.get("n_test") else "")


def remove(folder: Path, run_id: str) -> None:
    """Remove what lies in the place of a record; InputError if it is a folder, or cannot be removed."""
    try:
        path_of(folder, run_id).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path_of(folder, run_id)} is in the way of a record: remove it ({error.strerror}).") from None


def _is_record(record) -> bool:
    """Whether tables can be made of it: numbers and texts, and rows of them."""
    if not isinstance(record, dict) or not isinstance(record.get("run_id"), str):
        return False
    rows = [record.get(name, []) for name in NESTED]
    flat = all(isinstance(r, list) and all(isinstance(one, dict) and _plain(one.values()) for one in r) for r in rows)
    return flat and _is_number(record.get("seconds")) and _plain(record.get(k) for k in (*COLUMNS, *KEY))


def _plain(values) -> bool:
    return all(value is None or isinstance(value, str | bool) or _is_number(value) for value in values)


def _is_number(value) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def tables(study: Study, windows: Windows, folder: Path) -> dict[str, pd.DataFrame]:
    """runs, people, reliability, permuted and timing of all finished runs of the study, in a fixed order.

    The same records give the same tables, in whatever order and by however many processes they
    were made; what varies between repetitions (seconds) is in `timing` alone."""
    digest = windows.digest()
    found = [(run, read(folder, run.id(digest))) for run in runs(study, windows)]
    finished = baselines(study, windows) + [identity(run) | record for run, record in found if record]
    runs_table = pd.DataFrame(finished).reindex(columns=COLUMNS)
    runs_table = runs_table.sort_values([*KEY, *DESIGNS], ignore_index=True, kind="stable")
    nested = {
        name: pd.DataFrame(rows)
        for name in NESTED
        if (rows := [{"run_id": r["run_id"], **row} for r in finished for row in r.get(name, [])])
    }
    took = [(r["run_id"], round(r["seconds"], 2)) for r in finished if r["student"]]
    timing = pd.DataFrame(took, columns=["run_id", "seconds"])
    order = {run_id: i for i, run_id in enumerate(runs_table.run_id)}
    by_run = dict(key=lambda ids: ids.map(order), ignore_index=True, kind="stable")
    every = nested | {"timing": timing}
    return {"runs": runs_table} | {name: every[name].sort_values("run_id", **by_run) for name in every}


def save_tables(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write each table as NAME.csv, numbers to six significant digits."""
    with files.locked(folder.parent / "locks" / f"{folder.name}.lock"):
        for name, table in tables.items():
            files.write_table(folder / f"{name}.csv", table, alone=True)


def baselines(study: Study, windows: Windows) -> list[dict]:
    """Rows for what needs no network: the mean of the training labels, and the spectral peak.

    Once for each recipe, split and fold, also where several members of a study share them."""
    rows, made = [], set()
    for member in members(study):
        for kind, fold in places(member, windows):
            if (member.recipe, kind, fold) in made:
                continue
            made.add((member.recipe, kind, fold))
            train, test = split(windows, fold, kind)
            table = windows.table.iloc[test]
            for strategy, estimate in metrics.baselines(windows, train, test).items():
                error = np.abs(estimate - table.hr.to_numpy())
                measured = metrics.measures(dict.fromkeys(DECODERS, error))
                run = Run(member.name, member.recipe, kind, strategy, 0, 0, fold, 0, ())
                counts = {"n_train": len(train), "n_test": len(test)}
                counts["people_test"] = len(table[["dataset", "person"]].drop_duplicates())
                row = {"run_id": run.id(windows.digest())} | identity(run) | metrics.summarise(measured) | counts
                row["simulated"] = bool(windows.table.simulated.any())
                rows.append(row | {"people": metrics.people_rows(measured, table)})
    return rows


def identity(run: Run) -> dict:
    """The columns of a record that say which network it is."""
    names = [name for name in KEY if name != "simulated"]
    spelled = {name: design.name if (design := getattr(run, name)) else "" for name in DESIGNS}
    cost = {"macs": run.network.macs, "field": run.network.field} if run.student else {}
    return {name: getattr(run, name) for name in names} | spelled | cost | dict(run.constants)


def device_name() -> str:
    """The GPU's name, or the processor's as its maker spells it."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else processor_name()


def processor_name() -> str:
    """The processor's name, as its maker spells it."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return capabilities.get("cpu_name") or platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """python, torch, numpy, device and cores of this machine."""
    installed = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    return installed | {"device": device_name(), "cores": str(os.cpu_count())}
