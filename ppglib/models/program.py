"""`python -m ppglib predict`: from files of PPG to a table of heart rates, a summary and figures."""

import io
import re
from pathlib import Path

import pandas as pd

from ppglib import files, models
from ppglib.files import InputError
from ppglib.models.predict import heart_rate
from ppglib.models import tables as reader
from ppglib.models.tables import ENDING
from ppglib.recordings.columns import EARLIEST

EARLIER = re.compile(rb"(file,)?start,end,hr,")  # the header of what an earlier call wrote


def main(path: Path, model: str, track: str, rate: float | None, ppg: str, time: str, out: Path | None, plot: bool) -> None:
    """Predict every file, print a line for each, write `out` and with `plot` a PNG for each beside it.

    rate, ppg, time: as `ppglib.models.tables.read`. out: by default NAME.heart_rate.csv here.
    Raises InputError for a file that is no PPG, and then writes nothing."""
    network, tables, clocks = models.load(model), {}, {}
    out = out or Path(f"{ENDING.sub('', path.resolve().name)}.heart_rate.csv")
    if out.suffix.lower() != ".csv":
        raise InputError(f"--out {out} is no CSV, which is what is written: let its name end in .csv.")
    if out.exists():
        with files.opened(out) as there:
            if not EARLIER.match(there.read(64)):
                raise InputError(f"--out {out} is there, and no heart rates of an earlier call: name another file.")
    low, high = network.about["range"]
    far = "at other heart rates, at rest above all, it can be far off"
    print(f"{model} was tested at {low:.0f} to {high:.0f} BPM: {far}.")
    for file in reader.files_in(path):
        if file.resolve() == out.resolve():
            continue
        signal = reader.read(file, rate, ppg, time)
        try:
            tables[file.name] = heart_rate(signal.ppg, signal.rate, signal.time, network, track)
        except InputError as error:
            raise InputError(f"{file}: {error}") from None
        clocks[file.name] = signal.clock
        print(" ".join([f"{file.name}: {summary(tables[file.name])}.", *signal.notes]))
    if not tables:
        raise InputError(f"There is nothing to predict in {path}: put CSV or Parquet files with a column 'ppg' there.")
    shown = [table.assign(file=name, **told(table, clocks[name])) for name, table in tables.items()]
    whole = pd.concat(shown, ignore_index=True)
    files.write_table(out, whole[["file", *whole.columns[:-1]]] if path.is_dir() else whole.drop(columns="file"))
    print(f"wrote {out}")
    for name, table in tables.items() if plot else ():
        png = out.with_name(f"{out.stem}.{name}.png") if path.is_dir() else out.with_suffix(".png")
        files.write(png, figure(table, clocks[name], network.about["range"]))
        print(f"wrote {png}")


def told(table: pd.DataFrame, clock: str) -> dict[str, pd.Series]:
    """Start and end as text: seconds to the last digit, or dates as in the file, in UTC if those state a time zone."""
    if clock == "seconds":
        return {name: table[name].map("{:.13g}".format) for name in ("start", "end")}
    zone = "Z" if clock == "dates with a time zone" else ""
    return {name: table[name].map(lambda at: date(at).isoformat(timespec="milliseconds") + zone) for name in ("start", "end")}


def date(seconds: float) -> pd.Timestamp:
    return pd.to_datetime(round(1000 * seconds), unit="ms")


def summary(table: pd.DataFrame) -> str:
    """Median heart rate, how often it is expected to be right, and how many windows have none and why."""
    lost = table.reason[table.reason != ""].value_counts()
    sure = f"median {table.hr.median():.0f} BPM, within 5 BPM expected in {table.p_within_5.mean():.0%}"
    median = sure if len(table) > lost.sum() else "no heart rate"
    why = ", ".join(f"{n} x {reason}" for reason, n in lost.items())
    share = f"; {lost.sum() / len(table):.0%} without a value ({why})" if why else ""
    return f"{len(table)} windows, {median}{share}"


def figure(table: pd.DataFrame, clock: str, tested: tuple[float, float]) -> bytes:
    """Heart rate over time with its band, and where the model was tested (BPM), as PNG."""
    from matplotlib.figure import Figure  # slow to import

    shown, begin, label = Figure(figsize=(8, 3), layout="constrained"), 0.0, "time (min)"
    if clock != "seconds" or table.start[0] > EARLIEST:  # nobody reads minutes since 1970
        begin, zone = table.start[0], "" if clock == "dates without a time zone" else " UTC"
        label = f"time (min) after {date(begin):%Y-%m-%d %H:%M:%S}{zone}"
    axes, minutes = shown.subplots(), (table.start + table.end) / 120 - begin / 60
    axes.axhspan(*tested, color="0.95", label=f"the model was tested at {tested[0]:.0f} to {tested[1]:.0f} BPM")
    axes.fill_between(minutes, table.low, table.high, alpha=0.3, linewidth=0, label="80 % band")
    axes.plot(minutes, table.hr, ".-", markersize=3, linewidth=1, label="heart rate")
    axes.set(xlabel=label, ylabel="heart rate (BPM)")
    shown.legend(frameon=False, loc="outside upper right", ncols=3)
    content = io.BytesIO()
    shown.savefig(content, format="png", dpi=150)
    return content.getvalue()
