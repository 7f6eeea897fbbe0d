"""The pages of a report: whole links, nothing from elsewhere, and what the tables say."""

import json
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from fake_results import make
from matplotlib.figure import Figure
from page_checks import Page, faults

from ppglib.files import ROOT
from ppglib.results import bootstrap, claims, explore, networks, outcome, overview, pages, plots_of_people, tables
from ppglib.results.frames import captioned
from ppglib.results.kit import Plot

FRONT = ROOT / "data/results/open/receptive_field/front"
TITLE = 'One <network> is "better" & cheaper'


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "DRAWS", 200)
        yield


def notebook(path, number, words, *outputs):
    """A notebook as it is after a run."""
    cells = [nbformat.v4.new_markdown_cell(f"# {number} · Title {number}\n\n{words}", id=f"{number}-title")]
    for i, output in enumerate(outputs):
        cells.append(nbformat.v4.new_code_cell("x = 1", id=f"{number}-cell-{i}", outputs=[output], execution_count=i + 1))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def shown(data):
    return nbformat.v4.new_output("execute_result", data, execution_count=1)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The pages of a simulated study with three notebooks, and of a real one in a folder below it."""
    out = tmp_path_factory.mktemp("pages") / "demo"
    fig = Figure()
    fig.subplots().plot([1, 2])
    plot = Plot(fig, pd.DataFrame({"x": [1, 2]}), "04_one", TITLE)
    table = captioned(pd.DataFrame({"mae": [1.25]}), "MAE & more.")
    for folder, simulated in ((out / "real", False), (out, True)):
        results = make(folder / "results", (1, 2), (2, 4), recipes=("demo",), seeds={}, simulated=simulated)
        (folder / "notebooks").mkdir()
        plot.save(folder)
        table.save(folder, "04_table")
        words = "**Finding:** one is `less` than two. And more.\n\n**The claim** (paper): that one is two."
        links = "[next](08_last.ipynb) [gone](03_gone.ipynb) [data](../data/README.md) [there](https://example.org)"
        figure = shown({"image/png": _base64(plot), "text/plain": repr(plot)})
        tables_ = shown({"text/html": table._repr_html_(), "text/plain": repr(table)})
        controls = shown({"application/vnd.jupyter.widget-view+json": {"model_id": "a", "version_major": 2, "version_minor": 0}, "text/plain": "VBox()"})
        notebook(folder / "notebooks/02_first.ipynb", "02", "**In short:** nothing.")
        notebook(folder / "notebooks/04_middle.ipynb", "04", f"{words}\n\n{links}", figure, tables_, controls)
        notebook(folder / "notebooks/08_last.ipynb", "08", "No bold words.", nbformat.v4.new_output("stream", text="<b>raw</b>"))
        notebook(folder / "notebooks/09_wrong.failed.ipynb", "09", "It failed.")
        pages.write(folder, results)
    return out


def _base64(plot):
    import base64

    return base64.b64encode(plot._repr_png_()).decode()


def read(path):
    return path.read_text(encoding="utf-8")


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(out):
    assert not faults(out)
    assert len(list(out.rglob("*.html"))) == 10
    for text in map(read, out.rglob("*.html")):
        assert not re.search(r"require(js|\.min)|mathjax|mermaid|cdnjs|unpkg|jsdelivr", text, re.I)


def test_the_checks_find_what_is_wrong(tmp_path):
    good = '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>{}</title><h1 id="a">x</h1>{}'
    (tmp_path / "other.html").write_text(good.format("other", '<a href="page.html#a">x</a>'))
    wrongs = {
        '<a href="none.html">x</a>': "not there", '<a href="#b">x</a>': "no such place", "<img src='data:x'>": "without a text",
        '<script src="https://cdn.example/x.js"></script>': "another host", "<h1>again</h1>": "one heading", '<p id="a"></p>': "twice",
        "<style>@import 'x'</style>": "another host",
    }  # fmt: skip
    for wrong, message in wrongs.items():
        (tmp_path / "page.html").write_text(good.format("page", wrong))
        assert message in " ".join(faults(tmp_path)), wrong
    (tmp_path / "page.html").write_text(good.format("other", ""))
    assert "twice" in " ".join(faults(tmp_path))


def test_pages_name_their_neighbours_and_fold_code(out):
    first, middle, last = (read(out / f"notebooks/{name}.html") for name in ("02_first", "04_middle", "08_last"))
    assert 'rel="prev"' not in first and '<a rel="next" href="04_middle.html">' in first
    assert '<a rel="prev" href="02_first.html">' in middle and '<a rel="next" href="08_last.html">' in middle
    assert 'rel="next"' not in last and "../index.html" in last and "<b>raw" not in last
    assert middle.count('<details class="code">') == 3 and 'href="#cell-id=04-cell-1"' in middle
    assert "<title>04 Title 04 · fake, simulated people</title>" in middle
    images = Page(middle).all("img")
    assert [image["alt"] for image in images] == [TITLE]
    assert "08_last.html" in middle and "03_gone" not in middle and ">gone<" not in middle and "gone" in middle
    assert "JupyterLab only" in middle and "about the study open" in middle
    assert "about the study open" not in first  # its words are about the networks


def test_the_index_reads_top_to_bottom(out):
    page = read(out / "index.html")
    parts = ["These people are simulated", "simulated people of set1", "networks the best", "Mind: ", 'id="run"', 'id="claims"',
             'id="networks"', 'id="notebooks"', 'id="figures"', 'id="tables"', 'id="files"']  # fmt: skip
    at = [page.index(part) for part in parts]
    assert at == sorted(at)
    assert "One is <code>less</code> than two. And more." in page and "That one is two." in page
    figure = next(image for image in Page(page).all("img") if image["src"].endswith("04_one.png"))
    assert figure["alt"] == TITLE and int(figure["width"]) > 100
    assert page.count("<caption") >= 1 and "tables/04_table.csv" in page and "09_wrong" not in page


def test_the_real_study_comes_first_and_both_name_each_other(out):
    mine, real = read(out / "index.html"), read(out / "real/index.html")
    bars = [re.search(r'<nav class="bar".*?</nav>', page, re.S)[0] for page in (mine, real)]
    assert [re.findall(r'href="([^"]+)"', bar) for bar in bars] == [["real/index.html", "index.html"], ["index.html", "../index.html"]]
    assert "These people are simulated" in mine and "Real recordings: <a href=\"real/index.html\">" in mine
    assert "These people are simulated" not in real


def test_the_three_sentences_are_what_a_count_by_hand_gives(out):
    runs, people = (pd.read_csv(out / f"results/{name}.csv", dtype={"person": str}) for name in ("runs", "people"))
    both = people.merge(runs[runs.split == "person"][["run_id", "recipe", "strategy", "student", "teacher"]])
    both["error"] = both.mae * both.n
    sums = both.groupby(["recipe", "strategy", "student", "teacher"])[["error", "n"]].sum()
    mae = sums.error / sums.n
    known = mae[~mae.index.get_level_values("strategy").isin(["mean", "spectral"])]
    who, best, mind = json.loads(read(out / "report.json"))["answer"]
    tested = len(both.drop_duplicates(["dataset", "person"]))
    assert f"{tested} simulated people of set1, set2 and set3" in who and f"{tested} of them are tested" in who and "2 folds" in who
    assert f"Of {len(known)} networks" in best and f"errs by {known.min():.2f} [" in best
    recipe, strategy, student, teacher = known.idxmin()
    assert f"{student} block" in best and strategy in best and f"recipe {recipe}" in best
    assert f"by {mae.xs('mean', level='strategy').iloc[0]:.2f} [" in best
    assert "simulated and say nothing" in mind and f"{len(known)} of {len(known)} networks were trained once" in mind


def test_what_weakens_a_study_is_said(out):
    results = tables.load(out / "real/results")
    catalogue = networks.catalogue(networks.studies(out / "real/results"))
    sets = networks.sets(out / "real/results", results)
    assert "lack a fold" not in overview.mind(sets, catalogue, results) and "simulated" not in overview.mind(sets, catalogue, results)
    short = results._replace(runs=results.runs[~((results.runs.fold == 1) & (results.runs.strategy == "dkd"))])
    few = sets.assign(tested=1, refused=sets.kept)
    said = overview.mind(few, catalogue, short)
    assert "2 networks lack a fold" in said and "only 3 people were tested" in said and "50% of the windows were refused" in said


def test_the_explorer_holds_the_tables_numbers(out):
    page = read(out / "real/explore.html")
    assert len(page.encode()) < 2e6
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])
    results = tables.load(out / "real/results")
    for decoder in ("argmax", "median"):
        for dataset in ("", "set2"):
            rows = tables.conditions(results, decoder, dataset).query("split == 'person'")
            expected = {(r.recipe, r.strategy, str(r.student), str(r.teacher)): (r.mae, r.low, r.high) for r in rows.itertuples()}
            found = {tuple(n[k] for k in networks.IS): n["errors"][f"{decoder}|{dataset}"][:3] for n in data["networks"]}
            assert set(found) <= set(expected) and len(expected) == len(found)
            assert all(np.allclose(found[key], expected[key], rtol=1e-4) for key in found)
    judged = claims.judge(results, tables.load_paper())
    told = {(c["on"], c["id"]): c["verdict"] for c in data["claims"] if c["decoder"] == "argmax"}
    assert told == {(name, row.id): row.verdict for name, table in judged.items() for row in table.itertuples()}
    assert {c["decoder"] for c in data["claims"]} == {"argmax", "expectation", "median"}
    assert {s["shape"] for s in data["style"].values()} and data["axes"].keys() >= {"parameters", "bytes"}
    by = {n["student"]: n for n in data["networks"] if n["strategy"] == "scratch"}
    assert by["4"]["bytes"] == pytest.approx(4 * 47924, rel=1e-4) and by["4"]["parameters"] == 47924
    table = pd.read_csv(networks.COUNTED, dtype={"network": str})
    counted = table[table.network == "4"].set_index("kind")["Cortex-M4F"]
    for kind in ("int8", "float32"):
        assert by["4"][kind] == pytest.approx(counted[kind], rel=1e-5) and "Cortex-M4F" in data["axes"][kind]


def test_instructions_are_known_of_the_family_and_of_the_papers_sizes_alone(tmp_path):
    counted = networks.instructions()
    assert {*networks.NAMES} <= {*counted.index} and {"1", "12"} <= {*counted.index} and counted.notna().all(axis=None)
    costs = networks.costs(tables.load(FRONT, designs=True))
    assert costs.int8.notna().sum() == len(networks.NAMES) < len(costs)
    assert networks.instructions(tmp_path / "none.csv").empty


def test_nothing_in_a_name_can_end_the_script(out):
    catalogue = networks.catalogue(networks.studies(out / "real/results")).replace({"strategy": {"dkd": "</script><b>"}})
    row = {"id": 1, "claim": "</script>", "decoder": "argmax", "judged on": "demo", "verdict": outcome.YES, "how": "", "why": ""}
    verdicts = pd.DataFrame([row | {"effect": np.nan, "low": np.nan, "high": np.nan, "seed_sd": np.nan, "unit": ""}])
    path = explore.write(out / "hostile.html", "</title><script>", catalogue, verdicts)
    page = read(path)
    path.unlink()
    assert page.count("</script>") == 2 and page.count("<script") == 2


def test_designs_and_tracking_are_networks_too():
    catalogue = networks.catalogue(networks.studies(FRONT))
    tracked = catalogue[(catalogue.decoder == "median, smooth") & (catalogue.dataset == "")]
    alone = catalogue[(catalogue.decoder == "median") & (catalogue.dataset == "")]
    both = tracked.merge(alone, on=networks.IS, suffixes=("", "_alone")).query("strategy == 'gaussian'")
    assert len(both) >= 10 and (both.mae < both.mae_alone).all()
    chosen = networks.choice(catalogue)
    front = chosen[~chosen.strategy.isin(networks.BASELINES)]
    assert front.macs.is_monotonic_increasing and front.mae_median.is_monotonic_decreasing and front.mae_smooth.notna().any()
    for row in alone[~alone.strategy.isin(networks.BASELINES)].itertuples():  # each is there, or another is better and no dearer
        assert ((front.macs <= row.macs) & (front.mae_median <= row.mae)).any()
    assert {"tiny", "largest"} <= set(front.apply(networks.named, axis=1)) and (catalogue.field.dropna() <= 8).all()


def test_a_network_is_chosen_only_if_it_is_better_than_all_that_cost_as_much_or_less():
    names = ["student", "macs", "mae"]
    rows = [("1", 1e6, 6.0), ("2", 2e6, 5.5), ("3", 2e6, 5.0), ("4", 3e6, 5.5), ("5", 4e6, 4.0), ("6", 5e6, 4.0)]
    data = pd.DataFrame(rows, columns=names)
    data = data.assign(recipe="own", strategy="scratch", teacher="0", dataset="", decoder="median", low=0.0, high=9.0)
    data = data.assign(blocks=1, design="", field=1.0, parameters=1.0, bytes=4.0, people=5, seeds=1)
    assert networks.choice(data).student.tolist() == ["1", "3", "5"]


def test_a_folder_without_results_has_pages_too(tmp_path):
    (tmp_path / "notebooks").mkdir()
    notebook(tmp_path / "notebooks/07_costs.ipynb", "07", "**Finding:** it costs.")
    pages.write(tmp_path, tmp_path / "results")
    assert not faults(tmp_path) and "It costs." in read(tmp_path / "index.html")


def test_figures_of_people(out):
    results = tables.load(out / "results")
    sets = networks.sets(out / "results", results)
    folds = plots_of_people.folds(results, sets.assign(people=sets.people + 2))
    assert f"{sets.tested.sum():.0f} of {sets.people.sum() + 6:.0f} people are tested" in folds.title and "simulated" in folds.title
    tested, trained = folds.fig.axes[0].lines
    assert len(tested.get_xdata()) == folds.data.tests.sum() == sets.tested.sum()
    assert len(trained.get_xdata()) == len(folds.data) - folds.data.tests.sum()
    people = plots_of_people.per_person(results)
    runs = results.runs[(results.runs.strategy == "dkd") & (results.runs.student == 1)]
    expected = results.people[results.people.run_id.isin(runs.run_id)].mae_median
    drawn = people.data[people.data.strategy == "dkd"].mae
    assert np.allclose(sorted(drawn), sorted(expected)) and "People differ" in people.title
    by_set = plots_of_people.by_set(results)
    rows = tables.conditions(results, "median", "set1").query("split == 'person' and strategy == 'soft' and student == 1 and teacher == 4")
    drawn = by_set.data[(by_set.data.strategy == "soft") & (by_set.data.dataset == "set1")]
    assert np.allclose(sorted(drawn.mae), sorted(rows.mae))


def test_errors_by_heart_rate_and_the_spectrum():
    hr = np.repeat([60.0, 100.0, 140.0], 40)
    table = pd.DataFrame({"dataset": "a", "hr": hr, "decoded": hr + np.repeat([1.0, -3.0, 2.0], 40)})
    plot = plots_of_people.by_heart_rate(pd.concat([table, table.head(5).assign(dataset="b")]))
    (line,) = plot.fig.axes[0].lines  # b has too few windows
    assert line.get_xydata().tolist() == [[60, 1], [100, 3], [140, 2]] and "3.0 BPM around 100 BPM" in plot.title
    rate, power = plots_of_people.spectrum(np.sin(2 * np.pi * 1.7 * np.arange(200) / 25))
    assert abs(rate[power.argmax()] - 102) < 1
