"""The findings and tables of a study as one Markdown page beside its CSVs: `python -m ppglib report`."""

from pathlib import Path

import pandas as pd

from ppglib import files
from ppglib.results import claims, frames, tables
from ppglib.results.tables import Paper, Results
from ppglib.task import DECODERS

HEAD = """# Results of the study `{name}`

Written by `python -m ppglib report --results {folder}` from the CSVs beside it; do not edit. What the words mean
stands at the end. {whose}
"""


def write(folder: Path, paper: Paper, measured: pd.DataFrame | None = None) -> Path:
    """Write `folder`/README.md, whole or not at all, and return its path; measured: see `claims.judge`.

    Raises InputError where `folder` holds no results.
    """
    path = Path(folder) / "README.md"
    files.write(path, page(tables.load(folder), Path(folder), paper, measured).encode())
    return path


def page(results: Results, folder: Path, paper: Paper, measured: pd.DataFrame | None = None) -> str:
    """The page: verdicts, findings claim by claim, then every table of notebooks 04, 05, 06, 08 and 09."""
    judged = claims.judge(results, paper, measured)
    name = " + ".join(sorted(results.runs.study.unique(), key=len)[:1])
    head = HEAD.format(name=name, folder=shown(folder), whose=whose(results, folder))
    sections = {
        "What was run": [frames.summary(results)],
        "Verdicts": [frames.overview(judged), frames.counts(judged), frames.other_decoders(results, paper)],
        "Strategies": [
            *(frames.table2(results, decoder) for decoder in DECODERS),
            frames.baselines(results),
            frames.seeds(results),
            frames.against_paper(results, paper),
            frames.all_controls(results),
            frames.by_size(results),
            frames.beyond(results),
            frames.quality(results),
        ],
        "Strategies on each set": [frames.table2_by_set(results)],
        "Teachers and students of every size": [
            frames.figure1(results),
            frames.by_relation(results),
            frames.by_teacher(results),
            frames.teacher_strength(results),
            frames.teacher_confidence(results),
        ],
        "Scaling laws": [
            frames.law_table(results),
            frames.rivals(results, paper),
            frames.grid_rivals(results),
            frames.forecast(frames.forecasts(results, paper)),
        ],
        "Across datasets": [frames.generalization(results), frames.transfer(results)],
        "How the tuned recipe was found": [frames.tuning(folder)],
    }
    text = {title: [table.markdown() for table in found if len(table)] for title, found in sections.items()}
    findings = [finding(judged, number) for number in range(len(paper.claims))]
    first = {name: text.pop(name) for name in ("What was run", "Verdicts")} | {
        "Findings, one by one": findings
    }
    last = {"How a verdict is reached, and words": [frames.rules().markdown(), frames.glossary().markdown()]}
    body = [f"## {title}\n\n" + "\n".join(parts) for title, parts in (first | text | last).items() if parts]
    return "\n".join([head, *body])


def finding(judged: dict[str, pd.DataFrame], number: int) -> str:
    """One claim: what it says, and for everything that it was judged on the verdict, effect and reason."""
    rows = {name: table.iloc[number] for name, table in judged.items()}
    claim = next(iter(rows.values()))
    lines = [f"**{claim.id}. {claim.claim}** ({claim['where']})\n"]
    for name, row in rows.items():
        (verdict,) = frames.verdict_text(pd.DataFrame([row]))
        lines.append(f"- *{name}*: **{verdict}**. {row.why[:1].upper()}{row.why[1:]}")
    return "\n".join(lines) + "\n"


def whose(results: Results, folder: Path) -> str:
    """Whose recordings, on which machine, and the hours of one thread."""
    networks = results.runs[results.runs.student > 0]
    machine = ", ".join(sorted(networks.device.dropna().unique()))
    versions = ", ".join(sorted(networks.torch.dropna().unique()))
    path = Path(folder) / "timing.csv"
    hours = f", {pd.read_csv(path).seconds.sum() / 3600:.1f} hours of one thread" if path.exists() else ""
    people = (
        "Simulated people; nothing here says anything about real ones."
        if results.name
        else "Real recordings."
    )
    return f"{people} {len(networks)} networks trained on {machine} with torch {versions}{hours}."


def shown(folder: Path) -> str:
    """The folder as the page names it: from the root of the repository where it lies in it."""
    folder = Path(folder).resolve()
    return folder.relative_to(files.ROOT).as_posix() if folder.is_relative_to(files.ROOT) else folder.name
