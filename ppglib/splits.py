"""Which windows a network is trained on and which it is tested on."""

import numpy as np
import pandas as pd

from ppglib.files import InputError
from ppglib.windows import Windows

PARTS = ("part1", "part2", "part3", "part4")  # of the training people, left out in turn: out-of-fold teachers
FIFTHS = "fifths"
FOLDS = "folds-"  # and a number
TUNING = PARTS[-1]  # of fold 0: it tests on people whom neither fold tests


def split(windows: Windows, fold: int, kind: str = "person") -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of (training, test) windows: 80/20 by person within each dataset, fold 0 or 1.

    The test people of the two folds are disjoint. Other kinds:
    "shuffled" deals windows instead of people: it exists only to show what leaking people would claim.
    "folds-12" has twelve folds (or any number from 2 on) that test each person once, one by one where there are no
    more people; "fifths" is the same as "folds-5".
    "part1" to "part4" divide the fold's training people: test on one part, train on the others.
    The last part of fold 0 has test people of neither fold; it trains on people whom fold 1 tests.
    "without-DATASET" trains on all other sets and tests on that one; both folds are the same."""
    table, once, folds = windows.table, once_each(kind), fold_count(windows, kind)
    if kind not in ("person", "shuffled", *PARTS) and not once and not kind.startswith("without-"):
        known = ", ".join(("person", "shuffled", FIFTHS, f"{FOLDS}NUMBER", *PARTS))
        raise InputError(f"Unknown split {kind!r}: choose {known} or without-DATASET.")
    if fold not in range(folds):
        raise InputError(f"Fold {fold} of the split {kind} does not exist: there are folds 0 to {folds - 1}.")
    test = (table.dataset == kind.removeprefix("without-")).to_numpy(copy=True)
    train = ~test
    for dataset in sorted(table.dataset.unique()) if not kind.startswith("without-") else ():
        rows = (table.dataset == dataset).to_numpy()
        units = np.flatnonzero(rows) if kind == "shuffled" else table.person[rows].to_numpy()
        codes, names = pd.factorize(units, sort=True)
        share = max(1, round(0.2 * len(names)))
        if not once and len(names) < 2 * share + 1:
            raise InputError(f"{dataset} has {len(names)} people: two folds need at least 3.")
        # One seeded order per set, so that adding a set does not move the people of another.
        order = np.random.default_rng([2025, *dataset.encode()]).permutation(names)
        chosen = order[fold * share : (fold + 1) * share]
        rest = np.concatenate([order[: fold * share], order[(fold + 1) * share :]])
        if once:
            chosen = np.array_split(order, once)[fold]
            rest = np.setdiff1d(order, chosen)
        if kind in PARTS:
            chosen = np.array_split(rest, len(PARTS))[PARTS.index(kind)]
            rest = np.setdiff1d(rest, chosen)
        test[rows], train[rows] = np.isin(names, chosen)[codes], np.isin(names, rest)[codes]
    if not (train.any() and test.any()):
        few = "one set of at least 5 people is needed" if kind in PARTS else "add recordings"
        raise InputError(f"The split {kind} leaves no window to train on or none to test on: {few}.")
    return np.flatnonzero(train), np.flatnonzero(test)


def once_each(kind: str) -> int:
    """Number of folds of a split that tests each person once, such as "folds-12"; 0 of other kinds."""
    number = kind.removeprefix(FOLDS)
    return 5 if kind == FIFTHS else int(number) if kind != number and number.isdecimal() and int(number) > 1 else 0


def fold_count(windows: Windows, kind: str) -> int:
    """How many folds a split of these windows has: no more than a set has people, where each is tested once."""
    if not (once := once_each(kind)):
        return 2
    return min(once, windows.table.groupby("dataset").person.nunique().max())
