"""The README's table says what the committed results say."""

import re

import pandas as pd
import pytest

from ppglib import across, claims, controls, evidence, grid, studies, tables
from ppglib.paths import ROOT, resolve

README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(recipe):
    """Strategy -> its cells, from the recipe's table, whose head names the students."""
    lines = README.split(f"| MAE in BPM, `{recipe}` |")[1].splitlines()
    head = [int(n) for n in re.findall(r"(\d+) block", lines[0])]
    found = {}
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found[re.match(r"\w+", name)[0]] = dict(zip(head, cells, strict=True))
    return found


@pytest.fixture(scope="module")
def measured():
    return tables.conditions(tables.load(resolve("data/results/open")))


@pytest.mark.parametrize("recipe", ["public", "tuned"])
def test_every_cell_is_the_measured_one(measured, recipe):
    """And every measured one has a cell; the paper's number stands beside those of the recipe that is its."""
    paper = pd.read_csv(resolve("data/paper/table2_strategies.csv")).set_index(["strategy", "student"]).mae
    expected = {}
    for row in tables.table2(measured, recipe).itertuples():
        cell = f"{row.mae:.2f} [{row.low:.2f}, {row.high:.2f}]"
        key = row.strategy, row.student
        quoted = recipe == "public" and key in paper
        expected[key] = f"{cell} / {paper[key]:.2f}" if quoted else cell
    shown = {
        (strategy, size): cell for strategy, cells in rows(recipe).items() for size, cell in cells.items()
    }
    assert {key: cell for key, cell in shown.items() if cell} == expected


def test_the_counts_and_hours_are_the_measured_ones():
    runs = pd.read_csv(resolve("data/results/open/runs.csv"))
    hours = pd.read_csv(resolve("data/results/open/timing.csv")).seconds.sum() / 3600
    text, planned = " ".join(README.split()), len(grid.runs(studies.read("open")))
    assert f"{(runs.student > 0).sum()} of its {planned} networks" in text
    assert f"{hours:.1f} hours of one thread" in text


def test_the_baselines_are_the_measured_ones(measured):
    for row in tables.baselines(measured).itertuples():
        assert f"{row.mae:.1f} [{row.low:.1f}, {row.high:.1f}]" in README


@pytest.mark.parametrize("recipe, quoted", [
    ("public", ["+soft - scratch", "+dkd - scratch", "+soft - gaussian", "-median - argmax",
                "-tuned - public, scratch", "-shuffled - person, scratch"]),
    ("tuned", ["-soft - scratch", "-dkd - scratch", "-gaussian - scratch", "+dkd - soft8", "+dkd - gaussian",
               "-dkd - scratch, median", "-gaussian - scratch, median", "+cdf - dkd", "+window_dkd - dkd",
               "+dist - dkd", "+dense_scratch - scratch", "+dense_soft - dkd"]),
])  # fmt: skip
def test_the_differences_are_the_measured_ones(recipe, quoted):
    table = controls.table(tables.load(resolve("data/results/open")), recipe).set_index("compared")
    text = " ".join(README.split())
    for sign, pair in ((int(q[0] + "1"), q[1:]) for q in quoted):
        row = table.loc[pair]
        low, high = sorted((sign * row.low, sign * row.high))
        assert f"{sign * row.effect:.2f} [{low:.2f}, {high:.2f}]" in text, pair


def test_the_effects_of_a_teachers_size_are_the_measured_ones():
    paper = tables.load_paper(resolve("data/paper"))
    own = evidence.ours(tables.load(resolve("data/results/open")), "public")
    verdicts = claims.verdicts(own, paper.claims).set_index("id")
    for row in verdicts.loc[[4, 5]].itertuples():
        assert f"{row.effect:+.2f} [{row.low:+.2f}, {row.high:+.2f}]" in README, row.Index
    assert "better in 2 of 25 pairs" in verdicts.why[1] and "in 23 of 25 pairs" in " ".join(README.split())


def test_the_gains_across_datasets_are_the_measured_ones():
    gains = across.gains(tables.load(resolve("data/results/open")), "public").query("strategy == 'soft'")
    for row in gains.itertuples():
        assert f"{row.effect:+.2f} [{row.low:+.2f}, {row.high:+.2f}]" in " ".join(README.split()), row.dataset


def test_the_speeds_are_the_measured_ones():
    ratio = [f"{r:.1f}" for r in pd.read_csv(resolve("data/results/training/training.csv")).ratio]
    assert f"{', '.join(ratio[:-1])} and {ratio[-1]} times" in " ".join(README.split())


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"\b[A-Z]{8,}\b", README.replace("CITATION", ""))


def test_every_file_that_it_names_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
