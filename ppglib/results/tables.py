"""Tables from a study's tidy CSVs: Figure 1, Table 2, and the paper's own numbers."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ppglib import files
from ppglib.files import InputError
from ppglib.results import bootstrap
from ppglib.results.bootstrap import KEY
from ppglib.splits import PARTS
from ppglib.strategies import STRATEGIES
from ppglib.task import DECODERS

BASELINES = {"mean": "mean of the training labels", "spectral": "spectral peak"}  # and how they are called
# Measure of a network: the mean per person that it follows from, and the power that it is a root of.
QUALITY = {"rmse": ("squared", 2), "within5": ("within5", 1), "nll": ("nll", 1)}
TEXT = ("person", "activity", "design", "teacher_design")
MEASURED = [*DECODERS.values()]  # in both tables
NEEDED = {
    "runs.csv": {"run_id", *KEY, "fold", "seed", "simulated", "teacher_py", "nll", "ece", "rmse", "within5", "n_test"},
    "people.csv": {"run_id", "dataset", "person", "n"},
}
NAMES = {"runs.csv": ["recipe", "split", "strategy"], "people.csv": ["dataset"]}
WHOLE = {"runs.csv": ["student", "teacher", "fold", "seed", "n_test"], "people.csv": ["n"]}
ALIKE = 1e-4  # of a MAE: both tables are written to six digits


class Results(NamedTuple):
    """A study as it was run; the columns are described in data/README.md."""

    runs: pd.DataFrame
    people: pd.DataFrame
    reliability: pd.DataFrame
    permuted: pd.DataFrame
    name: str  # "" or "simulated recordings": goes into every title
    designs: "Results | None" = None  # networks of other designs on the same people, if they were trained


class Paper(NamedTuple):
    """What the paper prints, as in data/paper/."""

    models: pd.DataFrame
    strategies: pd.DataFrame
    compute: pd.DataFrame
    laws: pd.DataFrame
    claims: pd.DataFrame


def load(folder: Path, designs: bool = False) -> Results:
    """Read runs.csv, people.csv and, if there, reliability.csv and permuted.csv.

    InputError if a file cannot be read, a number is none or impossible, or the two tables are not of the same runs.

    The paper's networks alone, whose students and teachers are numbers of blocks, with the study in the folder
    receptive_field beside the tables, if there is one; or with `designs` all, as texts such as "1" and
    "1 d2.9.39" (blocks, and the design that is not the paper's)."""
    folder = Path(folder)
    frames = {}
    for name, needed in NEEDED.items():
        path = folder / name
        if not path.exists():
            raise InputError(f"{path} is missing: run the study first (notebook 03, or `make reproduce`).")
        frames[name] = read(path)
        if lacking := ", ".join(sorted(needed.union(MEASURED) - set(frames[name].columns))):
            raise InputError(f"{path} lacks the columns {lacking}: it is not from this program.")
        _check(path, frames[name])
    runs, people = frames.values()
    _check_alike(folder, runs, people)
    others = runs.reindex(columns=["design", "teacher_design"]).fillna("")
    if designs:
        for size, other in zip(("student", "teacher"), others):
            runs[size] = (runs[size].astype(str) + " " + others[other]).str.strip()
    else:
        left_out = runs.run_id[(others != "").any(axis=1)]
        runs, people = (frame[~frame.run_id.isin(left_out)] for frame in (runs, people))
    path, one_run = folder / "runs.csv", [*KEY, "fold", "seed"]
    if runs.empty or runs.run_id.duplicated().any():
        raise InputError(f"{path} has no runs, or one twice: run the sweep again to rebuild it.")
    for twice in runs.loc[runs.duplicated(one_run), one_run].to_dict("records"):
        raise InputError(f"{path} has two runs of {twice}: two studies of one recipe cannot share a table.")
    if set(runs.run_id) != set(people.run_id):
        raise InputError(f"{folder}: runs.csv and people.csv are not of the same runs: run the sweep again.")
    more = {"reliability": ["run_id", "bin", "n"], "permuted": ["run_id", "seconds", "dataset", "person", "n"]}
    for name, columns in more.items():
        path = folder / f"{name}.csv"
        frames[name] = read(path) if path.exists() else pd.DataFrame(columns=columns)
    label = "simulated recordings" if runs.simulated.any() else ""
    beside = folder / "receptive_field"
    others = load(beside, designs=True) if not designs and (beside / "runs.csv").exists() else None
    return Results(runs, people, frames["reliability"], frames["permuted"], label, others)


def read(path: Path) -> pd.DataFrame:
    """One CSV of a study; InputError if it is none. Names of people are text, also one called NA."""
    try:  # converters, not dtype=str: that would take NA for a missing one
        table = pd.read_csv(path, converters=dict.fromkeys(TEXT, str))
        if not isinstance(table.index, pd.RangeIndex):  # pandas would take the first fields for names of rows
            raise ValueError("rows have more fields than the header")
        return table
    except (ValueError, OSError) as error:  # empty, binary or uneven; a folder
        why = str(error).strip().splitlines()[0]
        raise InputError(f"{path} is no table ({why}): run the sweep again to rebuild it.") from None


def _check(path: Path, table: pd.DataFrame) -> None:
    """InputError, with the row, where a name is none, or a number is text, not finite, negative or not whole."""
    for column in NAMES[path.name]:
        if (wrong := table[column].isna()).any():
            _refuse(path, table[wrong], f"{column} is missing")
        for name in table[column].unique():
            files.name(str(name), f"{column} in {path}")
    for column in [*MEASURED, *WHOLE[path.name]]:
        number = pd.to_numeric(table[column], errors="coerce")
        wrong = ~np.isfinite(number) | (number < (column in ("n", "n_test")))
        wrong |= (number % 1 != 0) & (column in WHOLE[path.name])
        if wrong.any():
            value = table[column][wrong].iloc[0]
            _refuse(path, table[wrong], f"{column} is {files.short(value) if isinstance(value, str) else value}")


def _check_alike(folder: Path, runs: pd.DataFrame, people: pd.DataFrame) -> None:
    """InputError, with the row, unless each run has each of its people once, and they add up to what it says."""
    who = ["dataset", "person", *people.columns.intersection(["activity"])]
    if (wrong := people.duplicated(["run_id", *who])).any():
        _refuse(folder / "people.csv", people[wrong], "this person is there twice")
    if (wrong := people.person.str.strip() == "").any():
        _refuse(folder / "people.csv", people[wrong], "there is no person")
    sums = people[MEASURED].mul(people.n, axis=0).assign(n=people.n).groupby(people.run_id).sum()
    sums = sums.reindex(runs.run_id).set_axis(runs.index)
    if (wrong := sums.n.notna() & (sums.n != runs.n_test)).any():
        _refuse(folder / "runs.csv", runs[wrong], "windows of its people do not add up to n_test")
    for column in MEASURED:
        if (wrong := (sums[column] / sums.n - runs[column]).abs() > ALIKE * (1 + runs[column])).any():
            _refuse(folder / "runs.csv", runs[wrong], f"{column} is not the mean of its people")


def _refuse(path: Path, rows: pd.DataFrame, why: str) -> None:
    raise InputError(f"{path}, line {rows.index[0] + 2} (run {rows.run_id.iloc[0]}): {why}; run the sweep again.")


def load_paper(folder: Path = files.ROOT / "data" / "paper") -> Paper:
    """The paper's tables, typed once (data/README.md)."""
    names = ("table1_models", "table2_strategies", "table3_compute", "figure2_laws", "claims")
    return Paper(*(pd.read_csv(Path(folder) / f"{name}.csv") for name in names))


def beyond() -> list[str]:
    """Strategies that are neither the paper's nor a control: Table 2 does not show them."""
    return [name for name, row in STRATEGIES.items() if row.group == "beyond"]


def first_seed(results: Results) -> Results:
    """Seed 0 alone: the one that every condition has, and the only one that teaches."""
    return results._replace(runs=results.runs[results.runs.seed == 0])


def draws(results: Results, decoder: str = "argmax") -> pd.DataFrame:
    """MAE of every complete condition, column 0 observed, then the bootstrap (see `bootstrap.draws`)."""
    return bootstrap.draws(results.runs, results.people, DECODERS[decoder])


def conditions(results: Results, decoder: str = "argmax", dataset: str = "") -> pd.DataFrame:
    """One row a condition: KEY, mae, low, high (over people), people, windows, seeds, seed_sd, simulated."""
    people = results.people[results.people.dataset == dataset] if dataset else results.people
    given = results.runs, people, DECODERS[decoder]
    mae = bootstrap.draws(*given)
    table = pd.DataFrame(dict(zip(("mae", "low", "high"), bootstrap.error_interval(mae))), index=mae.index)
    table.loc[np.isinf(table.high), ["low", "high"]] = np.nan
    n = bootstrap.by_person(*given)[1].loc[mae.index]
    table["people"], table["windows"] = n.notna().sum(axis=1), n.sum(axis=1).round().astype(int)
    table = table.join(bootstrap.spread(*given))
    table["simulated"] = results.runs.groupby(KEY).simulated.any()
    return table.reset_index()


def main_split(table: pd.DataFrame, recipe: str) -> str:
    """The split by which a recipe is judged: the one by person, or else its only one that keeps people apart.

    "" where there is none, as in a study of shuffled windows, or where several test different people.
    table: of runs or conditions."""
    found = {*table.split[table.recipe == recipe]} - {"shuffled", *PARTS[:-1]}
    return "person" if "person" in found else found.pop() if len(found) == 1 else ""


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the `main_split` of their recipe."""
    return table[table.split == table.recipe.map({recipe: main_split(table, recipe) for recipe in table.recipe.unique()})]


def tested(results: Results, recipe: str) -> int:
    """How many people the networks of a recipe are judged on; 0 where it has no such split."""
    runs = judged(results.runs[results.runs.recipe == recipe])
    people = results.people[results.people.run_id.isin(runs.run_id)]
    return len(people[["dataset", "person"]].drop_duplicates())


def recipes(table: pd.DataFrame) -> list[str]:
    """Recipes of a table with any network in it, the public one first."""
    names = table[~table.strategy.isin(BASELINES)].recipe.unique()
    return sorted(names, key=lambda name: (name != "public", name))


def figure1(table: pd.DataFrame, recipe: str) -> pd.DataFrame:
    """Conditions of Figure 1: every student from scratch (teacher 0) and distilled from every teacher."""
    rows = judged(table[table.recipe == recipe])
    return rows[rows.strategy.isin(["scratch", "soft"])].sort_values(["student", "teacher"])


def table2(table: pd.DataFrame, recipe: str) -> pd.DataFrame:
    """Conditions of Table 2: every strategy at the largest teacher, scratch and the controls."""
    rows = judged(table[table.recipe == recipe])
    rows = rows[~rows.strategy.isin([*BASELINES, *beyond()])]
    return _sorted(rows[rows.teacher.isin([0, rows.teacher.max()])])


def baselines(table: pd.DataFrame) -> pd.DataFrame:
    """What no network reaches for free: the training mean, and the spectral peak."""
    return judged(table[table.strategy.isin(BASELINES)]).drop_duplicates("strategy")


def against_paper(table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Paper, ours, difference (BPM) for each strategy and student of Table 2 that both have."""
    ours = table[["strategy", "student", "mae", "low", "high", "simulated"]].rename(columns={"mae": "ours"})
    both = paper.rename(columns={"mae": "paper"}).merge(ours, on=["strategy", "student"])
    return both.assign(difference=both.ours - both.paper)


def quality(results: Results, recipe: str) -> pd.DataFrame:
    """rmse (BPM), within5, nll (nats) with low and high, and ece, of every strategy at the largest teacher.

    Pooled over the windows of the folds, mean of seeds within a fold. Limits are over people, NaN where a
    record does not keep the measures per person; ece, a mean over folds, has none."""
    runs = _whole(results, recipe).assign(squared=lambda runs: runs.rmse**2)
    by, columns = ["strategy", "student", "teacher"], [column for column, _ in QUALITY.values()]
    folds = runs.groupby([*by, "fold"])[[*columns, "ece", "n_test"]].mean()
    n, table = folds.n_test.groupby(by).sum(), pd.DataFrame(index=folds.groupby(by).size().index)
    lacking = results.people.run_id[results.people.reindex(columns=columns).isna().any(axis=1)]
    kept = runs[~runs.run_id.isin(lacking).groupby([runs[key] for key in by]).transform("any")]
    for name, (column, power) in QUALITY.items():
        table[name] = ((folds[column] * folds.n_test).groupby(by).sum() / n) ** (1 / power)
        table[f"{name}_low"] = table[f"{name}_high"] = np.nan
        if len(kept):
            drawn = bootstrap.draws(kept, results.people, column).droplevel(["recipe", "split"])
            _, *limits = bootstrap.interval(drawn.clip(0, 1 if name == "within5" else None) ** (1 / power))
            table.update(pd.DataFrame(dict(zip([f"{name}_low", f"{name}_high"], limits)), drawn.index))
    return _sorted(table.assign(ece=folds.ece.groupby(by).mean()).reset_index())


def reliability(results: Results, recipe: str, student: int) -> pd.DataFrame:
    """Confidence and accuracy in tenths of confidence, over all runs of a strategy of Table 2 at one size."""
    runs = _whole(results, recipe)
    runs = runs[(runs.student == student) & ~runs.strategy.isin(beyond())]
    rows = results.reliability.query("n > 0").merge(runs[["run_id", "strategy"]], on="run_id")
    sums = rows.assign(confidence=rows.confidence * rows.n, accuracy=rows.accuracy * rows.n)
    sums = sums.groupby(["strategy", "bin"])[["n", "confidence", "accuracy"]].sum().reset_index()
    return sums.assign(confidence=sums.confidence / sums.n, accuracy=sums.accuracy / sums.n)


def _whole(results: Results, recipe: str) -> pd.DataFrame:
    """Networks that are judged, at the largest teacher, of conditions that have every fold."""
    runs = judged(results.runs.query("recipe == @recipe and student > 0"))
    folds = runs.groupby(["strategy", "student", "teacher"]).fold.transform("nunique")
    runs = runs[folds == runs.fold.nunique()]
    return runs[runs.teacher.isin([0, runs.teacher.max()])]


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """By strategy in the order of their table, others after them by name; then by student."""
    order = list(dict.fromkeys([*BASELINES, *STRATEGIES, *sorted(table.strategy)]))
    return table.iloc[np.lexsort([table.student, table.strategy.map(order.index)])]


def tuning(folder: Path) -> pd.DataFrame:
    """Everything tried, one row a setting: its constants, MAE at each size and their mean; empty if nothing was."""
    path = Path(folder) / "tuning.csv"
    if not path.exists():
        return pd.DataFrame(columns=["step", "mean", "chosen"])
    table = pd.read_csv(path)
    sizes = table.pivot(index=["step", "setting"], columns="student", values="mae").add_prefix("mae ")
    known = {*"step setting strategy student teacher n_train n_test nll".split(), *DECODERS.values()}
    settings = table.groupby(["step", "setting"], sort=False)[[c for c in table if c not in known]].first()
    sizes = sizes.assign(mean=sizes.mean(axis=1).round(6))  # maes have six digits
    return settings.join(sizes).reset_index().drop(columns="setting")


def shown_strategies(results: Results) -> list[str]:
    """Strategies of the paper and their controls that the study has, in the order of the table of strategies."""
    run = set(results.runs.strategy)
    return [name for name, row in STRATEGIES.items() if name in run and row.group != "beyond"]
