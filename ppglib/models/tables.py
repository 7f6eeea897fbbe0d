"""A PPG alone, without labels, from a CSV or Parquet file: columns `ppg`, or `ppg1`, `ppg2`..., and `time`."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib.files import InputError

KINDS, LABELS = (".csv", ".parquet"), (".hr", ".beats", ".rr", ".ecg")


def files_in(path: Path) -> list[Path]:
    """The file itself, or the tables in a folder but for those of labels (NAME.hr.csv and so on)."""
    if path.is_file():
        return [path]
    tables = [p for p in sorted(path.glob("*")) if p.suffix in KINDS and p.is_file()]
    found = [p for p in tables if not p.stem.endswith(LABELS)]
    if not found:
        raise InputError(f"There is no file {path} and no folder of that name with CSV or Parquet files: name one.")
    return found


def read(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """PPG (channels, n) and seconds (n,), None where the file has no column `time`.

    Raises InputError for what is no table, has no such column, or holds text in one."""
    wanted = re.compile(r"time|ppg\d*")
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except Exception as error:  # parsers raise many types on damaged bytes
        why = " ".join(f"{type(error).__name__}: {error}".split())[:100]
        raise InputError(f"{path} cannot be read as a table ({why}): export it as CSV or Parquet again.") from None
    found = {name: table[name] for name in table if wanted.fullmatch(str(name))}
    if not found.keys() - {"time"}:
        has = ", ".join(map(str, table))[:100]
        raise InputError(f"{path} has no column 'ppg', nor 'ppg1', 'ppg2'...: it has {has}; rename the one of the PPG.")
    if not len(table):
        raise InputError(f"{path} holds no rows below its names: export it again.")
    for name, column in found.items():
        if not pd.api.types.is_numeric_dtype(column):
            raise InputError(f"{path}: column {name!r} holds text, expected numbers: mend or remove these rows.")
    time = found.pop("time", None)
    as_floats = [column.to_numpy(np.float64, na_value=np.nan) for column in found.values()]
    return np.array(as_floats), None if time is None else time.to_numpy(np.float64, na_value=np.nan)
