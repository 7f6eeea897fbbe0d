"""What the models that ship learn beside the recorded windows: candidates, on people and sets that they never saw.

`python tools/mixes.py DATA`, the folder of the open sets, trains NETWORK with each of CANDIDATES: without the people of
`splits.TUNING`, whom it is then tested on as they were recorded, upside down and slowed below `paces.SLOW`, and on clean
waves; and without one of the sets, on which it is tested. It writes augmentation.csv.

The rule, written before there was a table: of the candidates that find as many clean waves as the one that finds most,
but for 2 %, the one with the least mean MAE over the other six tests. It had no word on slow pulses, and chose
"few changed, pulses", which finds the most waves but gives up slow people. So it was amended when the table was seen:
only candidates count that err on slowed people no more than EARLIER, much as the models had been trained before.

A set that is left out has people whose errors are printed as held out. By the tests on the tuning people alone the rule
chooses the same, as a test says. Simulated windows are as many in every training, so their share is larger where people are
left out: up to twice, without bami1. One network each: differences of some tenths of a BPM are those of another seed."""

import sys
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from ppglib import files, recordings
from ppglib.results.agreement import over_people
from ppglib.splits import TUNING
from ppglib.study import paces, shipped, studies
from ppglib.task import quantile
from ppglib.training import predict
from ppglib.windows import Recording, Windows

NETWORK, EARLIER, CLEAN, NEAR = "small", "changed, narrow pulses", "clean waves", 2.0  # BPM
CANDIDATES = {  # as `shipped.CHOSEN`: shares of changed, simulated and disturbed windows, and whether pulses are smooth too
    "none": (0.0, 0.0, 0.0, True),
    "changed": (0.15, 0.0, 0.0, True),
    "changed, narrow pulses": (0.15, 0.15, 0.0, False),
    "changed, pulses": (0.15, 0.15, 0.0, True),
    "changed, pulses, disturbed": (0.15, 0.15, 0.15, True),
    "few changed, pulses": (0.05, 0.15, 0.0, True),
    "few changed, few pulses": (0.05, 0.05, 0.0, True),
    "few changed, pulses, disturbed": (0.05, 0.15, 0.15, True),  # this and the next were added when those above were seen
    "changed, many pulses, disturbed": (0.15, 0.3, 0.15, True),
}
SHAPES = {
    "sine": np.sin,
    "smooth": lambda beat: np.sin(beat) + 0.3 * np.sin(2 * beat),
    "pulse": lambda beat: np.exp(3 * (np.cos(beat) - 1)) + 0.35 * np.exp(3 * (np.cos(beat - 2.3) - 1)),
}
OUT = files.ROOT / "data/results/models/augmentation.csv"


def table(people: list[Recording]) -> pd.DataFrame:
    """A row per candidate and test: mix, its shares, test, people (or waves), windows, mae, low, high (BPM, of the median,
    95 % over people), found (share of recordings whose median error is below NEAR) and whether the mix is `chosen`."""
    beat, rows = 2 * np.pi * np.arange(20 * 50) / 50, []
    clean = [  # 20 s at 50 Hz, without noise
        Recording(CLEAN, f"{name} {bpm:g}", "1", shape(bpm / 60 * beat)[None], 50.0, np.full(7, bpm))
        for (name, shape), bpm in product(SHAPES.items(), np.arange(45.0, 200, 10))
    ]
    slowed = (paces.changed(r, factor) for r, factor in product(people, paces.FACTORS) if factor > 1)
    windows, *others = (shipped.windows_of(given, shipped.SIGNS) for given in (people, slowed, clean))
    kinds = [TUNING, *(f"without-{name}" for name in sorted(windows.table.dataset.unique()))]
    for name, values in CANDIDATES.items():
        mix = dict(zip(shipped.CHOSEN, values))
        everything = shipped.beside(windows, people, **mix)
        tasks = [joblib.delayed(errors)(kind, everything, windows, *others) for kind in kinds]
        found = [row for part in joblib.Parallel(n_jobs=-1)(tasks) for row in part]
        print(f"{name}:", ", ".join("{test} {mae:.2f} BPM".format(**row) for row in found), flush=True)
        rows += [{"mix": name} | mix | row for row in found]
    return pd.DataFrame(rows).assign(chosen=lambda found: found.mix == best(found))


def best(found: pd.DataFrame, slow: bool = True) -> str:
    """The mix that the rule chooses from the rows of `table`; if not `slow`, as it was written first."""
    slowed = found[found.test == "slowed"].set_index("mix").mae
    able = slowed.index[slowed <= slowed[EARLIER]] if slow else slowed.index
    found = found[found.mix.isin(able)]
    clean, others = found[found.test == CLEAN], found[found.test != CLEAN]
    most = clean.mix[clean.found >= clean.found.max() - 0.02]
    return others[others.mix.isin(most)].groupby("mix").mae.mean().idxmin()


def errors(kind: str, everything: Windows, windows: Windows, slowed: Windows, clean: Windows) -> list[dict]:
    """Rows of a network that was trained without the people whom a split tests."""
    network, tested = shipped.learned_without(shipped.designs()[NETWORK], windows, everything, 0, kind)
    tests = {kind: (windows, tested)}
    if kind == TUNING:
        up = windows.table.recording[tested].str.endswith("+1").to_numpy()
        slow = shipped.people_of(slowed).isin(shipped.people_of(windows)[tested]) & (slowed.table.hr < paces.SLOW)
        tests = {"as recorded": (windows, tested[up]), "upside down": (windows, tested[~up])}
        tests |= {"slowed": (slowed, np.flatnonzero(slow)), CLEAN: (clean, np.arange(len(clean.table)))}
    rows = []
    for name, (given, at) in tests.items():
        known, people = given.table.iloc[at], shipped.people_of(given)[at].map("/".join)
        off = np.abs(quantile(predict(network, given, at), 0.5) - known.hr.to_numpy())
        mae = dict(zip(("mae", "low", "high"), over_people(off, people)))
        found = pd.Series(off).groupby([people, known.recording.to_numpy()]).median() < NEAR
        rows.append({"test": name, "people": people.nunique(), "windows": len(at)} | mae | {"found": found.mean()})
    return rows


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the folder of the open sets: python tools/mixes.py data/raw")
    names = studies.read(shipped.STUDY).datasets
    files.write_table(OUT, table([r for name in names for r in recordings.load(name, Path(sys.argv[1]))]))
