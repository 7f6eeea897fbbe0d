"""What of a study is done, in words: networks trained and missing, hours they took, the best of them."""

import json
import math
import sys
import textwrap
import time
from pathlib import Path

BEST = 3  # networks of a recipe that are shown


def trained(folder: Path) -> dict[str, float]:
    """Seconds that each record in `folder`/runs took, by run id, without records that are damaged."""
    found = {}
    for path in sorted((folder / "runs").glob("*.json")):
        try:
            record = json.loads(json.loads(path.read_text(encoding="utf-8"))["record"])
            found[path.stem] = float(record["seconds"])
        except (ValueError, KeyError, TypeError):  # a sweep says so and makes it again
            continue
    return found


def folders(root: Path) -> list[Path]:
    """All folders below `root` that hold records."""
    return sorted(path.parent for path in Path(root).glob("**/runs") if any(path.glob("*.json")))


def lost(root: Path) -> str:
    """What goes if `root` is deleted; needs nothing but Python, because the environment goes too."""
    lines, hours = [], 0.0
    for folder in folders(root):
        seconds = trained(folder)
        took = sum(seconds.values()) / 3600
        lines.append(f"  {folder}: {len(seconds)} networks, which took {duration(took)} to train")
        hours += took
    files = [path for path in Path(root).rglob("*") if path.is_file()]
    lines.append(f"  {root} in all: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:,.0f} MB")
    return "\n".join([*lines, f"To train all of it again takes {duration(hours)} of one thread."] if hours else lines)


def duration(hours: float) -> str:
    """Hours as people say them."""
    if math.isnan(hours):
        return "nobody knows yet how long"
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} min" if hours >= 1 / 60 else f"{3600 * hours:.0f} s"


def progress(study, out: Path):
    """A row a recipe and split: networks, trained, missing, and hours that those took and these take by their cost.

    None where no windows of the study are kept in `out`: which records are of it cannot be told then."""
    import pandas as pd

    from ppglib.study import prepare
    from ppglib.study.groups import cost
    from ppglib.study.grid import runs

    windows = prepare.kept(study.datasets, out / "windows")
    if windows is None:
        return None
    digest, seconds = windows.digest(), trained(out)
    rows = [(run.recipe, run.split, cost(run), seconds.get(run.id(digest))) for run in runs(study, windows)]
    table = pd.DataFrame(rows, columns=["recipe", "split", "cost", "seconds"]).astype({"seconds": float})
    done = table.seconds.notna()
    rate = table.seconds.sum() / table.cost[done].sum() if done.any() else math.nan  # seconds for a unit of cost
    table["networks"], table["trained"], table["missing"] = 1, done.astype(int), (~done).astype(int)
    table["hours_taken"], table["hours_left"] = table.seconds / 3600, (table.cost * rate / 3600).where(~done, 0)
    summed = table.drop(columns=["cost", "seconds"]).groupby(["recipe", "split"], sort=False)
    return summed.agg(lambda part: part.sum(skipna=part.name == "hours_taken")).reset_index()


def one(study, out: Path, given: str) -> str:
    """How far a study is, and what to type to go on; given: its name as typed."""
    table, go_on = progress(study, out), f"Go on: ppglib sweep --study {given}{'' if study.simulate_people else ' --data FOLDER'}"
    go_on += "" if out == Path("out") / Path(given).stem else f" --out {out}"
    if table is None:
        records = len(trained(out))
        why = f"{out} has {records} records but no windows to tell whose" if records else f"nothing is in {out}"
        return f"{study.name} is not begun: {why}.\n{go_on}"
    total, left = table[["networks", "trained", "missing"]].sum(), table.hours_left.sum(skipna=False)
    lines = [f"{study.name}: {total.trained} of {total.networks} networks trained, in {duration(table.hours_taken.sum())}."]
    if total.missing:
        lines = [f"{lines[0]} {total.missing} are missing: {duration(left)} of one job."]
    hours = {name: table[name].map("{:.2f}".format).replace("nan", "?") for name in ("hours_taken", "hours_left")}
    made = out / "results/runs.csv"
    when = time.strftime("made on %d %b at %H:%M", time.localtime(made.stat().st_mtime)) if made.is_file() else ""
    lines += [table.assign(**hours).to_string(index=False), f"Tables: {out / 'results'}, {when or 'not made yet: a sweep does at its end'}."]
    return "\n".join([*lines, go_on] if total.missing else lines)


def every(root: Path) -> str:
    """A line a study in `root`, and the names of those that come with the library and are not begun."""
    import pandas as pd

    from ppglib.files import InputError
    from ppglib.study import studies

    rows, names = [], {path.stem for path in studies.BUILT_IN.glob("*.toml")}
    parts = {other for name in names for other in studies.read(name).also}
    for folder in folders(root):
        seconds = trained(folder)
        try:
            table = progress(studies.read(folder.name), folder)
        except InputError:  # a study file of the user's, or a folder of another name
            table = None
        if table is None:
            counts = [len(seconds), "?", f"{sum(seconds.values()) / 3600:.2f}", "?"]
        else:
            total = table.drop(columns=["recipe", "split"]).sum(skipna=False)
            left = f"{total.hours_left:.2f}".replace("nan", "?")
            counts = [int(total.trained), int(total.missing), f"{total.hours_taken:.2f}", left]
        rows.append([folder.name, *counts, str(folder / "results")])
        parts.add(folder.name)
    columns = ["study", "trained", "missing", "hours_taken", "hours_left", "results"]
    table = pd.DataFrame(rows, columns=columns).to_string(index=False) if rows else f"No study is begun in {root}."
    hint = "\n?: ask for it, ppglib status --study FILE.toml --out FOLDER" * any("?" in row for row in rows)
    return f"{table}{hint}\n" + textwrap.fill(f"Not begun: {', '.join(sorted(names - parts))}.", 80)


def best(runs, study) -> str:
    """The networks with the lowest errors beside the baselines, recipe by recipe, on the study's first split."""
    held_out = runs[runs.split == study.splits[0]]
    names = ["recipe", "strategy", "student", "teacher", "design", "teacher_design"]
    means = held_out.fillna({"design": "", "teacher_design": ""}).groupby(names, sort=False)
    table = means.agg(mae=("mae", "mean"), folds=("fold", "nunique"), of=("seed", "size")).reset_index()
    table = table[table.folds == held_out.fold.nunique()].sort_values("mae", kind="stable")
    table["network"] = [
        r.strategy if not r.student else f"{r.strategy}, {r.student} block{'s' * (r.student > 1)}{r.design and ' ' + r.design}" + (
            f", from {r.teacher}{r.teacher_design and ' ' + r.teacher_design}" if r.teacher else ""
        )
        for r in table.itertuples()
    ]
    whose = "simulated test people" if runs.simulated.any() else "the test people"
    lines = [f"Mean absolute error (BPM) on {whose}, mean over folds and seeds:"]
    for recipe, rows in table.groupby("recipe", sort=False):
        networks, baselines = rows[rows.student > 0], rows[rows.student == 0]
        for r in [*networks.head(BEST).itertuples(), *baselines.itertuples()]:
            kind = "baseline" if r.student == 0 else recipe
            lines.append(f"  {kind:9} {r.mae:6.2f}  {r.network}")
        if len(networks) > BEST:
            lines.append(f"  The {BEST} best of {len(networks)}: the least of many is low by luck too.")
    return "\n".join(lines)


if __name__ == "__main__":
    print(lost(Path(sys.argv[1])))
