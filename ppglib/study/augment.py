"""Recordings as they might have been: of another heart rate or from a looser sensor; and simulated pulses at rest.

The open sets hold exercise and few heart rates below 80 BPM. A recording that is played slower is one of a lower heart
rate; but where motion hides the pulse nobody rests, so that only its clean stretches keep their labels. And a slow pulse
of exercise is no pulse of rest, whose second wave may be as high as the first: those are simulated. Signals may have
any direction, so half of all are turned upside down. What is random follows the seed."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from ppglib.metrics import spectral_peak
from ppglib.models.cut import cut
from ppglib.task import HR_RANGE, LENGTH, STEP_SECONDS, WINDOW_SECONDS
from ppglib.windows import Recording, Windows, _bandpass, gather

COPIES = 8  # of every recording as it is, half of them upside down
PLAYED, SPEEDS = 0.15, (0.4, 1.4)  # copies at another speed, for each as it is; log-uniform
STILL, STILL_RATES = 0.2, (35.0, 205.0)  # windows of simulated pulses, for each of a recording; BPM, log-uniform
SECONDS, SAMPLED = 60.0, 50.0  # of a simulated recording, and its Hz
WORN = {"as it is": 0.1, "played": 0.5, "still": 0.7}  # share from a loose sensor
CLEAN = 5.0  # BPM between label and spectral peak where the pulse prevails


def windows_of(recordings, signs: tuple[int, ...] = (1,)) -> Windows:
    """All labelled windows, filtered one by one as a device must, of every recording with each sign.

    Windows across a gap, without a pulse or with a label out of range are left out."""
    parts = []
    for recording, sign in product(recordings, signs):
        ppg = sign * recording.ppg.mean(axis=0)
        time = np.arange(len(ppg)) / recording.rate if recording.time is None else recording.time
        numbers = np.arange(min(len(recording.hr), int((time[-1] - WINDOW_SECONDS) // STEP_SECONDS + 1)))
        rows, reasons = cut(time, ppg, numbers, recording.rate)
        hr = np.asarray(recording.hr, float)[: len(numbers)]
        good = (reasons == "") & (hr >= HR_RANGE[0]) & (hr < HR_RANGE[1])
        told = {"dataset": recording.dataset, "person": recording.person, "recording": f"{recording.name}{sign:+d}"}
        table = pd.DataFrame({"second": numbers * STEP_SECONDS, "hr": hr}).assign(**told)
        parts.append((rows[good], table[good]))
    rows, table = np.concatenate([part for part, _ in parts]), pd.concat([part for _, part in parts], ignore_index=True)
    table = table.assign(start=np.arange(len(table)) * LENGTH, activity="", simulated=False)
    return Windows(rows.ravel(), table, pd.DataFrame(), pd.DataFrame())


def augmented(recordings: list[Recording], seed: int) -> Windows:
    """COPIES of every recording as it is, some of them at other speeds, and simulated pulses: what to train on once or more."""
    return windows_of(_copies(recordings, np.random.default_rng(seed)))


def _copies(recordings, rng) -> Iterator[Recording]:
    prevailing = [clean(recording) for recording in recordings]
    for copy, (number, recording) in product(range(COPIES), enumerate(recordings)):
        yield _seen(rng, recording, "as it is", sign=(-1) ** (copy + number))
        if rng.random() < PLAYED:
            yield _seen(rng, played(prevailing[number], np.exp(rng.uniform(*np.log(SPEEDS)))), "played")
    windows = COPIES * sum(len(recording.hr) for recording in recordings)
    for _ in range(round(STILL * windows * STEP_SECONDS / (SECONDS - WINDOW_SECONDS + STEP_SECONDS))):
        yield _seen(rng, still(rng), "still")


def _seen(rng, recording: Recording, kind: str, sign: int | None = None) -> Recording:
    ppg = recording.ppg.mean(axis=0)
    if kind == "played" and rng.random() < 0.5:
        ppg = echoed(rng, ppg, recording.rate)
    if rng.random() < WORN[kind]:
        ppg = worn(rng, ppg, recording.rate)
    return replace(recording, ppg=(sign or rng.choice((-1, 1))) * ppg[None])


def clean(recording: Recording) -> Recording:
    """The recording with labels only where its spectral peak agrees: there the pulse prevails, not motion."""
    windows = windows_of([recording])
    peak = spectral_peak(gather(windows.signal, windows.table.start.to_numpy()))
    agreed = windows.table[np.abs(peak - windows.table.hr) < CLEAN]
    hr = np.full(len(recording.hr), np.nan)
    hr[np.round(agreed.second / STEP_SECONDS).astype(int)] = agreed.hr
    return replace(recording, hr=hr)


def played(recording: Recording, speed: float) -> Recording:
    """The recording at another speed (2: twice as fast, half as long), with heart rates to match.

    The label of a window is `speed` times that of the recording at its centre, interpolated; NaN where one of the two
    labels beside it is missing."""
    time = None if recording.time is None else recording.time / speed
    end = recording.ppg.shape[1] / recording.rate / speed if time is None else time[-1]
    centres = np.arange(max(0, int((end - WINDOW_SECONDS) // STEP_SECONDS + 1))) * STEP_SECONDS + WINDOW_SECONDS / 2
    known = np.arange(len(recording.hr)) * recording.step + WINDOW_SECONDS / 2
    hr = speed * np.interp(speed * centres, known, recording.hr, left=np.nan, right=np.nan)
    return replace(recording, rate=recording.rate * speed, time=time, hr=hr, step=STEP_SECONDS)


def echoed(rng: np.random.Generator, ppg: np.ndarray, rate: float) -> np.ndarray:
    """A pulse and its reflection, up to 0.8 of its height and 0.2 to 0.5 s later: (n,) -> (n,)."""
    late, height = round(rng.uniform(0.2, 0.5) * rate), rng.uniform(0, 0.8)
    return ppg + height * np.append(np.full(late, ppg[0]), ppg)[: len(ppg)]


def worn(rng: np.random.Generator, ppg: np.ndarray, rate: float) -> np.ndarray:
    """What a loose sensor makes of a signal: steps of gain and offset, drift and noise that come and go, (n,) -> (n,)."""
    t, pulse = np.arange(len(ppg)) / rate, _bandpass(ppg, rate)
    places = np.sort(rng.uniform(0, t[-1], rng.poisson(t[-1] / 20)))  # one in 20 s
    step = np.searchsorted(places, t)
    gain = np.exp(np.append(0, rng.normal(0, 0.5, len(places))))[step]
    offset = np.append(0, rng.normal(0, 2, len(places)))[step]
    drift, noise, scale = (np.exp(rng.uniform(*np.log(edges))) for edges in ((0.1, 3.0), (0.03, 1.0), (0.3, 3.0)))
    slow = drift * smooth(rng, t, 8.0) * smooth(rng, t, scale)
    fast = noise * smooth(rng, t, 8.0) * smooth(rng, t, 0.08)
    return ppg + (gain - 1) * pulse + pulse.std() * (offset + slow + fast)


def smooth(rng: np.random.Generator, t: np.ndarray, scale: float) -> np.ndarray:
    """Random curve (n,) of standard deviation about 1 at the seconds `t`, a knot every `scale` seconds."""
    knots = int((t[-1] - t[0]) / scale) + 3
    return np.interp((t - t[0]) / scale, np.arange(knots), rng.normal(size=knots) * 1.2)


def still(rng: np.random.Generator) -> Recording:
    """Simulated pulses of someone who keeps still: up to three waves a beat, whose times and widths grow with the square
    root of the interval, as the heart's ejection does (Bazett 1920). The rate breathes, the more the slower it is."""
    bpm = np.exp(rng.uniform(*np.log(STILL_RATES)))
    breath, depth = rng.uniform(0.1, 0.4), rng.uniform(0, 0.1) * min(1.0, 60 / bpm)
    grid = np.arange(-2.0, SECONDS + 5.0, 0.05)
    now = bpm * (1 + depth * np.sin(2 * np.pi * breath * grid) + 0.03 * smooth(rng, grid, 10.0))
    phase = np.cumsum(now) * 0.05 / 60
    beats = np.interp(np.arange(np.ceil(phase[0]), phase[-1]), phase, grid)
    beats = np.sort(beats + rng.normal(0, 0.004, len(beats)))
    edges = {"height": ((1, 1), (0, 0.9), (0, 0.5)), "delay": ((0.12, 0.2), (0.3, 0.5), (0.2, 0.35)),
             "width": ((0.05, 0.1), (0.06, 0.14), (0.1, 0.2))}  # fmt: skip
    waves = [[rng.uniform(*edge) for edge in three] for three in zip(*edges.values())]
    t, interval = np.arange(round(SECONDS * SAMPLED)) / SAMPLED, np.diff(beats)
    at, ppg = np.searchsorted(beats, t, "right") - 1, np.zeros(len(t))
    for beat in (at - 1, at, at + 1):  # a wave may outlast its beat
        since = (t - beats[beat]) / np.sqrt(interval[beat])
        ppg += sum(height * np.exp(-(((since - delay) / width) ** 2) / 2) for height, delay, width in waves)
    start = STEP_SECONDS * np.arange(int((SECONDS - WINDOW_SECONDS) // STEP_SECONDS + 1))
    first, last = np.searchsorted(beats, start), np.searchsorted(beats, start + WINDOW_SECONDS) - 1
    hr = 60 * (last - first) / (beats[last] - beats[first])
    return Recording("simulated", "", "", ppg[None], SAMPLED, hr, simulated=True)
