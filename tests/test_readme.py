"""README quotes five numbers, and the page of the study is what its CSVs say."""

import re

import numpy as np
import pandas as pd
import pytest

from ppglib.bench import costs
from ppglib.files import ROOT
from ppglib.resnet1d import Design
from ppglib.results import bootstrap, claims, controls, evidence, outcome, report, students, tables
from ppglib.study import grid, studies

README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = " ".join(README.split())
OPEN = ROOT / "data" / "results" / "open"


@pytest.fixture(scope="module")
def results():
    return tables.load(OPEN)


def test_the_five_numbers_are_the_measured_ones(results):
    frames = {recipe: controls.table(results, recipe).set_index("compared") for recipe in ("public", "tuned")}

    def said(recipe, pair, sign):
        return in_words(frames[recipe].loc[pair], sign) + " BPM"

    def in_words(row, sign):
        limits = outcome.widened(row.effect, row.low, row.high, row.seed_sd)
        low, high = sorted(sign * limit for limit in limits)
        return f"{sign * row.effect:.2f} [{low:.2f}, {high:.2f}]"

    assert f"*tuned* is better than *public* by {said('public', 'tuned - public, scratch', -1)}" in TEXT
    assert f"worse than scratch by {said('public', 'soft - scratch', 1)}" in TEXT
    assert f"better than scratch by {said('tuned', 'dkd - scratch', -1)}" in TEXT
    others = controls.beyond(results, "tuned").query("decoder == 'expectation'").set_index("compared")
    expectation = others.loc["scratch - dkd"]
    assert f"(by the expectation {in_words(expectation, 1)})" in TEXT
    assert frames["public"].reading["soft_t1 - scratch"] == "not distinguishable"
    assert frames["tuned"].reading["dkd - gaussian"] == "not distinguishable"
    mae = tables.conditions(results).query("recipe == 'tuned' and split == 'person' and strategy == 'scratch'")
    first, second, third = (f"{mae.set_index('student').mae[size]:.2f}" for size in (1, 4, 12))
    assert f"have an MAE of {first}, {second} and {third} BPM" in TEXT
    judged = claims.judge(results, tables.load_paper(), costs.one_window(ROOT / "data/results/compute"))
    held = [(judged[name].verdict == verdict).sum() for verdict in (outcome.YES, outcome.CANNOT) for name in frames]
    assert "{} is reproduced under the recipe *public*, {} under *tuned*; {} and {} cannot".format(*held) in TEXT
    forecast = {table.set_index("name").verdict["predictable"] for name, table in judged.items() if name in frames}
    assert forecast == {"explained by a control"}  # the control is to repeat the largest student fitted


def test_the_page_of_the_study_is_what_the_report_writes(results):
    measured = costs.one_window(ROOT / "data" / "results" / "compute")
    page = report.page(results, OPEN, tables.load_paper(), measured)
    assert (OPEN / "README.md").read_text(encoding="utf-8") == page, "run: python -m ppglib report"


def test_no_verdict_hangs_on_the_bootstraps_random_numbers(results, monkeypatch):
    paper = tables.load_paper()
    judged = claims.judge(results, paper)
    monkeypatch.setattr(bootstrap, "SEED", 1)
    for name, again in claims.judge(results, paper).items():
        assert again[["verdict", "how"]].equals(judged[name][["verdict", "how"]]), name


def test_every_network_of_the_grid_is_there_once():
    runs = pd.read_csv(OPEN / "runs.csv")
    key = ["recipe", "split", "strategy", "student", "teacher", "fold", "seed"]
    planned = sorted(tuple(getattr(run, k) for k in key) for run in grid.runs(studies.read("open")))
    assert sorted(runs.loc[runs.student > 0, key].itertuples(index=False, name=None)) == planned
    assert f"{len(planned)} networks" in TEXT and runs.run_id.is_unique
    hours = pd.read_csv(OPEN / "timing.csv").seconds.sum() / 3600
    assert f"{hours:.0f} hours of one thread" in TEXT


@pytest.mark.parametrize(
    ("name", "place"),
    [("", "."), ("_front", "front"), ("_cheap", "cheap"), ("_strategies", "strategies"), ("_tiny", "front/tiny")],
)
def test_networks_of_the_receptive_field_are_of_their_grid_and_have_their_records(name, place):
    folder = OPEN / "receptive_field" / place
    runs = pd.read_csv(folder / "runs.csv", keep_default_na=False).query("student > 0")
    key = ["study", "split", "strategy", "student", "design", "teacher", "teacher_design", "fold", "seed"]
    every = grid.runs(studies.read(f"open_receptive_field{name}"))
    spelled = lambda value: value.name if isinstance(value, Design) else "" if value is None else value  # noqa: E731
    planned = {tuple(spelled(getattr(run, k)) for k in key) for run in every}
    assert len(planned) == len(every) and set(runs[key].itertuples(index=False, name=None)) <= planned
    assert sorted(runs.run_id) == sorted(path.stem for path in (folder / "runs").glob("*.json"))
    plain = runs[runs.design == ""]
    assert plain.field.astype(float).tolist() == [Design(blocks).field for blocks in plain.student]


def test_the_front_is_the_one_that_the_tuning_people_chose():
    """Every network of it is better than all cheaper ones; the family is of it."""
    ranked = pd.read_csv(OPEN / "receptive_field/cheap/runs.csv", keep_default_na=False).query("student > 0")
    ranked = ranked.astype({"macs": float, "mae": float}).sort_values(["macs", "mae"])
    chosen = ranked[ranked.mae < ranked.mae.cummin().shift(fill_value=np.inf)]
    names = chosen.student.astype(str) + " " + chosen.design
    front = studies.read("open_receptive_field_front")
    assert sorted(names) == sorted(f"{d.blocks} {d.name}" for d in studies.networks([], front.designs))
    family = studies.networks([], studies.read("open_receptive_field_family").designs)
    named = sorted((f"{d.blocks} {d.name}" for d in family), key=list(students.FAMILY.values()).index)
    assert named == list(students.FAMILY.values()) and set(named) <= set(names)


def test_the_first_finding_is_the_measured_one():
    results = tables.load(OPEN / "receptive_field", designs=True)
    own, smallest = evidence.ours(results, "tuned"), ("gaussian", "1", "0")
    sees = ("gaussian", "1 d2.9.39", "0")
    row = controls.compare(own, "", "", [(sees, smallest)])
    low, high = outcome.widened(row.effect, row.low, row.high, row.seed_sd)
    assert row.reading == "better"
    assert f"by {-row.effect:.2f} [{-high:.2f}, {-low:.2f}]" in TEXT
    assert "from {:.2f} to {:.2f} beats per minute".format(*own.mae[0][[smallest, sees]]) in TEXT
    one_hot = own.mae[0][[("scratch", *key[1:]) for key in (smallest, sees)]]
    assert "from {:.2f} to {:.2f} under one-hot ones".format(*one_hot) in TEXT
    blind = results.runs.query("student == '12 p8'").parameters.iloc[0]
    assert round(blind / results.runs.query("student == '1'").parameters.iloc[0], -1) == 50
    assert f"pieces of 1 s to see, it is {own.mae[0]['gaussian', '12 p8', '0']:.2f}" in TEXT


def test_the_records_without_measures_per_person_are_counted(results):
    lacking = results.people.run_id[results.people.squared.isna()]
    networks = results.runs[results.runs.run_id.isin(lacking) & (results.runs.student > 0)]
    said = f"({len(networks)} networks of the study `open`, all under `public`)"
    assert said in " ".join((ROOT / "data" / "README.md").read_text().split())
    assert set(networks.recipe) == {"public"}


def test_it_is_short_and_every_file_that_it_names_is_there():
    assert len(README.split()) <= 900
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
