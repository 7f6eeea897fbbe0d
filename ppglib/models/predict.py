"""A heart rate every 2 s from a PPG of any rate: all at once, or as the samples come, with the same numbers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are first used
import torch

from ppglib import models, tracking
from ppglib.files import InputError
from ppglib.models.cut import cut, ends, finer
from ppglib.recordings.stamps import SLACK, rate_of
from ppglib.resnet1d import ResNet1D
from ppglib.task import BINS, HR_RANGE, LENGTH, LOWEST, RATE, STEP_SECONDS, WINDOW_SECONDS, quantile
from ppglib.windows import gather

DEFAULT = "largest"
LOWEST_RATE = 16.0  # Hz: twice the upper edge of the pass band, 4 Hz, and a margin
HIGHEST_RATE = 1000.0  # Hz: more carries nothing, and is most often a wrong unit
LONGEST = 24 * 3600.0  # seconds without a sample: a longer gap is a wrong clock
SHARE = 0.8  # of windows whose heart rate lies between low and high
NEAR = 5.0  # BPM
GROUPS, FEWEST = 20, 50  # of windows that are calibrated apart; windows of one
# The last bits of a network's output depend on how many windows it is given and on which place. So it is always
# given so many, and each window has its place: whatever comes with it, the result is the same.
BLOCK = 32
AT_ONCE = 1024  # windows on a grid of 25 Hz that are filtered together
PIECE = 600.0  # seconds that `heart_rate` goes through at a time


def heart_rate(ppg, rate: float | None = None, time=None, model: str | Path | ResNet1D = DEFAULT, track: str = "none"):
    """Heart rate of a recording: a DataFrame, a row for each window of 8 s that starts every 2 s.

    ppg: (n,) or (channels, n), whose mean is used; in any unit, with any offset, filtered or not. rate: Hz, 16 to
    1,000; or time: (n,) seconds of the samples, increasing. Holes and NaN of up to 0.2 s are bridged
    inside a window, not at its ends. model: see `ppglib.models.load`.
    track: over consecutive windows, "none", "online" (given the past) or "smooth" (given all; it keeps some 10 kB
    a window meanwhile, the others nothing).

    Columns: start, end (s; on the clock of `time`), hr (BPM, median), low, high (BPM; they hold the heart rate
    of 80 % of windows of people whom the model was not trained on), p_within_5 (probability that hr is within
    5 BPM, from the same people), reason ("", or why a row has NaN: "gap", "not finite", "constant", "too short").
    The models that come along were tested on people in exercise (their `about["range"]`); how far off they can be at
    rest, their cards say.
    Raises InputError for input that is no recording and for what `load` refuses."""
    if rate is None and time is None:
        raise InputError("Nothing says how many samples a second there are: give `rate` in Hz, or `time` in seconds.")
    ppg = _mean(ppg, whole=True)
    if time is not None:
        time = _stamps(time, len(ppg))
        rate = (rate_of(time, time) if len(time) > 1 else RATE) if rate is None else rate
    if track not in tracking.HOW:
        raise InputError(f"There is no tracking {track!r}: choose from {', '.join(tracking.HOW)}.")
    stream = Stream(model, rate, "online" if track == "online" else "none")
    step = int(PIECE * stream.rate)
    pieces = (slice(i, i + step) for i in range(0, len(ppg), step))
    parts = (part for at in pieces for part in stream._found(ppg[at], None if time is None else time[at]))
    if track == "smooth":
        parts = _smoothed(list(parts), models.tracking_model(stream.network.about))
    tables = [stream._table(*part, track) for part in parts]
    if not tables:
        end = stream.origin + (stream.time[-1] + 1 / stream.rate if len(stream.time) else 0)
        row = {"start": stream.origin, "end": end} | dict.fromkeys(("hr", "low", "high", "p_within_5"), np.nan)
        return pd.DataFrame([row | {"reason": "too short"}])
    return pd.concat(tables, ignore_index=True)


def _smoothed(parts: list, moves: tracking.Model) -> list:
    """What `Stream._found` yields for a whole recording, as one part, given all windows of each unbroken run."""
    if not parts:
        return []
    numbers, reasons, said = map(np.concatenate, zip(*parts))
    valid = np.flatnonzero(reasons == "")
    if len(valid):
        runs = np.split(np.arange(len(valid)), np.flatnonzero(np.diff(valid) != 1) + 1)
        said[valid] = tracking.track(said[valid], runs, moves, "smooth")
    return [(numbers, reasons, said)]


class Stream:
    """`heart_rate` for samples as they come: the rows that `push` returns are those of the whole, bit for bit.

    model, rate: as there. track: "none" or "online". It keeps some 8 s of samples, however long it runs."""

    def __init__(self, model: str | Path | ResNet1D = DEFAULT, rate: float = np.nan, track: str = "none"):
        if not LOWEST_RATE / SLACK <= rate <= HIGHEST_RATE * SLACK:  # NaN neither
            what = f"{LOWEST_RATE:g} to {HIGHEST_RATE:g} are needed, with `rate` in Hz and times in seconds"
            raise InputError(f"The recording has {rate:.4g} samples a second: {what}.")
        if track not in ("none", "online"):
            raise InputError(f"A stream cannot be tracked by {track!r}, which needs what comes later: choose online.")
        self.network = model if isinstance(model, ResNet1D) else models.load(model)
        if not hasattr(self.network, "about"):
            raise InputError("The network does not come from a model file: save it by `ppglib.models.save` first.")
        self.rate, self.track, self.origin, self.samples, self.next = float(rate), track, 0.0, 0, 0
        self.time, self.ppg = np.empty(0), np.empty(0)
        self.nothing = self._table(np.empty(0, int), [], np.empty((0, BINS)))
        self.step = tracking.stepper(models.tracking_model(self.network.about)) if track == "online" else None

    def push(self, ppg, time=None) -> pd.DataFrame:
        """Rows (see `heart_rate`) of the windows that these samples complete, often none.

        ppg: (n,) or (channels, n), n of any number. time: (n,) seconds, for all samples of a stream or for none.
        Raises InputError for times that do not go on after those before."""
        parts = [self._table(*part, self.track) for part in self._found(_mean(ppg), time)]
        return pd.concat(parts, ignore_index=True) if parts else self.nothing.copy()

    def _found(self, ppg, time) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Numbers, reasons and probabilities (NaN where there is a reason) of the windows that are complete."""
        if not len(ppg):
            return
        if time is None:
            time = (self.samples + np.arange(len(ppg))) / self.rate
        else:
            time = _stamps(time, len(ppg))
            self.origin = self.origin if self.samples else float(time[0])
            time = time - self.origin
        before = self.time[-1:] if len(self.time) else time[:1] - 1
        if (steps := np.diff(time, prepend=before)).min() <= 0 or steps.max() > LONGEST:
            where = self.samples + int(np.flatnonzero((steps <= 0) | (steps > LONGEST))[0])
            raise InputError(f"The times fall, repeat or jump by more than a day at sample {where}: mend the clock.")
        self.samples += len(ppg)
        self.time, self.ppg = np.concatenate([self.time, time]), np.concatenate([self.ppg, ppg])
        numbers = np.arange(self.next, int(self.time[-1] / STEP_SECONDS) + 1)
        numbers = numbers[ends(numbers, self.rate) <= self.time[-1]] if len(numbers) else numbers
        at_once = max(1, AT_ONCE // finer(self.rate))
        for part in np.split(numbers, range(at_once, len(numbers), at_once)) if len(numbers) else ():
            rows, reasons = cut(self.time, self.ppg, part, self.rate)
            said = self._predict(rows, part, reasons == "")
            if self.step:
                for i, reason in enumerate(reasons):
                    said[i] = self.step(None if reason else said[i])
            yield part, reasons, said
        self.next += len(numbers)
        keep = max(0, np.searchsorted(self.time, self.next * STEP_SECONDS, "right") - 1)
        self.time, self.ppg = self.time[keep:].copy(), self.ppg[keep:].copy()

    @torch.inference_mode()
    def _predict(self, rows, numbers, valid) -> np.ndarray:
        said = np.full((len(rows), BINS), np.nan)
        for block in np.unique(numbers[valid] // BLOCK):
            chosen = valid & (numbers // BLOCK == block)
            place, signal = numbers[chosen] % BLOCK, np.tile(np.arange(LENGTH, dtype=np.float32), (BLOCK, 1))
            signal[place] = rows[chosen]
            x = torch.from_numpy(gather(signal.ravel(), np.arange(BLOCK) * LENGTH))[:, None]
            said[chosen] = torch.softmax(self.network(x).double(), 1).numpy()[place]
        return said

    def _table(self, numbers, reasons, said, track="none") -> pd.DataFrame:
        start = self.origin + STEP_SECONDS * numbers
        columns = {"start": start, "end": start + WINDOW_SECONDS}
        valid = ~np.isnan(said).any(axis=1)
        for name, values in describe(said[valid], self.network.about["interval"][track]).items():
            columns[name] = np.full(len(numbers), np.nan)
            columns[name][valid] = values
        return pd.DataFrame(columns | {"reason": np.asarray(reasons, object)})


def describe(probabilities: np.ndarray, interval: dict[str, list[float]] | None = None) -> dict[str, np.ndarray]:
    """hr, low, high (BPM) and p_within_5 of (N, 180) probabilities; interval: of `calibrate`, None for as they are."""
    hr, tail = quantile(probabilities, 0.5), (1 - SHARE) / 2
    near = _below(probabilities, hr + NEAR) - _below(probabilities, hr - NEAR)
    wider, within = 1.0, near
    if interval is not None:
        wider, within = (np.interp(near, interval["near"], interval[name]) for name in ("wider", "within"))
    low, high = (hr + wider * (quantile(probabilities, share) - hr) for share in (tail, 1 - tail))
    return {"hr": hr, "low": np.maximum(low, HR_RANGE[0]), "high": np.minimum(high, HR_RANGE[1]), "p_within_5": within}


def calibrate(probabilities: np.ndarray, hr: np.ndarray) -> dict[str, list[float]]:
    """What makes (N, 180) probabilities honest, from the heart rates (N,) of held-out people, as lists.

    A network that learned smeared labels gives smeared probabilities, and one that never saw these people is too
    sure of some. So windows are put into groups by `near`, the probability within 5 BPM of their median. `wider`
    is the factor by which the band from the 10 % to the 90 % quantile holds 80 % of the heart rates of a group
    (split conformal prediction, a group at a time: Vovk et al. 2005), and `within` the share within 5 BPM. Both are
    made monotone. probabilities: by networks that never saw these people, and tracked if they will be."""
    found, hr = describe(probabilities), np.asarray(hr, float)
    off, near = hr - found["hr"], found["p_within_5"]
    edge = np.abs(np.where(off < 0, found["low"], found["high"]) - found["hr"])
    needed, hit, rows = np.abs(off) / np.maximum(edge, 1e-9), np.abs(off) <= NEAR, []
    for group in np.array_split(np.argsort(near, kind="stable"), np.clip(len(hr) // FEWEST, 1, GROUPS)):
        largest = np.sort(needed[group])[min(len(group), int(np.ceil(SHARE * (len(group) + 1)))) - 1]
        rows.append((near[group].mean(), largest, hit[group].mean()))
    near, wider, within = np.array(rows).T
    wider = scipy.optimize.isotonic_regression(wider, increasing=False).x
    within = scipy.optimize.isotonic_regression(within).x
    return {name: np.round(y, 6).tolist() for name, y in (("near", near), ("wider", wider), ("within", within))}


def _below(probabilities, bpm) -> np.ndarray:
    """Probability (N,) of heart rates below `bpm` (N,), whose bins it shares out evenly."""
    total = np.pad(np.cumsum(probabilities, axis=1), ((0, 0), (1, 1)), constant_values=0)
    total[:, -1] = total[:, -2]
    at = np.clip(bpm - LOWEST, 0, BINS)
    k, row = at.astype(int), np.arange(len(at))
    return (total[row, k] + (at - k) * (total[row, k + 1] - total[row, k])) / total[:, -1]


def _mean(ppg, whole: bool = False) -> np.ndarray:
    try:
        ppg = np.asarray(ppg, float)
    except (TypeError, ValueError):
        raise InputError("The PPG is not made of numbers: give an array (n,) or (channels, n).") from None
    if ppg.shape != (0,) and (ppg.ndim not in (1, 2) or not len(ppg)):
        raise InputError(f"The PPG has shape {ppg.shape}: give an array (n,) or (channels, n).")
    if whole and ppg.ndim == 2 and len(ppg) > ppg.shape[1]:
        raise InputError(f"The PPG has shape {ppg.shape}, more channels than samples: give its transpose, (channels, n).")
    return ppg if ppg.ndim == 1 else sum(ppg) / len(ppg)  # channel by channel, in this order for any n


def _stamps(time, n) -> np.ndarray:
    time = np.asarray(time, float)
    if time.shape != (n,) or not np.isfinite(time).all():
        raise InputError(f"The times have shape {time.shape} or are not finite: give seconds (n,) for {n} samples.")
    return time
