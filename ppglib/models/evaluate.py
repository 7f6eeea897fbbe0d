"""`python -m ppglib evaluate`: a model on recordings with known heart rates, beside the spectral peak and neurokit2."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ppglib import files, models, recordings
from ppglib.files import InputError
from ppglib.metrics import spectral_peak
from ppglib.models.cut import cut
from ppglib.models.predict import heart_rate
from ppglib.resnet1d import ResNet1D
from ppglib.results import agreement, plots_of_agreement
from ppglib.splits import split
from ppglib.study.shipped import FOLDS
from ppglib.task import HR_RANGE, STEP_SECONDS, WINDOW_SECONDS
from ppglib.windows import Recording, Windows

BASELINES = ["spectral", "neurokit2", "neurokit2 upside down"]
KEYS = ["dataset", "person", "recording", "activity"]
COLUMNS = ["start", "end", "truth", "low", "high", "p_within_5", "reason"]
PIECE = 1000  # windows whose spectrum is taken together
SHOWN = ["dataset", "method", "people", "windows", "without", "mae", "mae_low", "mae_high", "bias", "limits_low",
         "limits_high", "within_5", "mae_surer_half", "in_band"]  # fmt: skip


def main(model: str, track: str, datasets: list[str], roots: list[Path], out: Path) -> None:
    """Evaluate on every set, print a table, write it, its parts, every prediction and figures into `out`.

    Raises InputError as `ppglib.recordings.load` and `ppglib.models.load` do, and for sets without labels."""
    network, name, found = models.load(model), Path(model).stem, []
    if name in (*KEYS, *COLUMNS, *BASELINES):
        raise InputError(f"A model cannot be called {name!r}, as a column of the table is: rename its file.")
    for dataset in datasets:
        root = next((root for root in roots if (root / dataset).is_dir()), roots[0])
        given = recordings.load(dataset, root)
        print(whose(name, network.about, dataset), flush=True)
        found += [of_recording(recording, network, name, track) for recording in given]
    predictions = pd.concat(found, ignore_index=True)
    if predictions.truth.isna().all():
        raise InputError(f"No window of {', '.join(datasets)} has a true heart rate: nothing can be evaluated.")
    table = agreement.table(predictions, [name, *BASELINES])
    short = summary(predictions, table, name, network.about, track)
    files.write_parquet(out / "predictions.parquet", predictions)
    files.write_table(out / "agreement.csv", table)
    files.write_table(out / "coverage.csv", agreement.coverage(predictions, name))
    files.write_table(out / "summary.csv", short)
    for plot in figures(predictions, name, network.about):
        files.write(out / "figures" / f"{plot.name}.png", plot._repr_png_())
    print(short.to_string(index=False, float_format="{:.2f}".format, na_rep=""))
    print(f"wrote {out}: summary.csv, agreement.csv (each person), coverage.csv, predictions.parquet, figures")


def whose(name: str, about: dict, dataset: str) -> str:
    """Whether a model was trained on a set, in a sentence: its errors there are then none on new people."""
    if dataset not in about["datasets"]:
        return f"{dataset}: {name} was not trained on this set."
    return f"{dataset}: {name} WAS TRAINED ON THESE PEOPLE, so that it errs less here than on others: see `held out`."


def of_recording(recording: Recording, network: ResNet1D, name: str, track: str = "none") -> pd.DataFrame:
    """Every window of a recording: KEYS, start, end (s of the recording), truth (BPM, NaN = none), `name` (heart rate),
    low, high, p_within_5, reason (as `ppglib.heart_rate` gives them), and a column for each baseline.

    A spectral peak is of the window as the network gets it. neurokit2 is given the whole recording, in the direction
    that it has and upside down; its rate is averaged over each window."""
    time, ppg = _stamped(recording)
    found = heart_rate(ppg, recording.rate, time, network, track).rename(columns={"hr": name})
    starts = STEP_SECONDS * np.arange(len(found))  # on the clock of `time`, whose breaks last a step
    label = np.asarray(recording.hr, float)
    at = recording.step * np.arange(len(label))
    breaks = np.asarray(recording.breaks) / recording.rate
    row = np.round((at + STEP_SECONDS * np.searchsorted(breaks, at + 1e-6, "right")) / STEP_SECONDS).astype(int)
    inside = (row < len(found)) & (found.reason[0] != "too short")
    found = found.iloc[row[inside]].reset_index(drop=True)
    usable = (label >= HR_RANGE[0]) & (label < HR_RANGE[1])
    activity = np.full(len(label), "") if recording.activity is None else recording.activity
    about = {"dataset": recording.dataset, "person": recording.person, "recording": recording.name}
    about |= {"activity": activity[inside], "truth": np.where(usable, label, np.nan)[inside]}
    mean, begins, peak = ppg.mean(axis=0), starts[row[inside]], np.full(inside.sum(), np.nan)
    for part in np.array_split(np.arange(len(peak)), -(-len(peak) // PIECE) if len(peak) else 1):
        windows, reasons = cut(time, mean, row[inside][part], recording.rate)
        peak[part] = np.where(reasons == "", spectral_peak(windows), np.nan)
    found = found.assign(start=at[inside], end=at[inside] + WINDOW_SECONDS, **about, spectral=peak)
    for method, sign in zip(BASELINES[1:], (1, -1)):
        rates = _neurokit2(time, sign * mean, recording.rate, begins)
        found[method] = np.where(found.reason == "", rates, np.nan)
    return found[[*KEYS, *COLUMNS[:3], name, *COLUMNS[3:], *BASELINES]]


def _stamped(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Times (n,) from 0 s on and samples (channels, n), NaN in gaps. Where the signal starts anew it pauses for a step,
    so that no window goes over it and windows stay where they are."""
    ppg = np.array(recording.ppg, float)
    for start, stop in recording.gaps:
        ppg[:, start:stop] = np.nan
    if recording.time is None:
        index = np.arange(ppg.shape[1])
        return index / recording.rate + STEP_SECONDS * np.searchsorted(recording.breaks, index, "right"), ppg
    time, first = recording.time, int(np.searchsorted(recording.time, 0.0))
    if first < len(time) and time[first] > 0:  # windows start at 0, between two samples or before the first
        at_zero = [np.interp(0.0, time, channel, left=np.nan) for channel in ppg]
        return np.append(0.0, time[first:]), np.column_stack([at_zero, ppg[:, first:]])
    return time[first:], ppg[:, first:]


def _neurokit2(time: np.ndarray, ppg: np.ndarray, rate: float, begins: np.ndarray) -> np.ndarray:
    """Mean of `PPG_Rate` of neurokit2's `ppg_process` in each window (BPM), NaN for all if it finds no pulse at all."""
    import neurokit2  # slow to import

    usable, whole = np.isfinite(ppg), max(1, round(rate))
    if usable.sum() < 2:
        return np.full(len(begins), np.nan)
    grid = np.arange(int(time[-1] * whole) + 1) / whole
    try:
        found = neurokit2.ppg_process(np.interp(grid, time[usable], ppg[usable]), sampling_rate=whole)[0]
    except (IndexError, ValueError, ZeroDivisionError):  # what it raises on signals without peaks
        return np.full(len(begins), np.nan)
    total = np.append(0.0, np.cumsum(found.PPG_Rate.to_numpy()))
    edges = begins, begins + WINDOW_SECONDS
    first, last = (np.clip(np.round(edge * whole).astype(int), 0, len(grid)) for edge in edges)
    return (total[last] - total[first]) / np.maximum(last - first, 1)


def summary(predictions: pd.DataFrame, table: pd.DataFrame, name: str, about: dict, track: str) -> pd.DataFrame:
    """A row per set and method over everyone. Where the model was trained on the set, first the error on people held
    out, as its file says, and the baselines on the same people; then all people, on which it was trained."""
    rows = []
    everyone = table.query("person == @agreement.ALL and activity == @agreement.ALL")
    for dataset, whole in everyone.groupby("dataset", sort=False):
        trained = dataset in about["datasets"]
        for row in (r for r in about["error"]["rows"] if trained and (r["dataset"], r["track"]) == (dataset, track)):
            told = {"method": f"{name}, held out", "mae_low": row["low"], "mae_high": row["high"]}
            rows += [row | told, *_same_people(predictions[predictions.dataset == dataset], row["people"])]
        said = {name: f"{name}, its training people"} if trained else {}
        rows += whole.assign(method=whole.method.replace(said)).to_dict("records")
    return pd.DataFrame(rows).reindex(columns=SHOWN)


def _same_people(predictions: pd.DataFrame, people: int) -> list[dict]:
    """The baselines on the people whom `ship` held out, if the set has all people that it had."""
    who = predictions[["dataset", "person"]].drop_duplicates(ignore_index=True)
    windows = Windows(np.empty(0, np.float32), who, pd.DataFrame(), pd.DataFrame())
    rows = np.concatenate([split(windows, fold)[1] for fold in FOLDS]) if len(who) > 2 else []
    if len(rows) != people:
        return []
    known = predictions[predictions.person.isin(who.person[rows]) & predictions.truth.notna()]
    about = {"dataset": who.dataset[0]}
    return [about | {"method": f"{m}, same people"} | agreement.summary(known, m, False) for m in BASELINES]


def figures(predictions: pd.DataFrame, name: str, about: dict) -> Iterator:
    """The plots of an evaluation, one by one: heart rate over time of each person, Bland-Altman, confidence."""
    trained = [dataset for dataset in predictions.dataset.unique() if dataset in about["datasets"]]
    for (dataset, _), rows in predictions.groupby(["dataset", "person"], sort=False):
        yield plots_of_agreement.over_time(rows, name, "trained on these people" * (dataset in trained))
    label = f"trained on the people of {' and '.join(trained)}" if trained else ""
    yield plots_of_agreement.bland_altman(predictions, [name, *BASELINES], label)
    yield plots_of_agreement.confidence(predictions, [name, *BASELINES], label)
