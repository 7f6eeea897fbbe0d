"""Training windows beside those of the open sets: slowed and quickened recordings, disturbed ones, and simulated pulses.

A network that has seen few pulses below 80 BPM takes a slower one for one twice as fast. People recorded at
rest would be better; but a recording that lasts longer has a slower pulse, motion and noise, and labels as well.
And one that has seen motion alone can be lost where there is none: so it is shown clean pulses of many forms too.
How many of each was chosen by `tools/mixes.py`; no other number below was tuned."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ppglib.task import LENGTH, RATE, STEP_SECONDS, WINDOW_SECONDS
from ppglib.windows import Recording, _bandpass

FACTORS = (0.65, 0.8, 1.25, 1.4, 1.6)  # how many times as long a recording lasts
SLOW, FAST = 85, 160  # BPM: below and above, the sets hold few windows
STEADY = 5.0  # seconds of one gain
FINE = 4  # simulated samples in one of 25 Hz
WIDTH, SOME = 5, 20  # BPM, windows: how rates are evened out


def changed(recording: Recording, factor: float) -> Recording:
    """The recording as if it had lasted `factor` times as long, its labels interpolated to windows of 8 s."""
    middle = STEP_SECONDS * np.arange(int(len(recording.hr) * factor)) + WINDOW_SECONDS / 2
    at = (middle / factor - WINDOW_SECONDS / 2) / STEP_SECONDS
    hr = np.interp(at, np.arange(len(recording.hr)), recording.hr, left=np.nan, right=np.nan) / factor
    time = None if recording.time is None else recording.time * factor
    return replace(recording, rate=recording.rate / factor, time=time, hr=hr)


def disturbed(recording: Recording, seed: int) -> Recording:
    """The recording in its band with another gain every STEADY seconds, a random walk and noise of up to 0.7 of it."""
    random, rate = np.random.default_rng(seed), recording.rate
    pulse, noise = (_bandpass(x, rate) for x in (recording.ppg.mean(axis=0), random.normal(size=recording.ppg.shape[1])))
    step = (np.arange(len(pulse)) / rate // STEADY).astype(int)
    gain, walk = np.exp(random.normal(0, 0.5, step[-1] + 1))[step], np.cumsum(random.normal(size=len(pulse))) / rate**0.5
    return replace(recording, ppg=(gain * pulse / pulse.std() + walk + random.uniform(0, 0.7) * noise / noise.std())[None])


def rare(table: pd.DataFrame, count: int, seed: int = 0) -> np.ndarray:
    """Numbers, rising, of at most `count` rows with an `hr` below SLOW or above FAST, the rarer the likelier."""
    few = np.flatnonzero((table.hr < SLOW) | (table.hr > FAST))
    step = (table.hr.to_numpy()[few] // WIDTH).astype(int)
    weight = 1 / (np.bincount(step)[step] + SOME)
    count, random = min(count, len(few)), np.random.default_rng(seed)
    return np.sort(random.choice(few, count, replace=False, p=weight / weight.sum())) if count else few[:0]


def pulses(count: int, smooth: bool = True, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Windows (count, 200) float32 of simulated pulses, filtered one by one, and their mean heart rates, BPM (count,).

    Any rate of the bins, drifting and swinging with the breath as it does; two waves a beat of any width, height
    and distance, either way up; on slow breath, with little noise or as much as pulse. smooth: widths go on to that of
    a sine, and a wave may rise faster than it falls, or slower."""
    random = np.random.default_rng(seed)
    draw = lambda low, high: random.uniform(low, high, (count, 1))  # noqa: E731
    time = np.arange(LENGTH * FINE) / (RATE * FINE)
    breath = lambda: np.sin(2 * np.pi * (frequency * time + draw(0, 1)))  # noqa: E731
    frequency = draw(0.15, 0.4)
    drift = random.normal(0, 0.02, (count, 1)) * (2 * time / WINDOW_SECONDS - 1)
    bpm = draw(33, 206) * (1 + drift + draw(0, 0.03) * breath())
    beat = 2 * np.pi * (draw(0, 1) + np.cumsum(bpm, 1) / (60 * RATE * FINE))
    beat += draw(-0.7, 0.7) * np.cos(beat) if smooth else 0
    wave = lambda at: np.exp(np.exp(draw(*np.log([0.1 if smooth else 1.5, 6]))) * (np.cos(beat - at) - 1))  # noqa: E731
    ppg = wave(0) + draw(0, 0.6) * wave(draw(1.5, 3.1))
    ppg = ppg / ppg.std(1, keepdims=True) * (1 + draw(0, 0.3) * breath()) + draw(0, 1) * breath()
    ppg += random.exponential(0.2, (count, 1)) * random.normal(size=ppg.shape)
    ppg *= random.choice([-1, 1], (count, 1))
    return _bandpass(ppg, RATE * FINE)[:, ::FINE].astype(np.float32), bpm.mean(1)
