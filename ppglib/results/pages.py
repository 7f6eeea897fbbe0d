"""The report of a study as pages: index.html, a page a notebook, and explore.html, all of what lies in one folder.

Pages ask no other host for anything and need no server. What index.html shows is kept beside it as report.json, so
that studies in one folder name each other: their pages are written again from it when one is added."""

import json
import os
import re
import textwrap
from datetime import date
from html import unescape
from pathlib import Path

import nbformat
import pandas as pd
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from PIL import Image

from ppglib import files
from ppglib.results import explore, networks, overview, plots_of_people, tables
from ppglib.results.kit import VERDICTS
from ppglib.results.outcome import YES
from ppglib.results.render import PAGE, render

COMMITTED = files.ROOT / "data" / "results" / "open"  # what the notebooks' words were written about
OTHER = ("00", "02", "07", "10", "11", "12")  # their words are about something else than the study that is shown
FOREIGN = "The words of the notebooks are about the study open, of real recordings. Tables and figures are of {}."
WIDGET = "application/vnd.jupyter.widget-view+json"
DECODED = {"argmax": "MAE by argmax", "median": "by median", "online": "tracked online", "smooth": "tracked, smooth"}


def write(out: Path, results: Path, measured: pd.DataFrame | None = None) -> Path:
    """Write `out`/index.html and all pages that it links to, and return its path.

    out: with notebooks/*.ipynb as they were run, figures and tables. results: folder of the study's tables; where
    there are none, the pages show the rest. measured: as for `claims.judge`."""
    out, results = Path(out), Path(results)
    about = {"name": out.name, "whose": "notebooks", "simulated": False, "heading": out.name}
    if (results / "runs.csv").is_file():
        about |= study(out, results, measured)
    foreign = FOREIGN.format(about["name"]) if results.resolve() != COMMITTED else ""
    books = executed(out / "notebooks")
    for i, book in enumerate(books):
        beside = {"before": books[i - 1] if i else None, "after": books[i + 1] if i + 1 < len(books) else None}
        more = {"study": about["name"], "note": foreign if book["number"] not in OTHER else ""}
        values = book | beside | more | {"title": f"{book['number']} {book['title']} · {about['name']}, {about['whose']}"}
        files.write(out / "notebooks" / book["page"], render("notebook", **values))
    about |= listing(out, books) | {"foreign": foreign}
    files.write(out / "report.json", json.dumps(about, indent=1, ensure_ascii=False).encode())
    return family(out)


def family(out: Path) -> Path:
    """Write index.html of `out` and of the studies around it, with links to one another; returns that of `out`."""
    root = out.parent if (out.parent / "report.json").is_file() else out
    found = sorted({path.parent for pattern in ("report.json", "*/report.json") for path in root.glob(pattern)})
    about = {folder: json.loads((folder / "report.json").read_text(encoding="utf-8")) for folder in found}
    order = sorted(found, key=lambda folder: about[folder]["simulated"])  # real people first
    for folder in found:
        known = [
            {"link": os.path.relpath(other / "index.html", folder).replace(os.sep, "/"), "here": other == folder}
            | {key: about[other][key] for key in ("name", "whose")}
            for other in order
        ]
        title = f"{about[folder]['name']}, {about[folder]['whose']}: heart-rate networks and what teaches them"
        files.write(folder / "index.html", render("index", title=title, studies=known, **about[folder]))
    return out / "index.html"


def study(out: Path, folder: Path, measured) -> dict:
    """What the tables of a study say, for index.html; writes explore.html and the figures of people on the way."""
    results, found = tables.load(folder), networks.studies(folder)
    whose = "simulated people" if results.name else "real recordings"
    about = {"name": min(results.runs.study.unique(), key=len), "whose": whose, "simulated": bool(results.name)}
    about["heading"] = f"Study {about['name']}: {whose}"
    if not found:
        return about
    catalogue, paper = networks.catalogue(found), tables.load_paper()
    judged, people = explore.judged(results, paper, measured), networks.sets(folder, results)
    for plot in (plots_of_people.folds(results, people), plots_of_people.per_person(results), plots_of_people.by_set(results)):
        plot.save(out)
    explore.write(out / "explore.html", f"{about['name']}, {whose}", catalogue, judged)
    today = date.today().isoformat()
    about |= {"explorer": True, "answer": overview.answer(people, catalogue, results), "sets": rows_of(people)}
    about |= {"facts": overview.facts(found, catalogue, today), "count": networks.counted(catalogue)}
    return about | {"networks": chosen(catalogue)} | claims_of(judged)


def rows_of(people: pd.DataFrame) -> list[dict[str, str]]:
    """The sets as texts, under the words that a reader knows."""
    words = {"dataset": "set", "people": "people", "tested": "of them tested", "recordings": "recordings", "hours": "hours"}
    words |= {"kept": "windows", "refused": "windows refused"}
    text = people.assign(**{name: people[name].map("{:.1f}".format) for name in ("hours",) if name in people})
    numbers = [name for name in words if name in text and name not in ("dataset", "hours")]
    text = text.assign(**{name: text[name].map("{:,.0f}".format) for name in numbers})
    return text[[name for name in words if name in text]].rename(columns=words).to_dict("records")


def chosen(catalogue: pd.DataFrame) -> list[dict[str, str]]:
    """The table "which network do I take", a dict of texts a row."""
    table, rows = networks.choice(catalogue), []
    ways = {name: words for name, words in DECODED.items() if f"mae_{name}" in table}
    number = lambda value, form: "" if pd.isna(value) else form.format(value)  # noqa: E731
    for row in table.itertuples():
        name = networks.named(row) + (f" ({networks.sized(row.student)})" if row.student in networks.NAMES else "")
        cells = {"network": name, "learned": networks.learned(row), "sees": number(row.field, "{:.1f} s")}
        cells |= {"parameters": number(row.parameters, "{:,.0f}"), "million MACs": number(row.macs / 1e6, "{:.2g}")}
        cells |= {"kB": number(row.bytes / 1e3, "{:.0f}")}
        rows.append(cells | {words: overview.limits(row._asdict(), f"_{name}") for name, words in ways.items()})
    return rows


def claims_of(judged: pd.DataFrame) -> dict:
    """Claims, what each is judged on and what came out, decoded by argmax, for the table of verdicts."""
    rows, kinds = judged[judged.decoder == "argmax"], [*VERDICTS]
    judged_on, claims = [*dict.fromkeys(rows["judged on"])], []
    for number, own in rows.groupby("id", sort=False):
        cells = [{"kind": kinds.index(o.verdict), "symbol": VERDICTS[o.verdict][1], "text": o.how or VERDICTS[o.verdict][2]}
                 for o in own.itertuples()]  # fmt: skip
        claims.append({"id": number, "text": own.claim.iloc[0], "cells": cells})
    counts = [f"{(rows[rows['judged on'] == name].verdict == YES).sum()} by {name}" for name in judged_on[1:]]
    held = f"Of {len(claims)} claims, reproduced: {overview.listed(counts)}."
    return {"claims": claims, "judged_on": judged_on, "held": held}


def executed(folder: Path) -> list[dict]:
    """Every notebook that was run: page, number, title, short, finding, question, kind, toc, tables, body (HTML)."""
    paths = sorted(path for path in folder.glob("[!.]*.ipynb") if not path.stem.endswith(".failed"))
    exporter = HTMLExporter(template_name="cells", extra_template_basedirs=[str(PAGE)], exclude_input_prompt=True)
    exporter.exclude_output_prompt = exporter.exclude_anchor_links = True
    return [read(path, {other.stem for other in paths}, exporter) for path in paths]


def read(path: Path, pages: set[str], exporter: HTMLExporter) -> dict:
    """One notebook, with links to those that have a page, and figures that say what they show."""
    notebook, toc, shown = nbformat.read(path, as_version=4), [], []
    number = path.stem.partition("_")[0]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            parts = output.get("data", {})
            said = " ".join(str(parts.get("text/plain", "")).split())
            if WIDGET in parts:
                output["data"] = parts = {"text/markdown": "*Controls move in JupyterLab only; what they show at first is drawn beside them.*"}
            if "image/png" in parts:
                output.metadata["image/png"] = {"alt": said}
            caption = re.search(r"<caption[^>]*>(.*?)</caption>", parts.get("text/html", ""), re.S)
            if caption:
                said = unescape(caption[1])
                shown.append({"number": number, "caption": textwrap.shorten(said, 160, placeholder=" …"), "html": parts["text/html"]})
            if caption or "image/png" in parts:
                toc.append({"id": f"cell-id={cell.id}", "text": textwrap.shorten(said, 90, placeholder=" …")})
    body, resources = exporter.from_notebook_node(notebook)
    style = "".join(f"<style>{css}</style>" for css in resources["inlining"]["css"][:1])
    first = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    return {"page": f"{path.stem}.html", "number": number, "toc": toc, "tables": shown} | told(first, path.stem) | {
        "body": style + linked(body, pages)
    }  # fmt: skip


def told(source: str, stem: str) -> dict[str, str]:
    """title, short, finding, kind and question of the first cell of a notebook: a heading, and bold words to begin with."""
    heading, _, text = source.partition("\n")
    title = re.sub(r"^#\s*(\d+\s*·\s*)?", "", heading).strip() or stem
    parts = [re.match(r"\*\*(.+?)\*\*\s*(.*)", part, re.S) for part in text.strip().split("\n\n")]
    said = {"title": title, "short": title.partition(":")[0], "finding": "", "question": "", "kind": ""}
    for part in filter(None, parts):
        word = part[1].rstrip(":.").lower()
        if word in ("finding", "in short"):
            said |= {"kind": part[1].rstrip(":."), "finding": inline(part[2])}
        elif word.startswith(("the claim", "the question", "every claim")):
            said["question"] = inline(re.sub(r"^\([^)]*\):\s*", "", part[2]) if not word.startswith("every") else f"Every claim {part[2]}")
    return said


def inline(text: str) -> str:
    """Whole sentences up to about 240 characters, as HTML."""
    sentences, kept = re.split(r"(?<=[.?!]) +(?=[A-Z`0-9\"])", " ".join(text.split())), ""
    for sentence in sentences:
        if kept and len(kept) + len(sentence) > 240:
            break
        kept = f"{kept} {sentence}".strip()
    return re.sub(r"^<p>|</p>$", "", markdown2html_mistune(kept[:1].upper() + kept[1:]).strip())


def linked(body: str, pages: set[str]) -> str:
    """Links to notebooks lead to their pages; those to what has none become plain text."""

    def link(found):
        target, text = found[2], found[4]
        if target.startswith(("#", "http://", "https://", "mailto:")):
            return found[0]
        stem = target.partition("#")[0].removesuffix(".ipynb")
        return f'<a href="{stem}.html">{text}</a>' if stem in pages else text

    return re.sub(r'<a ([^>]*?)href="([^"]*)"([^>]*)>(.*?)</a>', link, body, flags=re.S)


def listing(out: Path, books: list[dict]) -> dict:
    """Cards of notebooks, figures, tables and files below `out`, and the heading."""
    cards = [{**{k: b[k] for k in ("number", "title", "finding", "question", "kind")}, "page": f"notebooks/{b['page']}"} for b in books]
    shown = [table for book in books for table in book["tables"]]
    rest = [path.relative_to(out).as_posix() for pattern in ("tables/*.csv", "results/*.csv") for path in sorted(out.glob(pattern))]
    pages = {book["number"]: f"notebooks/{book['page']}" for book in books}
    figures = [figure(path, out, pages) for path in sorted(out.glob("figures/*.png"))]
    footer = f"Written by ppglib on {date.today().isoformat()}. Heart rates from here are no medical advice."
    return {"cards": cards, "tables": shown, "figures": figures, "files": rest, "footer": footer}


def figure(path: Path, out: Path, pages: dict[str, str]) -> dict:
    """A saved figure: its title, which the file holds, size, page, and its other forms."""
    with Image.open(path) as image:
        title, size = getattr(image, "text", {}).get("Title", path.stem), image.size
    links = [{"href": other.relative_to(out).as_posix(), "text": word}
             for word, other in (("PDF", path.with_suffix(".pdf")), ("data", path.with_suffix(".csv"))) if other.is_file()]  # fmt: skip
    number = path.stem.partition("_")[0]
    about = {"name": path.stem, "png": path.relative_to(out).as_posix(), "title": title, "links": links, "number": number}
    return about | {"width": size[0], "height": size[1], "page": pages.get(number, "")}
