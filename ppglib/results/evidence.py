"""Evidence: the MAEs of one recipe, and the paper's printed ones, in one shape for all claims."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ppglib import scaling
from ppglib.results import bootstrap
from ppglib.results.bootstrap import KEY, interval
from ppglib.results.tables import BASELINES, Paper, Results, draws, main_split
from ppglib.task import DECODERS

LEVELS = ["strategy", "student", "teacher"]
COMPUTE = ["device", "gpu", "blocks", "seconds", "memory_mb"]
TEACHER = 12  # blocks: the teacher of the paper's Table 2
PAPER_SETS = ("galaxyppg", "ppg_dalia", "wildppg")


class Evidence(NamedTuple):
    """mae: index (strategy, student, teacher), column 0 observed and then draws over people.

    seed_variance: same index, BPM^2 that other seeds would move a row's MAE by; NaN = not known.
    compute: device, gpu, blocks, seconds, memory_mb. datasets: whose recordings these are."""

    mae: pd.DataFrame
    seed_variance: pd.Series
    compute: pd.DataFrame
    datasets: tuple[str, ...]


def top(mae: pd.DataFrame) -> int:
    """The largest teacher: the one that Table 2 fixes."""
    return int(mae.index.get_level_values("teacher").max()) if len(mae) else 0


def pairs(mae: pd.DataFrame, better: str, worse: str, teachers=None, students=None) -> list[tuple]:
    """Pairs of conditions, same student (and teacher, if `worse` has one), student below its teacher."""
    found = []
    for strategy, student, teacher in mae.index:
        wanted = (not teachers or teacher in teachers) and (not students or student in students)
        if strategy == better and wanted and (not teacher or student < teacher):
            other = beside(mae, worse, student, teacher)
            found += [((strategy, student, teacher), other)] if other else []
    return sorted(found)


def beside(mae: pd.DataFrame, strategy: str, student: int, teacher: int) -> tuple | None:
    """The condition of `strategy` for this student: with this teacher, or without one if it has none."""
    return next((k for k in ((strategy, student, teacher), (strategy, student, 0)) if k in mae.index), None)


def mean_gap(evidence: Evidence, found: list[tuple]) -> tuple:
    """Mean of the differences of pairs (BPM): effect, low, high over people, and its sd between seeds.

    The sd takes seeds of two networks as independent. Networks of one seed share their first weights and
    the order of windows, so it is rather too large than too small."""
    weight = np.tile([1.0, -1.0], len(found)) / len(found)
    return weighted(evidence, [row for pair in found for row in pair], weight)


def weighted(evidence: Evidence, rows, weight) -> tuple:
    """Weighted sum of the MAEs of `rows`, such as a slope: effect, low, high over people, sd of seeds."""
    weight = np.bincount(evidence.mae.index.get_indexer(rows), weight, len(evidence.mae))
    used = np.flatnonzero(weight)
    variance = evidence.seed_variance.to_numpy()[used]
    effect = interval(weight[used] @ evidence.mae.to_numpy()[used])
    return *effect, float(np.sqrt(weight[used] ** 2 @ variance))


def slope_weights(x, groups, degree: int) -> np.ndarray:
    """(degree, n) weights: weights @ y are the coefficients of x, x^2, ... in y, with a free level a group.

    With students as groups: how MAE moves with the teacher once the student's own size is taken out."""
    x, groups = np.asarray(x, float), np.asarray(groups)
    powers = np.stack([x ** (d + 1) for d in range(degree)], -1)
    same = groups == groups[:, None]
    within = np.eye(len(x)) - same / same.sum(0)
    return np.linalg.lstsq(within @ powers, within, rcond=None)[0]


def seed_variance(results: Results, decoder: str = "argmax") -> pd.Series:
    """BPM^2 that other seeds would move each condition's MAE by: index KEY, NaN in a recipe without repeats.

    How far one network of one fold moves is taken from a recipe's repeated conditions, all strategies of a
    size (and all designs of so many blocks) together: at 1 block it can be several times what it is at 8.
    Its standard deviation is interpolated in log(blocks), and taken to be alike beyond and in other splits. A
    mean over n networks, seeds and folds together, has the n-th part of the variance."""
    networks = results.runs[~results.runs.strategy.isin(BASELINES)].groupby(KEY).fold.agg(["size", "nunique"])
    spread = bootstrap.spread(results.runs, results.people, DECODERS[decoder]).seed_sd
    repeated = (spread**2 * networks["nunique"]).dropna()
    variance = pd.Series(np.nan, networks.index)
    for recipe, own in repeated.groupby(level="recipe"):
        sd = np.sqrt(own.groupby(blocks(own.index.get_level_values("student"))).mean())
        here = networks.index[networks.index.get_level_values("recipe") == recipe]
        size = np.log(blocks(here.get_level_values("student")))
        variance[here] = np.interp(size, np.log(sd.index), sd) ** 2 / networks["size"][here]
    return variance


def blocks(students) -> np.ndarray:
    """Numbers of blocks, (n,) int, of students that are numbers or texts such as "1 d2.9.39"."""
    return np.array([int(str(student).split()[0]) for student in students], int)


def ours(results: Results, recipe: str, split=None, measured=None, decoder="argmax") -> Evidence:
    """Every complete condition of one recipe and split (by default `tables.main_split`), with draws over people.

    measured: COMPUTE columns of devices, as `ppglib.bench.costs.one_window` gives them; none = no device.
    decoder: how the predicted distributions are decoded, one of `DECODERS`."""
    split = main_split(results.runs, recipe) if split is None else split
    mae = _pick(draws(results, decoder), recipe, split)
    variance = _pick(seed_variance(results, decoder), recipe, split).reindex(mae.index)
    used = results.runs[results.runs.recipe == recipe].run_id
    datasets = tuple(sorted(results.people[results.people.run_id.isin(used)].dataset.unique()))
    measured = pd.DataFrame(columns=COMPUTE) if measured is None else measured
    return Evidence(mae, variance, measured, datasets)


def printed(paper: Paper) -> Evidence:
    """Table 2 (soft, hard, DKD, feature at 12 blocks), Table 3, and Figure 2's laws of the other teachers.

    The 8- and 10-block teachers' soft students are the printed laws at the paper's sizes below them."""
    rows = {(r.strategy, r.student, TEACHER): r.mae for r in paper.strategies.itertuples()}
    form, sizes = scaling.FORMS["exponential"], paper.strategies.student.unique()
    for law in paper.laws[paper.laws.teacher < TEACHER].itertuples():
        below = sizes[sizes < law.teacher]
        maes = scaling.predict(form, [getattr(law, name) for name in form.names], below)
        rows |= {("soft", student, law.teacher): mae for student, mae in zip(below, maes)}
    index = pd.MultiIndex.from_tuples(rows, names=LEVELS)
    mae = pd.DataFrame({0: list(rows.values())}, index=index)
    measured = paper.compute.assign(device="the paper's GPU", gpu=True)[COMPUTE]
    return Evidence(mae, pd.Series(np.nan, index), measured, PAPER_SETS)


def _pick(frame, recipe: str, split: str):
    index = frame.index.to_frame(index=False)
    keep = (index.recipe == recipe) & (index.split == split) & ~index.strategy.isin(BASELINES)
    return frame[keep.to_numpy()].droplevel(["recipe", "split"])
