"""A row per person before any training: rate, holes, direction of the pulse, labels, and where those fit best."""

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are first used

from ppglib.files import InputError
from ppglib.recordings import load, locate, own
from ppglib.recordings.archives import refuse_copies
from ppglib.recordings.inspection import CLOSE, peaks
from ppglib.task import STEP_SECONDS, WINDOW_SECONDS
from ppglib.windows import RATE, REASONS, Windows, build, gather

RATIOS = np.arange(0.7, 1.4, 0.002)  # of spectral peak and label
NEAR, OFF = 0.015, 0.02  # windows at a ratio lie so near; a rate is wrong if the ratio is so far from 1 ...
SHARE, FEWEST = 0.3, 30  # ... and this share of windows lies there, and so many
SURE = 3.0  # standard errors
REACH, APART = 30.0, 6.0  # seconds of shift, and from the best one
FAR = 20.0  # BPM that an error counts at most
FOLDS = 3  # people that two folds need


def table(windows: Windows) -> pd.DataFrame:
    """One row per person; NaN or "" is what cannot be told.

    rate (Hz), ratio (spectral peak / label where most windows agree), rate_off ("yes" from 2 % on), hours of signal,
    holes, lost_s (in them), pulse ("up", "down" or "": which way its steep side points), sure (standard errors),
    shift_s (of the labels, to where the spectral peak errs least), error (BPM, there), margin (BPM more at the best shift 6 s
    or more away), labels, kept (windows), and windows refused by reason."""
    rows, key = [], ["dataset", "person"]
    peak = windows.table.assign(peak=peaks(windows) if len(windows.table) else 0.0)
    for (dataset, person), about in windows.recordings.groupby(key, sort=False):
        part, lost = (t[(t.dataset == dataset) & (t.person == person)] for t in (peak, windows.dropped))
        refused = lost.groupby("reason").windows.sum().reindex(REASONS, fill_value=0)
        found = {"dataset": dataset, "person": person, "recordings": len(about), "rate": about.rate.median()}
        found |= _ratio(part.peak / part.hr)
        found |= {"hours": (about.samples - about.missing).sum() / RATE / 3600, "holes": about.holes.sum()}
        found |= {"lost_s": about.missing.sum() / RATE} | _pulse(windows.signal, part) | _shift(part)
        found["labels"] = len(part) + refused.drop(REASONS[0]).sum()
        rows.append(found | {"kept": len(part)} | refused.to_dict())
    return pd.DataFrame(rows)


def _ratio(ratio: pd.Series) -> dict:
    """Where most ratios agree: the error of a wrong rate is the same in all windows, that of motion is not."""
    near = np.abs(ratio.to_numpy()[:, None] - RATIOS) < NEAR
    at = np.flatnonzero(near.sum(axis=0) == near.sum(axis=0).max())
    best = near[:, at[len(at) // 2]]
    if best.sum() < max(FEWEST, SHARE * len(ratio)):
        return {"ratio": np.nan, "rate_off": ""}
    mean = ratio[best].mean()
    return {"ratio": mean, "rate_off": "yes" if abs(mean - 1) >= OFF else "no"}


def _pulse(signal: np.ndarray, part: pd.DataFrame) -> dict:
    """A pulse rises faster than it falls, so its derivative is skewed upwards; only windows whose peak fits count."""
    clean = part[(part.peak - part.hr).abs() < CLOSE]
    if len(clean) < FEWEST:
        return {"pulse": "", "sure": np.nan}
    skewed = scipy.stats.skew(np.diff(gather(signal, clean.start), axis=1), axis=1)
    # windows overlap, so that only every fourth is new
    sure = skewed.mean() / skewed.std() * np.sqrt(len(skewed) * STEP_SECONDS / WINDOW_SECONDS)
    return {"pulse": "" if abs(sure) < SURE else "up" if sure > 0 else "down", "sure": abs(sure)}


def _shift(part: pd.DataFrame) -> dict:
    at = ["recording", "second"]
    label, shifts = part.set_index(at).hr, np.arange(-REACH, REACH + 1, STEP_SECONDS)
    error = np.full(len(shifts), np.nan)
    for k, shift in enumerate(shifts):
        moved = label.reindex(pd.MultiIndex.from_frame(part[at].assign(second=part.second + shift)))
        off = np.abs(moved.to_numpy() - part.peak.to_numpy())
        if np.isfinite(off).sum() >= FEWEST:
            error[k] = np.nanmean(np.minimum(off, FAR))
    if np.isnan(error).all():
        return dict.fromkeys(("shift_s", "error", "margin"), np.nan)
    best = np.nanargmin(error)
    others = error[np.abs(shifts - shifts[best]) >= APART]
    margin = np.nanmin(others) - error[best] if np.isfinite(others).any() else np.nan
    return {"shift_s": shifts[best], "error": error[best], "margin": margin}


def check(dataset: str, root) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The table of a set in a data folder; all that is wrong, of one's own recordings at once; the readers' notes."""
    problems: list[str] = []
    try:
        folder = locate(dataset, root)
        found = _own(folder, problems) if dataset == own.DATASET else load(dataset, root)
        windows = build(found, everyone=False)
    except InputError as error:
        return pd.DataFrame(), [*problems, *[str(error)] * (not problems)], []
    people = table(windows)
    nothing = people.person[people.kept == 0]
    problems += [f"{person} has no valid window: check or leave out that recording." for person in nothing]
    if len(people) < FOLDS:
        problems.append(f"{dataset} has {len(people)} people: two folds need at least {FOLDS}.")
    return people, problems, [note for note in windows.recordings.notes if note]


def _own(folder, problems: list[str]):
    """The recordings that can be read; what is wrong with the others goes to `problems`."""

    def every():
        with own.sessions(folder) as (found, wrong, notes):
            problems.extend(wrong)
            for _, make in found:
                try:
                    for recording in make(notes):
                        yield recording
                        notes = ()
                except InputError as error:
                    problems.append(str(error))

    return refuse_copies(every(), problems)
