"""The findings and tables of a study as one Markdown page beside its CSVs: `python -m ppglib report`."""

from pathlib import Path

import pandas as pd

from ppglib import files
from ppglib.results import claims, frames, tables
from ppglib.results.tables import Paper, Results
from ppglib.task import DECODERS

HEAD = """# Results of the study `{name}`

{whose} Each recipe of training is judged by itself, and so are the tables that the paper prints (for
teachers of 8 and 10 blocks, points of the curves that it prints for them): no people stand behind these, so that signs
alone decide. Differences are in BPM, below 0 where the first of two is better;
brackets are 95 % intervals. The end says how a verdict is reached and what the words mean.

Written by `python -m ppglib report --results {folder}` from the CSVs beside it: do not edit.

{contents}
"""


def write(folder: Path, paper: Paper, measured: pd.DataFrame | None = None) -> Path:
    """Write `folder`/README.md, whole or not at all, and return its path; measured: see `claims.judge`."""
    path = Path(folder) / "README.md"
    files.write(path, page(tables.load(folder), Path(folder), paper, measured).encode())
    return path


def page(results: Results, folder: Path, paper: Paper, measured: pd.DataFrame | None = None) -> str:
    """The page: verdicts, findings claim by claim, then every table of notebooks 04 to 09."""
    judged = claims.judge(results, paper, measured)
    of = lambda *functions: [function(results) for function in functions]  # noqa: E731
    laws = [frames.law_table(results), frames.paper_laws(paper), frames.table2_laws(paper)]
    laws += [frames.rivals(results, paper), frames.grid_rivals(results)]
    laws += [frames.forecast(frames.forecasts(results, paper))]
    found = {
        "What was run": of(frames.summary),
        "Verdicts": [frames.overview(judged), frames.other_decoders(results, paper)],
        "Findings, one by one": [finding(judged, number) for number in range(len(paper.claims))],
        "Strategies": [frames.table2(results, decoder) for decoder in DECODERS],
        "Strategies and controls compared": of(frames.by_size, frames.all_controls, frames.beyond),
        "Strategies on each set and beyond MAE": of(frames.table2_by_set, frames.quality),
        "Baselines and seeds": of(frames.baselines, frames.seeds),
        "Beside the paper": [frames.against_paper(results, paper)],
        "Teachers and students of every size": of(frames.figure1, frames.by_relation),
        "What makes a good teacher": of(frames.teacher_strength, frames.teacher_confidence),
        "Scaling laws": laws,
        "Across datasets": of(frames.generalization, frames.transfer),
        "How the tuned recipe was found": [frames.tuning(folder)],
        "How a verdict is reached, and words": [frames.rules(), frames.glossary()],
    }
    text = {}
    for title, parts in found.items():
        if parts := [part if isinstance(part, str) else part.markdown() for part in parts if len(part)]:
            text[title] = "\n".join(parts)
    links = [f"[{title}](#{title.lower().replace(',', '').replace(' ', '-')})" for title in text]
    name, folder = min(results.runs.study.unique(), key=len), Path(folder).resolve()
    where = folder.relative_to(files.ROOT) if folder.is_relative_to(files.ROOT) else folder.name
    head = HEAD.format(name=name, folder=where, whose=whose(results, folder), contents=" · ".join(links))
    return "\n".join([head, *(f"## {title}\n\n{part}" for title, part in text.items())])


def finding(judged: dict[str, pd.DataFrame], number: int) -> str:
    """One claim: what it says, then verdict and reason, once for all recipes that have the same."""
    rows, said = {name: table.iloc[number] for name, table in judged.items()}, {}
    for name, row in rows.items():
        (verdict,) = frames.verdict_text(pd.DataFrame([row]))
        said.setdefault(f"**{verdict}**. {row.why}", []).append(f"*{name}*")
    claim = next(iter(rows.values()))
    lines = [f"**{claim.id}. {claim.claim}** ({claim['where']})\n"]
    return "\n".join(lines + [f"- {', '.join(names)}: {text}" for text, names in said.items()]) + "\n"


def whose(results: Results, folder: Path) -> str:
    """Whose recordings, on which machine, and the hours of one thread."""
    networks, path = results.runs[results.runs.student > 0], Path(folder) / "timing.csv"
    machine, versions = (", ".join(sorted(networks[k].dropna().unique())) for k in ("device", "torch"))
    hours = f", {pd.read_csv(path).seconds.sum() / 3600:.1f} hours of one thread" if path.exists() else ""
    people = "Simulated people, who say nothing about real ones." if results.name else "Real people."
    return f"{people} {len(networks)} networks were trained on {machine} with torch {versions}{hours}."
