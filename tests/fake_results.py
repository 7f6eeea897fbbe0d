"""A seeded results folder from a known law and known strategy offsets: the tests' ground truth."""

from pathlib import Path

import numpy as np
import pandas as pd

BLOCKS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
LIVE = (16628, 27060, 37492, 47924, 84788, 126132, 208820, 508596, 837812)
OFFSETS = {
    "scratch": 0.6,
    "hard": 0.3,
    "soft": 0.0,
    "feature": -0.2,
    "dkd": -0.4,
    "soft8": 0.1,
    "gaussian": 0.2,
    "cdf": -0.6,
    "dense_scratch": -0.1,
    "dense_soft": -0.3,
}
LAW = (6.0, 0.8, 3.0)  # a, b, c
SEEDS = {1: 3, 4: 3, 8: 3}
WINDOWS = 300  # of each person


def truth(strategy, student, teacher, offsets=OFFSETS, law=LAW, pull=0.05):
    """MAE without noise: the law in the student, an offset a strategy, a better teacher helps a little."""
    a, b, c = law
    return a * np.exp(-b * student) + c + offsets[strategy] + (pull * (12 - teacher) if teacher else 0.0)


def conditions(students, teachers, grid, more=()):
    """(strategy, student, teacher) of a study: scratch at every size, the rest and `more` at the largest teacher."""
    largest, small = max(teachers), [s for s in students if s < max(teachers)]
    rows = [("scratch", s, 0) for s in sorted({*students, *teachers})]
    taught = ("hard", "soft", "dkd", "feature", "soft8", "cdf", "dense_soft", *more)
    rows += [(k, s, largest) for k in taught for s in small]
    rows += [(k, s, 0) for k in ("gaussian", "dense_scratch") for s in small]
    if grid:
        rows += [("soft", s, t) for t in teachers if t != largest for s in small]
    return rows


def make(
    folder,
    students=BLOCKS,
    teachers=BLOCKS[1:],
    grid=True,
    recipes=("public",),
    seeds=SEEDS,
    offsets=OFFSETS,
    law=LAW,
    pull=0.05,
    noise=0.02,
    tuned=-0.5,
    leak=-0.8,
    simulated=False,
    seed=0,
    wobble=0.1,
    formula=None,
):
    """Write the tidy files of a study; `formula(strategy, student, teacher)` replaces the law.

    Strategies of `offsets` that are not in OFFSETS are distilled from the largest teacher.
    """
    rng = np.random.default_rng(seed)
    everyone = {
        fold: pd.DataFrame(
            [(f"set{1 + i % 3}", f"P{fold}{i:02d}", rng.normal(0, 0.8)) for i in range(12)],
            columns=["dataset", "person", "offset"],
        )
        for fold in (0, 1)
    }
    runs, people = [], []
    for recipe in recipes:
        plan = [("person", *c) for c in conditions(students, teachers, grid, offsets.keys() - OFFSETS)]
        plan += [("shuffled", "scratch", 8, 0)] if 8 in students else []
        plan += [("person", b, 0, 0) for b in ("mean", "spectral")]
        for split, strategy, student, teacher in plan:
            for fold in (0, 1):
                for number in range(seeds.get(student, 1)):
                    run = f"{recipe}-{split}-{strategy}-{student}-{teacher}-{fold}-{number}"
                    if strategy in ("mean", "spectral"):
                        mae = 20.0
                    else:
                        given = () if formula else (offsets, law, pull)
                        mae = (formula or truth)(strategy, student, teacher, *given)
                        mae += tuned * (recipe == "tuned") + leak * (split == "shuffled")
                        mae += rng.normal(0, noise)
                    tested = everyone[fold]
                    maes = np.maximum(mae + tested.offset.to_numpy() + rng.normal(0, wobble, 12), 0.1)
                    people.append((run, tested.dataset, tested.person, maes))
                    runs.append(
                        _run(run, recipe, split, strategy, student, teacher, fold, number, maes, simulated)
                    )
    people = pd.DataFrame(
        {
            "run_id": np.repeat([row[0] for row in people], 12),
            "dataset": np.concatenate([row[1] for row in people]),
            "person": np.concatenate([row[2] for row in people]),
            "activity": "",
            "n": WINDOWS,
            "mae": np.concatenate([row[3] for row in people]),
        }
    )
    people["mae_expectation"], people["mae_median"] = people.mae + 0.05, people.mae - 0.1
    tenths = pd.DataFrame(dict(bin=range(10), n=360, confidence=np.arange(0.05, 1, 0.1)))
    tenths["accuracy"] = 0.8 * tenths.confidence
    runs, folder = pd.DataFrame(runs), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    runs.to_csv(folder / "runs.csv", index=False)
    people.to_csv(folder / "people.csv", index=False)
    runs[["run_id"]].merge(tenths, how="cross").to_csv(folder / "reliability.csv", index=False)
    return folder


def _run(run, recipe, split, strategy, student, teacher, fold, seed, maes, simulated):
    mae = maes.mean()
    return dict(
        run_id=run, study="fake", recipe=recipe, simulated=simulated, split=split, strategy=strategy,
        student=student, teacher=teacher, fold=fold, seed=seed, mae=mae, mae_expectation=mae + 0.05,
        mae_median=mae - 0.1, rmse=mae * 1.5, within5=0.8, nll=2.0, ece=0.1,
        teacher_py=0.06 if teacher else np.nan, parameters=dict(zip(BLOCKS, LIVE)).get(student, 0),
        n_train=10000, n_test=WINDOWS * len(maes), people_test=len(maes), epochs=20, steps=2760, batch=128,
        rate=5e-4, dropout=0.5, precision="float32", seconds=10.0, device="cpu", torch="2.13.0",
    )  # fmt: skip
