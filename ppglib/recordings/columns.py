"""Columns of a user's own table, CSV or Parquet: those asked for and no others, and nothing out of proportion."""

import csv
import gzip
import io

import numpy as np
import pandas as pd

from ppglib.files import LARGEST_GB, InputError, largest
from ppglib.recordings.archives import BUFFER, Member, in_proportion
from ppglib.recordings.pages import unpacked

CLOCKS = ("time", "start", "stop")
LARGEST = 2e9  # bytes, of a table as text and of the columns that are read; see `files.largest`
# Bytes that the columns of any table may take, or so many for each byte on the disk, and as text.
FREE, TIMES, TEXT_TIMES = 80e6, 8, 16
MOST_COLUMNS = 1000
LONGEST_TEXT = 100  # characters of a date or an activity
BLOCK = 100_000  # dates that are read together
FIRST_LINE, FOOTER = 1 << 16, 1 << 24  # bytes of a CSV's header and of a Parquet file's description
ZONE = r"[T ].*(?:[Zz]|[+-]\d\d(?::?\d\d)?)$"  # the end of a date that states its time zone
EPOCHS = {"nanoseconds": 1e9, "microseconds": 1e6, "milliseconds": 1e3}  # since 1970, in which loggers count
EARLIEST = 1e8  # seconds: such a clock stands after March 1973, and its milliseconds as seconds after the year 5000
NUMBER = set("0123456789+-.,:/ etz")  # what numbers and dates are made of
DATES = "seconds or dates such as 2025-01-31T12:00:00.25+01:00"


def read(member: Member, *known: str, others: dict[str, str] | None = None) -> pd.DataFrame:
    """Those columns of `known` that the table has, as float64 (`activity` as text), without rows that hold nothing.

    others: the known name of columns that have another in the file. `time`, `start` and `stop` become seconds and are
    finite; `attrs["clock"]` says what they were: seconds, or dates with or without a time zone; `attrs["notes"]` what
    was made of them; `attrs["all"]` names all columns. The index counts rows from the header's 1.
    Raises InputError for a table that is none, has no rows, is too large or holds a text that is no number."""
    table = raw(member, known, ("activity",), others)
    everything = table.attrs["all"]
    table.index = pd.RangeIndex(2, 2 + len(table))
    table = table.dropna(how="all")
    if table.empty and len(table.columns):
        raise InputError(f"{member.name} has no rows.")
    columns, clocks, notes = {}, set(), []
    for column in table:
        if column in CLOCKS:
            columns[column], clock = _seconds(member.name, column, table[column])
            clocks.add(clock)
            first = columns[column].iloc[0]  # of numbers too large for seconds: what they count since 1970
            larger = (unit for unit, in_second in EPOCHS.items() if first >= EARLIEST * in_second)
            if clock == "seconds" and (unit := next(larger, None)):
                columns[column] = columns[column] / EPOCHS[unit]
                notes.append(f"`{column}` is read as {unit} since 1970.")
        elif column == "activity":
            columns[column] = table[column].fillna("").astype(str)
        else:
            columns[column] = _numbers(member.name, column, table[column])
    if len(clocks) > 1:
        raise InputError(f"{member.name} counts time in {' and in '.join(sorted(clocks))}: choose one.")
    table = pd.DataFrame(columns)
    table.attrs = {"all": everything, "clock": next(iter(clocks), "seconds"), "notes": notes}
    return table


def raw(
    member: Member, known: tuple[str, ...], texts: tuple[str, ...] = (), others: dict[str, str] | None = None
) -> pd.DataFrame:
    """Those columns of `known` that the table has, named as there, however the file spells them; `texts` as text.

    others: as in `read`."""
    with member.open() as stream:
        parquet = member.path.lower().endswith(".parquet")
        spelled = {name.lower(): name for name in known}
        for given, name in (others or {}).items():
            spelled.pop(name, None)  # the file may have both
            spelled[given.strip().lower()] = name
        read_table = _parquet if parquet else _csv
        return read_table(member, stream, spelled, {name.lower() for name in texts}).rename(columns=spelled)


def need(member: Member, table: pd.DataFrame, *columns: str) -> None:
    """InputError if the table lacks one of the columns."""
    if lacking := [column for column in columns if column not in table]:
        has = table.attrs["all"]
        more = f" and {len(has) - 20} more" if len(has) > 20 else ""
        shown = ", ".join(one[:40] for one in has[:20])
        raise InputError(f"{member.name} has no column {lacking[0]!r}: it has {shown}{more}.")


def _csv(member: Member, stream, known, texts) -> pd.DataFrame:
    packed = member.path.lower().endswith(".gz")
    unpack = lambda file: gzip.GzipFile(fileobj=file) if packed else file  # noqa: E731
    with member.open() as first:
        text = unpack(first)
        line, size, rows, most = text.readline(FIRST_LINE).partition(b"\r")[0], 0, 0, largest(LARGEST)
        while size <= most and (block := text.read(BUFFER)):
            size, rows = size + len(block), rows + max(block.count(b"\n"), block.count(b"\r"))
    if size > most or len(line) == FIRST_LINE:
        _too_large(member, f"more than {most / 1e9:g} GB" if size > most else f"a header of {FIRST_LINE} bytes")
    separator, names = _header(member, line.decode("utf-8-sig").strip(), known, size == 0)
    at = [k for k, name in enumerate(names) if name in known]
    in_proportion(member.name, size, member.size(), FREE, TEXT_TIMES)
    in_proportion(member.name, 8 * rows * len(at), member.size(), FREE, TIMES)
    # one cell more than there are names: one beyond the header must be seen, or half a number would be read
    wide = _Under(separator * len(names) + "\n", unpack(stream))
    how = {"sep": separator, "header": 0, "skiprows": [1], "names": range(len(names) + 1), "index_col": False}
    how |= {"skip_blank_lines": False, "dtype": {k: str for k in at if names[k] in texts}}
    table = pd.read_csv(wide, usecols=[*at, len(names)], skipinitialspace=True, low_memory=False, **how)
    if (more := table.pop(len(names)).notna()).any():
        what = f"{member.name}: row {more.idxmax() + 2} has more cells than the {len(names)} that the first line names"
        do = "name all columns there, put texts with commas in quotes, and use semicolons beside decimal commas"
        raise InputError(f"{what}: {do}.")
    table.columns = [names[k] for k in at]
    for column in table if separator != "," else ():  # such tables may have a decimal comma
        if not pd.api.types.is_numeric_dtype(table[column]) and column not in texts:
            table[column] = table[column].str.replace(",", ".")
    table.attrs["all"] = names
    return table


def _header(member: Member, line: str, known, alone: bool) -> tuple[str, list[str]]:
    """The separator and the names of all columns from a CSV's first line; InputError if it names none."""
    separator = max(",;\t", key=line.count)
    names = [name.strip().lower() for name in next(csv.reader([line], delimiter=separator), [])]
    if not any(names) or names[0].startswith("sep="):
        begins = f"begins with the line {line!r}: delete it, so that the names of the columns come first."
        raise InputError(f"{member.name} {'has no rows.' if alone else begins}")
    names = names[: max(k for k, name in enumerate(names, 1) if name)]  # without separators at its end
    if len(names) > MOST_COLUMNS:
        _too_large(member, f"{len(names)} columns")
    if not known.keys() & names and set("".join(names)) <= NUMBER and any(map(str.isdigit, line)):
        needed = [name for name in sorted(known, key=known.get, reverse=True) if known[name] in ("time", "ppg", "hr")]
        add = f"add one that names its columns, such as `{separator.join(needed or known)}`"
        raise InputError(f"{member.name} has no header line: {add}.")
    _once(member, [name for name in names if name in known])
    return separator, names


class _Under(io.RawIOBase):
    """A stream under another first line, whose cells pandas counts: it reads no column that no row has."""

    def __init__(self, line: str, stream):
        self.line, self.stream = line.encode(), stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        line, self.line = self.line, b""
        return line or self.stream.read(size)


def _parquet(member: Member, stream, known, texts) -> pd.DataFrame:
    from pyarrow import parquet  # here: few need it

    stream.seek(-8, 2)
    about, mark = int.from_bytes(stream.read(4), "little"), stream.read(4)
    if mark == b"PAR1" and about > FOOTER:
        _too_large(member, f"a description of {about / 1e6:.0f} MB")
    stream.seek(0)
    schema = parquet.read_schema(stream)
    use = {name: name.strip().lower() for name in schema.names if name.strip().lower() in known}
    if len(schema.names) > MOST_COLUMNS:
        _too_large(member, f"{len(schema.names)} columns")
    _once(member, [name for name in map(str.lower, map(str.strip, schema.names)) if name in known])
    for name in use:
        if not _flat(schema.field(name).type):
            what = f"{member.name}: column {name[:LONGEST_TEXT]!r} holds {str(schema.field(name).type)[:LONGEST_TEXT]}"
            raise InputError(f"{what}, expected numbers, dates or texts.")
    texts = [name for name in use if _text(schema.field(name).type)]
    stream.seek(0)
    # texts as they are packed: a few long ones that are repeated would fill the memory
    file = parquet.ParquetFile(stream, read_dictionary=texts)
    meta, most = file.metadata, largest(LARGEST)
    groups = [meta.row_group(k) for k in range(meta.num_row_groups)]
    parts = [group.column(k) for group in groups for k in range(group.num_columns)]
    used = [part for part in parts if part.path_in_schema in use]
    size = sum(max(part.total_uncompressed_size, unpacked(stream, part)) for part in used)
    if (size := max(size, 8 * meta.num_rows * len(use))) > most:
        _too_large(member, f"{size / 1e9:.1f} GB when read")
    in_proportion(member.name, size, member.size(), FREE, TIMES)
    table = _frame(member, file.read(columns=list(use), use_threads=False), texts).rename(columns=use)
    table.attrs["all"] = [str(name).strip().lower() for name in schema.names]
    return table


def _text(kind) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind)


def _flat(kind) -> bool:
    """Whether a column has one number, date or text a row."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _flat(kind.value_type)
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)
    return number or types.is_temporal(kind) and not types.is_interval(kind) or _text(kind) or types.is_null(kind)


def _frame(member: Member, table, texts: list[str]) -> pd.DataFrame:
    """An Arrow table as a frame: numbers that Python would hold one by one as float64, days as dates."""
    import pyarrow

    for k, (name, kind) in enumerate(zip(table.column_names, table.schema.types)):
        if name in texts:
            for chunk in table.column(name).chunks:
                longest = pyarrow.compute.max(pyarrow.compute.binary_length(chunk.dictionary.cast("string"))).as_py()
                if (longest or 0) > LONGEST_TEXT:
                    raise InputError(f"{member.name}: column {name!r} holds a text of {longest} bytes: shorten it.")
        target = {True: pyarrow.float64()}.get(pyarrow.types.is_decimal(kind) or pyarrow.types.is_boolean(kind))
        target = pyarrow.timestamp("ms") if pyarrow.types.is_date(kind) else target
        if target:
            table = table.set_column(k, name, table.column(k).cast(target, safe=False))
    frame = table.to_pandas(ignore_metadata=True, split_blocks=True, self_destruct=True)
    return frame.astype(dict.fromkeys(texts, object))  # rows share what is repeated


def _once(member: Member, names: list[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{member.name} has two columns {twice[0]!r}: keep one.")


def _too_large(member: Member, what: str) -> None:
    limits = f"at most {largest(LARGEST) / 1e9:g} GB, which {LARGEST_GB} raises, and {MOST_COLUMNS} columns are read"
    raise InputError(f"{member.name} has {what}, out of proportion ({limits}): keep the columns that are needed.")


def _numbers(name: str, column: str, values: pd.Series) -> pd.Series:
    number = pd.to_numeric(values, errors="coerce")
    _refuse(name, column, values, number.isna() & values.notna(), "expected numbers")
    return number.astype(np.float64)


def _seconds(name: str, column: str, values: pd.Series) -> tuple[pd.Series, str]:
    """Seconds of each row, and on which clock."""
    clock, kind, number = "seconds", values.dtype.kind, None
    if kind != "M":
        number = values.dt.total_seconds() if kind == "m" else pd.to_numeric(values, errors="coerce")
    if kind == "M" or (number.isna() & values.notna()).any() and not number.notna().any():
        if kind == "M":
            date, zoned = pd.to_datetime(values, utc=True), pd.Series(values.dt.tz is not None, values.index)
        else:
            blocks = (values.iloc[k : k + BLOCK] for k in range(0, len(values), BLOCK))
            date, zoned = map(pd.concat, zip(*map(_dates, blocks)))
        _refuse(name, column, values, date.isna() & values.notna(), f"expected {DATES}")
        _refuse(name, column, values, (zoned != zoned.iloc[0]) & values.notna(), "with a time zone in some rows only")
        clock = "dates with a time zone" if zoned.iloc[0] else "dates without a time zone"
        number = pd.Series(date.dt.as_unit("ns").astype("int64") / 1e9, values.index).where(date.notna())
    _refuse(name, column, values, number.isna() & values.notna(), f"expected {DATES}")
    number = number.astype(np.float64)
    _refuse(name, column, None, ~np.isfinite(number), "")
    return number, clock


def _dates(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    text = values.astype(str)
    return pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce"), text.str.contains(ZONE)


def _refuse(name: str, column: str, values, wrong: pd.Series, expected: str) -> None:
    if wrong.any():
        row = wrong.idxmax()
        if values is None:
            raise InputError(f"{name}: column {column!r} is empty or not finite in row {row}.")
        raise InputError(f"{name}: column {column!r} holds text {str(values[row])[:40]!r} in row {row}, {expected}.")
