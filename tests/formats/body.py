"""More of a simulated person, for tests: chest ECG, heart rate and activity at any time, SPC's test part."""

from pathlib import Path

import numpy as np

from ppglib import simulate
from ppglib.simulate import open_formats

# P, Q, R, S and T wave: seconds after the R-peak, height in mV, width in seconds
WAVES = ((-0.12, 0.1, 0.02), (-0.03, -0.12, 0.008), (0, 1, 0.01), (0.03, -0.2, 0.01), (0.2, 0.2, 0.035))


def ecg(person: simulate.Person, rate: float) -> np.ndarray:
    """Chest ECG, (n,) float64 in mV, with its R-peaks at `person.r_peaks`."""
    rng = np.random.default_rng([3, person.seed])
    t = np.arange(round(person.seconds * rate)) / rate
    after = np.clip(np.searchsorted(person.r_peaks, t), 1, len(person.r_peaks) - 1)
    signal = 0.1 * simulate._smooth(rng, t, 2.0) + 0.02 * rng.normal(size=len(t))
    for peak in (person.r_peaks[after - 1], person.r_peaks[after]):
        for at, height, width in WAVES:
            signal += height * np.exp(-0.5 * ((t - peak - at) / width) ** 2)
    return signal


def hr_at(person: simulate.Person, t) -> np.ndarray:
    """Heart rate (BPM) at the times `t` (s), before beat-to-beat variability."""
    return np.interp(t, np.arange(len(person.hr)) / simulate.GRID, person.hr)


def activity_at(person: simulate.Person, t) -> np.ndarray:
    """Name of the activity at the times `t` (s)."""
    starts, _, names = zip(*person.spans)
    return np.array(names)[np.maximum(np.searchsorted(starts, t, side="right") - 1, 0)]


def add_spc_test(root: Path, minutes: float, seed: int) -> None:
    """Write spc2015_test: simulated S04 of the extra part, and S04 and S05 of the test part, which lacks the ECG."""
    for n, (signal, labels, rows) in enumerate(
        (
            ("Extra_TrainingData/DATA_S04_T01.mat", "Extra_TrainingData/BPM_S04_T01.mat", 6),
            ("TestData/TEST_S04_T02.mat", "TrueBPM/True_S04_T02.mat", 5),
            ("TestData/TEST_S05_T02.mat", "TrueBPM/True_S05_T02.mat", 5),
        )
    ):
        person = simulate.person(seed + n, minutes, open_formats.SPC_ACTIVITIES)
        sig, hr = open_formats.spc_signal(person)
        open_formats.save(root / "spc2015_test", {signal: {"sig": sig[-rows:]}, labels: {"BPM0": hr}})
