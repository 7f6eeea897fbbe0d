"""What a study found, in three sentences, and what was run on whom."""

from pathlib import Path

import pandas as pd

from ppglib.files import library_version
from ppglib.results import networks
from ppglib.results.tables import BASELINES, Results, judged

FEW = 12  # test people: with fewer, intervals are wide enough to be worth a warning
LOST = 0.05  # share of windows refused that is worth a warning


def answer(sets: pd.DataFrame, catalogue: pd.DataFrame, results: Results) -> list[str]:
    """Three sentences: the people, the best network against the better baseline, and what to mind.

    sets, catalogue: of `networks`; results: of the study itself."""
    return [people(sets, results), against_baseline(catalogue), mind(sets, catalogue, results)]


def people(sets: pd.DataFrame, results: Results) -> str:
    """Whose recordings, how many windows of them, and how many people were tested."""
    who = f"{sets.people.sum():.0f} {'simulated ' * bool(results.name)}people of {listed(sorted(sets.dataset))}"
    hours = f"{sets.hours.sum():.1f} hours, " if "hours" in sets else ""
    folds = judged(results.runs).fold.nunique()
    tested = f"{sets.tested.sum():.0f} of them are tested by networks that were trained without them"
    return f"{who}, {hours}{sets.kept.sum():,.0f} windows of 8 s; {tested}, in {folds} fold{'s' * (folds > 1)}."


def against_baseline(catalogue: pd.DataFrame) -> str:
    """The lowest MAE of a network, by argmax as in the paper, beside the lower of two baselines."""
    network, baseline = networks.best(catalogue)
    count, by = networks.counted(catalogue), networks.learned(network)
    said = f"Of {count} networks the best ({networks.named(network)}; {by}) errs by {limits(network)} BPM"
    return f"{said}, the better baseline ({networks.named(baseline)}) by {limits(baseline)}."


def mind(sets: pd.DataFrame, catalogue: pd.DataFrame, results: Results) -> str:
    """What weakens the two sentences before, in one."""
    own = catalogue[(catalogue.dataset == "") & (catalogue.decoder == "argmax") & ~catalogue.strategy.isin(BASELINES)]
    once, count, tested = (own.seeds == 1).sum(), len(own), sets.tested.sum()
    lost = sets.refused.sum() / (sets.refused + sets.kept).sum() if "refused" in sets else 0
    missing = incomplete(results)
    found = {
        "the people are simulated and say nothing about real ones": results.name,
        f"only {tested:.0f} people were tested, so intervals are wide": tested < FEW,
        "the best of many by its test error looks a little better than it is": count > 1,
        f"{once} of {count} networks were trained once, and other seeds would move them": once,
        f"{lost:.0%} of the windows were refused": lost > LOST,
        f"{missing} networks lack a fold and are left out": missing,
    }
    said = "; ".join(text for text, holds in found.items() if holds)
    return f"Mind: {said or 'nothing that these tables show'}."


def incomplete(results: Results) -> int:
    """Networks of the split by person that are not trained in every fold of their recipe."""
    runs = judged(results.runs[~results.runs.strategy.isin(BASELINES)])
    folds = runs.groupby(["recipe", "strategy", "student", "teacher"]).fold.nunique()
    return int((folds < folds.groupby(level="recipe").transform("max")).sum())


def facts(found: dict[Path, Results], catalogue: pd.DataFrame, day: str) -> dict[str, str]:
    """What was run, where and with what: words and their text. found: as `networks.studies` gives it."""
    runs = pd.concat([results.runs for results in found.values()])
    runs = runs[~runs.strategy.isin(BASELINES)]
    of = lambda name: listed(sorted(runs[name].dropna().astype(str).unique())) if name in runs else ""  # noqa: E731
    clocks = [folder / "timing.csv" for folder in found if (folder / "timing.csv").exists()]
    hours = sum(pd.read_csv(path).seconds.sum() for path in clocks) / 3600
    trained = f"{networks.counted(catalogue)} networks, each in every fold: {len(runs):,} trainings"
    return {
        "Recipes": of("recipe"), "Strategies": of("strategy"),
        "Trained": trained + (f", {hours:.1f} hours of one thread" if hours >= 0.1 else f", {hours * 60:.0f} minutes"),
        "Machine": of("device"), "Versions": f"ppglib {library_version()}; trained with torch {of('torch')}",
        "Page written": day,
    }  # fmt: skip


def limits(row, decoder: str = "") -> str:
    """ "2.50 [2.11, 2.95]": MAE with its interval over people, of a row of the catalogue or of `networks.choice`."""
    mae, low, high = (row[name + decoder] for name in ("mae", "low", "high"))
    return "" if pd.isna(mae) else f"{mae:.2f}" + ("" if pd.isna(low) else f" [{low:.2f}, {high:.2f}]")


def listed(names) -> str:
    """ "a, b and c"."""
    *first, last = list(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last
