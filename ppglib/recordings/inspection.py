"""What the recordings are worth before any training: hours, the naive estimate, alignment of the labels."""

import numpy as np
import pandas as pd

from ppglib.files import ROOT
from ppglib.metrics import CHUNK, spectral_peak
from ppglib.recordings.wildppg import window_rate
from ppglib.task import STEP_SECONDS, WINDOW_SECONDS
from ppglib.windows import RATE, Windows, gather

PAPER_HOURS = 107  # section 2: "a total of 107 hours"
CLOSE = 5.0  # BPM: a naive estimate this near counts as right


def hours(windows: Windows) -> pd.DataFrame:
    """Hours of each set under each way of counting: of signal, and of windows (all, and those kept),
    each taken for the 2 s that the paper's stride adds or for the 8 s that it spans."""
    sets = windows.recordings.groupby("dataset", sort=False)
    table = pd.DataFrame({"people": sets.person.nunique(), "step_s": sets.step.first()})
    table["signal_h"] = (sets.samples.sum() - sets.missing.sum()) / RATE / 3600
    counts = windows.table.groupby("dataset").size(), windows.dropped.groupby("dataset").windows.sum()
    kept, dropped = (count.reindex(table.index, fill_value=0).astype(int) for count in counts)
    for name, count in ("all", kept + dropped), ("kept", kept):
        table[f"{name}_windows"] = count
        table[f"{name}_x2s_h"] = count * STEP_SECONDS / 3600
        table[f"{name}_x8s_h"] = count * WINDOW_SECONDS / 3600
    return table.reset_index()


def paper_hours() -> pd.DataFrame:
    """How the paper's 107 hours may have come about: the sum over the three published sets for each way
    of counting WildPPG's. Columns counting (of WildPPG), low, high (hours), off (distance from 107)."""
    published = pd.read_csv(ROOT / "data/published_hours.csv")
    wild = published[published.dataset == "wildppg"].set_index("counting")[["low", "high"]]
    table = wild + published[published.dataset != "wildppg"][["low", "high"]].sum()
    off = (np.clip(PAPER_HOURS, table.low, table.high) - PAPER_HOURS).abs()
    return table.assign(off=off).reset_index()


def spectral_share(windows: Windows) -> pd.DataFrame:
    """Per set, the share of windows whose plain spectral peak is within 5 BPM of the label, and its MAE."""
    off = (peaks(windows) - windows.table.hr).abs()
    rows = pd.DataFrame({"dataset": windows.table.dataset, "within5": off < CLOSE, "mae": off})
    by_set = rows.groupby("dataset", sort=False)
    return by_set.mean().assign(windows=by_set.size()).reset_index()


def label_shift(windows: Windows, reach: float = 12.0) -> pd.DataFrame:
    """The same share with the label of the window `shift` seconds later (earlier if negative), up to `reach`.
    Labels that belong to their windows agree best at 0. Columns dataset, shift (s), windows, within5; only
    windows that have a label at every shift count."""
    table, at = windows.table.assign(peak=peaks(windows)), ["dataset", "person", "recording", "second"]
    label, steps, rows = table.set_index(at).hr, windows.recordings.groupby("dataset").step.first(), []
    for dataset, part in table.groupby("dataset", sort=False):
        shifts = steps[dataset] * np.arange(-(reach // steps[dataset]), reach // steps[dataset] + 1)
        later = (pd.MultiIndex.from_frame(part[at].assign(second=part.second + shift)) for shift in shifts)
        shifted = np.array([label.reindex(index) for index in later])
        whole = np.isfinite(shifted).all(axis=0)
        within = np.abs(shifted - part.peak.to_numpy())[:, whole] < CLOSE
        share = within.mean(axis=1) if whole.any() else np.full(len(shifts), np.nan)
        rows += [(dataset, shift, int(whole.sum()), value) for shift, value in zip(shifts, share)]
    return pd.DataFrame(rows, columns=["dataset", "shift", "windows", "within5"])


def window_length(windows: Windows) -> pd.DataFrame:
    """Per set, whether its windows are 8 s at 25 Hz or a stretched 6.4 s (see wildppg.window_rate)."""
    rows = []
    for dataset, part in windows.table.groupby("dataset", sort=False):
        rows.append((dataset, *window_rate(gather(windows.signal, part.start), part.hr.to_numpy())))
    return pd.DataFrame(rows, columns=["dataset", "ratio", "finding"])


def example(windows: Windows) -> pd.DataFrame:
    """One window per set whose peak fits its label, from the middle of the set: dataset, hr (BPM), time (s), ppg (z)."""
    close = np.abs(windows.table.hr - peaks(windows)) < CLOSE
    tables = []
    for dataset, part in windows.table[close].groupby("dataset", sort=False):
        row = part.iloc[len(part) // 2]
        (ppg,) = gather(windows.signal, np.array([row.start]))
        time = np.arange(len(ppg)) / RATE
        tables.append(pd.DataFrame({"dataset": dataset, "hr": row.hr, "time": time, "ppg": ppg}))
    return pd.concat(tables)


def peaks(windows: Windows) -> np.ndarray:
    starts = windows.table.start.to_numpy()
    pieces = np.split(starts, range(CHUNK, len(starts), CHUNK))
    return np.concatenate([spectral_peak(gather(windows.signal, piece)) for piece in pieces])
