"""Simulated people: heart beats, and the wrist PPG that goes with them.

A plausible signal, not a model of the body; all of it follows from the seed of the person."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from ppglib.task import STEP_SECONDS, WINDOW_SECONDS
from ppglib.windows import Recording, Windows, build

ACTIVITIES = {  # BPM above rest (low, high), steps per second (low, high)
    "rest": ((0, 6), (0, 0)),
    "walk": ((18, 45), (1.5, 2.0)),
    "run": ((65, 100), (2.3, 2.9)),
    "recover": ((12, 30), (0, 0)),
}
PROTOCOL = ("rest", "walk", "run", "recover", "walk", "run", "rest")
GRID = 4  # Hz, of the heart rate
LAG = 25.0  # seconds: time constant with which the heart follows the activity
TRANSIT = 0.2  # seconds from the R-peak to the foot of the pulse at the wrist


@dataclass(frozen=True)
class Person:
    """What a simulated person does; arrays at GRID Hz, but for the R-peaks."""

    seed: int
    seconds: float
    spans: tuple[tuple[float, float, str], ...]  # start s, stop s, activity
    hr: np.ndarray  # BPM
    r_peaks: np.ndarray  # s
    steps: np.ndarray  # phase in steps
    moving: np.ndarray  # bool


def person(seed: int, minutes: float, activities: tuple[str, ...] = PROTOCOL) -> Person:
    """A person who goes through `activities` (keys of ACTIVITIES) in `minutes`, in about equal parts."""
    rng, seconds = np.random.default_rng([1, seed]), minutes * 60.0
    share = rng.uniform(0.8, 1.2, len(activities))
    ends = np.round(seconds * np.cumsum(share) / share.sum(), 2)
    spans = tuple(zip((0.0, *ends[:-1]), ends, activities))
    t = np.arange(int(np.ceil(seconds * GRID)) + GRID) / GRID
    target, cadence = np.empty(len(t)), np.zeros(len(t))
    resting, fitness = rng.uniform(55, 82), rng.uniform(0.75, 1.3)  # fitness scales the rise in heart rate
    for start, _, name in spans:
        rise, steps = ACTIVITIES[name]
        target[t >= start] = resting + fitness * rng.uniform(*rise)
        cadence[t >= start] = rng.uniform(*steps)
    decay = np.exp(-1 / (GRID * LAG))
    slow, _ = lfilter([1 - decay], [1, -decay], target, zi=[decay * target[0]])
    hr = np.clip(slow + 2.5 * _smooth(rng, t, 20.0), 42, 195)
    beat_hr = hr + 0.025 * hr * np.sin(2 * np.pi * rng.uniform(0.18, 0.3) * t)  # respiratory sinus arrhythmia
    beats = np.cumsum(beat_hr) / (60 * GRID)
    r_peaks = np.interp(np.arange(np.ceil(beats[0]), beats[-1]), beats, t)
    r_peaks = np.sort(r_peaks + rng.normal(0, 0.004, len(r_peaks)))
    cadence *= 1 + 0.03 * _smooth(rng, t, 15.0)
    inside = (r_peaks >= 0) & (r_peaks < seconds)
    return Person(seed, seconds, spans, hr, r_peaks[inside], np.cumsum(cadence) / GRID, cadence > 0)


def ppg(person: Person, rate: float, channels: int = 1) -> np.ndarray:
    """Wrist PPG of one sensor head, (channels, round(seconds * rate)) float64, pulse amplitude about 1."""
    rng = np.random.default_rng([2, person.seed])
    t = np.arange(round(person.seconds * rate)) / rate
    onset = person.r_peaks + TRANSIT
    beat = np.interp(t, onset, np.arange(len(onset)), left=0.0, right=len(onset) - 1.0)
    notch, width = rng.uniform(0.25, 0.5), rng.uniform(2.5, 4.0)
    waves = ((1.3, 1.0), (3.6, notch))  # systolic, dicrotic
    pulse = sum(height * np.exp(width * (np.cos(2 * np.pi * beat - at) - 1)) for at, height in waves)
    breath = np.sin(2 * np.pi * rng.uniform(0.18, 0.3) * t)
    pulse = (pulse - pulse.mean()) * 2 * (1 + 0.15 * breath) * np.exp(0.15 * _smooth(rng, t, 8.0))
    touch, bad = np.ones(len(t)), np.zeros(len(t))
    for start in rng.uniform(0, person.seconds, rng.poisson(person.seconds / 150)):
        lost = (t >= start) & (t < start + rng.uniform(2, 6))  # contact loss
        touch[lost], bad[lost] = 0.1, 1.0
    shape = _gait(person, rng, t)
    strength = np.exp(rng.normal(-0.25, 0.55))  # how much motion reaches the light path of this person
    burst = np.maximum(0.0, 0.7 + 0.9 * _smooth(rng, t, 5.0))
    fidget = np.maximum(0.0, _smooth(rng, t, 4.0) - 0.8) * _smooth(rng, t, 0.25)
    wander = 0.6 * breath + 2.0 * _smooth(rng, t, 6.0)
    common = touch * pulse + strength * (burst * shape[0] + 2.0 * fidget) + wander
    rows = []
    for _ in range(channels):
        own = 0.3 * strength * burst * shape[1] * rng.normal() + (0.15 + 0.6 * bad) * rng.normal(size=len(t))
        rows.append(rng.uniform(0.6, 1.4) * common + own)
    return np.array(rows)


def window_hr(person: Person, windows: int, step: float = STEP_SECONDS) -> np.ndarray:
    """True heart rate (BPM) of the windows [i * step, i * step + 8) s: 60 over the mean RR interval
    of those whose midpoint lies in the window; NaN where fewer than two do."""
    middle = (person.r_peaks[1:] + person.r_peaks[:-1]) / 2
    start = step * np.arange(windows)
    first, last = np.searchsorted(middle, start), np.searchsorted(middle, start + WINDOW_SECONDS)
    with np.errstate(invalid="ignore", divide="ignore"):
        rr = (person.r_peaks[last] - person.r_peaks[first]) / (last - first)  # the RR intervals join up
        return np.where(last - first >= 2, 60 / rr, np.nan)


def load_demo(people: int = 10, minutes: float = 4.0, seed: int = 0) -> Windows:
    """Windows of simulated people, made in memory in seconds: `ppglib.load_demo`. No person was measured."""
    count, made = int((minutes * 60 - WINDOW_SECONDS) / STEP_SECONDS) + 1, []
    for number in range(people):
        one, name = person(1000 * seed + number, minutes), f"{number + 1:02d}"
        series = ppg(one, 50.0), 50.0, window_hr(one, count)
        made.append(Recording("demo", name, name, *series, simulated=True))
    return build(made)


def _gait(person: Person, rng, t: np.ndarray) -> np.ndarray:
    """Motion locked to the steps, (2, n): arm swing, step and harmonic, in phase and a quarter off."""
    grid = np.arange(len(person.steps)) / GRID
    phase = 2 * np.pi * np.interp(t, grid, person.steps)
    swing, second, lag = rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.5), rng.uniform(0, 2 * np.pi, 2)
    waves = np.cos(phase) + swing * np.cos(phase / 2 + lag[0]) + second * np.cos(2 * phase + lag[1])
    return np.interp(t, grid, person.moving) * np.array([waves, np.sin(phase)])


def _smooth(rng, t: np.ndarray, scale: float) -> np.ndarray:
    """Random curve of standard deviation about 1 that changes over `scale` seconds."""
    knots = int(t[-1] / scale) + 3
    return np.interp(t / scale, np.arange(knots), rng.normal(size=knots) * 1.2)
