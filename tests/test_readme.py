"""The README's table says what the committed results say."""

import re

import pandas as pd
import pytest

from ppglib.bench import costs
from ppglib.files import ROOT, resolve
from ppglib.results import across, bootstrap, claims, controls, evidence, tables
from ppglib.results.bootstrap import interval
from ppglib.results.outcome import surely, told, widened
from ppglib.study import grid, studies

README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = " ".join(README.split())
DATASETS = ("spc2015", "bami1", "bami2")
PAIRS = [("public", 1), ("tuned", 6), ("tuned", 8)]


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
def measured(results):
    return tables.conditions(results)


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
    hours = pd.read_csv(resolve("data/results/open/timing.csv")).seconds.sum() / 3600
    assert f"{hours:.1f} hours of one thread, two at once, so about {hours / 2:.1f} by the clock" in TEXT


def test_the_records_without_measures_per_person_are_counted(results):
    lacking = results.people.run_id[results.people.squared.isna()]
    networks = results.runs[results.runs.run_id.isin(lacking) & (results.runs.student > 0)]
    said = f"({len(networks)} networks of the study `open`, all under `public`)"
    assert said in " ".join(resolve("data/README.md").read_text().split())
    assert set(networks.recipe) == {"public"}


@pytest.mark.parametrize("recipe", ["public", "tuned"])
def test_cells_are_means_over_three_seeds_where_it_says_so(measured, recipe):
    cells = tables.table2(measured, recipe)
    repeated = cells.student.isin([1, 4, 8])
    assert set(cells.seeds[repeated]) == {3} and set(cells.seeds[~repeated]) == {1}
    assert "Cells of both tables at 1, 4 and 8 blocks are means over three seeds" in TEXT


def test_every_network_of_the_grid_is_there_once():
    runs = pd.read_csv(resolve("data/results/open/runs.csv"))
    key = ["recipe", "split", "strategy", "student", "teacher", "fold", "seed"]
    planned = sorted(tuple(getattr(run, k) for k in key) for run in grid.runs(studies.read("open")))
    assert sorted(runs.loc[runs.student > 0, key].itertuples(index=False, name=None)) == planned
    assert f"All {len(planned)} networks of the study are trained" in TEXT and runs.run_id.is_unique


def test_the_worth_of_a_recipe_is_said_twice_and_alike(results):
    row = controls.table(results, "public").set_index("compared").loc["tuned - public, scratch"]
    assert TEXT.count(limits(row, -1)) == 2


def test_the_baselines_are_the_measured_ones(measured):
    for row in tables.baselines(measured).itertuples():
        assert f"{row.mae:.1f} [{row.low:.1f}, {row.high:.1f}]" in README


@pytest.fixture(scope="module")
def results():
    return tables.load(resolve("data/results/open"))


@pytest.fixture(scope="module")
def verdicts(results):
    """Of both recipes, by number of claim; `moves`: another decoder leads to another verdict."""
    paper, measured = (
        tables.load_paper(resolve("data/paper")),
        evidence.compute(resolve("data/results/compute")),
    )
    judged = {}
    for recipe in ("public", "tuned"):
        argmax, *others = [
            claims.verdicts(evidence.ours(results, recipe, measured=measured, decoder=d), paper.claims)
            for d in tables.DECODERS
        ]
        moves = (pd.concat([o.verdict for o in others], axis=1).ne(argmax.verdict, axis=0)).any(axis=1)
        judged[recipe] = argmax.assign(moves=moves).set_index("id")
    return judged


def limits(row, sign=1, form=".2f"):
    low, high = sorted((sign * row.low, sign * row.high))
    return f"{sign * row.effect:{form}} [{low:{form}}, {high:{form}}]"


def on_the_limit(row):
    """Whether the bootstrap's random numbers may decide if it is sure: one end of the interval is 0, almost."""
    return min(map(abs, widened(row.effect, row.low, row.high, row.seed_sd))) < 0.003


@pytest.mark.parametrize("recipe, quoted", [
    ("public", ["+soft - scratch", "+dkd - scratch", "+soft - gaussian", "-gaussian - scratch", "-median - argmax", "+dkd - soft8", "+dkd - soft8, median",
                "-tuned - public, scratch", "-shuffled - person, scratch"]),
    ("tuned", ["-soft - scratch", "-dkd - scratch", "-gaussian - scratch", "+dkd - soft8", "+dkd - gaussian", "+dkd - soft8, median",
               "-dkd - scratch, median", "-gaussian - scratch, median", "-median - argmax", "+hard - scratch"]),
])  # fmt: skip
def test_the_differences_are_the_measured_ones(results, recipe, quoted):
    table = controls.table(results, recipe).set_index("compared")
    for sign, pair in ((int(q[0] + "1"), q[1:]) for q in quoted):
        assert limits(table.loc[pair], sign) in TEXT, pair
    decoupling = table.loc[["dkd - soft8", "dkd - soft8, median"]]
    assert "the first lies on the very limit of being sure and the others are not sure" in TEXT
    assert on_the_limit(decoupling.iloc[0]) == (recipe == "tuned")
    others = decoupling.reading.iloc[int(recipe == "tuned") :]
    assert set(others) == {"not told apart"} and "the decoupling is not shown to help" in TEXT


def test_what_lies_beyond_dkd_is_as_measured(results):
    table = controls.beyond(results, "tuned").set_index(["compared", "read"])
    rivals = table.xs("argmax", level="read").filter(like=" - dkd", axis=0)
    assert "better" not in set(rivals.reading) and set(rivals.n) <= {0, 8}
    for name in ("cdf", "window_dkd", "dist"):
        assert limits(rivals.loc[f"{name} - dkd"]) in TEXT and rivals.reading[f"{name} - dkd"] == "worse", (
            name
        )
    expectation = table.reading.xs("expectation", level="read")
    assert "read by the expectation, the first is not told apart from DKD" in TEXT
    told_apart = [expectation[f"{name} - dkd"] for name in ("cdf", "window_dkd", "dist")]
    assert told_apart == ["not told apart", "worse", "worse"]
    by_expectation = table.xs("expectation", level="read")
    told_apart = f"not told apart, if only just: {limits(by_expectation.loc['scratch - dkd'])}"
    assert told_apart in TEXT and by_expectation.reading["scratch - dkd"] == "not told apart"
    assert (
        f"Read by the expectation, DKD is better by {limits(by_expectation.loc['gaussian - dkd'])}, which is barely"
        in TEXT
    )
    assert on_the_limit(by_expectation.loc["scratch - dkd"]) and on_the_limit(
        by_expectation.loc["gaussian - dkd"]
    )
    assert by_expectation.reading["gaussian - dkd"] == "worse"
    public = controls.beyond(results, "public").query("read == 'argmax'").set_index("compared")
    public = public.loc[[f"{name} - dkd" for name in ("scratch", "feature", "gaussian")]]
    assert set(public.reading) == {"better"}
    assert f"by {-public.effect.max():.1f} to {-public.effect.min():.1f} BPM" in TEXT
    for pair in ("soft_oof - soft", "dense_scratch - scratch", "dense_soft - soft", "dense_soft - dkd"):
        assert limits(table.loc[pair, "argmax"]) in TEXT, pair
    assert "changes nothing that can be told" in TEXT
    assert set(rivals.reading.filter(like="dense")) == {"not told apart"}
    for pair, sign, said in (
        (("gaussian", "scratch"), -1, "1 block ({})"),
        (("dkd", "gaussian"), 1, "by {} BPM"),
    ):
        sizes = controls.by_size(evidence.ours(results, "tuned"), [pair]).set_index("student")
        assert said.format(limits(sizes.loc[1], sign)) in TEXT


def test_the_verdicts_are_the_computed_ones(verdicts):
    for number, claim in verdicts["public"].claim.items():
        said = []
        for table in verdicts.values():
            row = table.loc[number]
            said.append(
                (f"{row.verdict} ({row.how})" if row.how else row.verdict) + (" *" if row.moves else "")
            )
        assert f"| {number} | {claim} | {said[0]} | {said[1]} |" in README


def test_the_summary_is_what_the_verdicts_say(verdicts):
    how = {r: t.how.where(t.how != "", t.verdict) for r, t in verdicts.items()}
    assert "smaller networks are worse under both recipes, and that distillation always helps" in TEXT
    assert {t.verdict[3] for t in verdicts.values()} == {"reproduced"}
    assert {t.verdict[1] for t in verdicts.values()} == {"not reproduced"}
    assert how["public"][[6, 7, 8]].tolist() == ["reversed", "explained by a control", "unsure"]
    assert how["tuned"][[6, 7, 8]].tolist() == ["unsure", "unsure", "explained by a control"]
    assert how["public"][4] == "reversed" and verdicts["tuned"].verdict[4] == "cannot be tested here"


def test_no_verdict_hangs_on_the_bootstraps_random_numbers(results, verdicts, monkeypatch):
    monkeypatch.setattr(bootstrap, "SEED", 1)
    paper = tables.load_paper(resolve("data/paper"))
    for recipe, table in verdicts.items():
        again = claims.verdicts(evidence.ours(results, recipe), paper.claims).set_index("id")
        drawn = again.index.difference([16, 17])  # about time and memory, which were not measured here
        assert again.loc[drawn, ["verdict", "how"]].equals(table.loc[drawn, ["verdict", "how"]])


def test_pairs_and_slopes_are_the_measured_ones(results, verdicts):
    better = {(r, i): verdicts[r].why[i].split("better in ")[1].split(" pairs")[0] for r, i in PAIRS}
    wins, pairs = map(int, better["public", 1].split(" of "))
    assert f"in {pairs - wins} of {pairs} pairs over all larger teachers" in TEXT
    dkd, soft = better["tuned", 6], better["tuned", 8]
    assert f"DKD is better than feature distillation in {dkd} sizes and soft than hard in {soft}" in TEXT
    assert f"of 1 to 4 blocks by {limits(verdicts['tuned'].loc[2], -1)}, which is barely sure" in TEXT
    assert on_the_limit(verdicts["tuned"].loc[2]) and verdicts["tuned"].verdict[2] == "reproduced"
    assert f"mean gain on feature, {limits(verdicts['tuned'].loc[6], -1)} BPM" in TEXT
    assert {table.why[11].split(" inside")[0] for table in verdicts.values()} == {"3 of 3"}
    assert "under both recipes the exponential of soft students up to 5 blocks foretells" in TEXT


def test_what_is_said_of_the_teachers_size_is_as_measured(results, verdicts):
    kinds = controls.by_relation(evidence.ours(results, "public")).set_index("teacher")
    harm = {name: limits(row) for name, row in kinds.iterrows()}
    assert kinds.reading.to_dict() == {"smaller": "worse", "as large": "not told apart", "larger": "worse"}
    assert f"from scratch in {kinds.worse.sum()} of {kinds.pairs.sum()} pairs" in TEXT
    assert f"by {harm['smaller']} BPM on average where the teacher is smaller" in TEXT
    assert f"by {harm['larger']} where it is larger; where it is as large, {harm['as large']} is less" in TEXT
    (fourth, fifth) = verdicts["public"].loc[[4, 5]].itertuples()
    assert f"students get worse by {limits(fourth, form='+.2f')} BPM a doubling" in TEXT
    assert "is the best for 0 of 7 students" in fourth.why and "none of 7 is best with the largest" in TEXT
    rest = re.search(r"without the 1-block student.*?(\S+ \[.*?\]), with seeds \[(\S+), (\S+)\]", fourth.why)
    assert f"without it {rest[1]} BPM are left, which is less than sure" in TEXT
    assert float(rest[2]) < 0 < float(rest[3]) and fifth.how == "unsure"


def test_what_the_temperature_does_is_as_measured(results):
    table = controls.beyond(results, "public").query("read == 'argmax'").set_index("compared")
    assert f"(`soft_t1`) is better by {limits(table.loc['soft_t1 - soft'], -1)}" in TEXT
    assert f"and soft at temperature 1 by {limits(table.loc['soft_t1 - dkd'], -1)}" in TEXT
    assert set(table.reading[["soft_t1 - soft", "soft_t1 - dkd"]]) == {"better"}
    gains = controls.table(results, "public").query("control == 'gain over scratch'")
    assert "better" not in set(gains.reading) and "no way of distilling surely helps" in TEXT
    assert gains.set_index("compared").reading["soft_t1 - scratch"] == "not told apart"
    worse = [pair.split(" - ")[0] for pair in gains.compared[gains.reading == "worse"]]
    said = re.search(r"surely helps, and ([^.]*) do harm", TEXT)[1]
    assert re.findall(r"\w+", said.replace("DKD", "dkd").replace(" and ", " ")) == worse


def test_what_one_block_saves_in_batches_is_as_measured():
    seconds = costs.read(resolve("data/results/compute"))[0].query("threads == 1 and variant == 'eager'")
    mean = seconds[seconds.batch >= 128].groupby(["batch", "blocks"])["mean"].median().unstack()
    saved = (100 * (1 - mean[1] / mean[12])).round().unique()
    assert [f"at batches of 128 and more the saving is {s:.0f} %" in TEXT for s in saved] == [True]


def test_the_gains_across_datasets_are_the_measured_ones(results):
    gains = across.gains(results, "public").query("strategy == 'soft' and student == 'all'")
    gains = gains.set_index("dataset")
    for row in gains.itertuples():
        assert limits(row, form="+.2f") in TEXT, row.Index
    assert gains.reading.to_dict() == {
        "bami1": "better", "bami2": "not told apart", "spc2015": "not told apart"
    }  # fmt: skip
    gap = across.table(results, "public").gap
    assert f"all {len(gap)} networks are worse than" in TEXT and gap.min() > 0
    assert f"by {gap.min():.1f} to {gap.max():.1f} BPM, though not each surely" in TEXT


def test_the_errors_of_every_set_are_the_measured_ones(results):
    chosen = "recipe == 'tuned' and split == 'person' and strategy == 'scratch' and student == 12"
    sets = {d: tables.conditions(results, dataset=d).query(chosen).iloc[0] for d in DATASETS}
    windows = sum(row.windows for row in sets.values())
    people = sum(row.people for row in sets.values())
    spc = sets["spc2015"]
    assert f"{spc.people} of the {people} test people, {spc.windows} of the {windows:,} windows" in TEXT
    mae = [f"{sets[d].mae:.1f}" for d in DATASETS]
    assert f"{mae[0]} BPM against {mae[1]} on BAMI-1 and {mae[2]} on BAMI-2" in TEXT


def test_what_is_said_of_single_networks_is_as_measured(results):
    large = results.runs.query(
        "recipe == 'public' and split == 'person' and strategy == 'scratch' and student == 12"
    )
    folds = [f"{mae:.1f}" for mae in large.sort_values("fold").mae]
    assert f"({' and '.join(folds)} BPM for 12 blocks from scratch under `public`)" in TEXT
    seeds = evidence.seed_variance(results)
    spread = seeds["public", "person", "dkd", 1, 12] * 3  # a mean of three
    assert f"where the standard deviation between seeds is {spread**0.5:.1f} BPM" in TEXT
    mae = tables.draws(results)
    gap = mae.loc[("public", "person", "scratch", 12, 0)] - mae.loc[("tuned", "person", "scratch", 4, 0)]
    both = seeds["public", "person", "scratch", 12, 0] + seeds["tuned", "person", "scratch", 4, 0]
    assert surely(*interval(gap), both**0.5) == 1
    better = told(*interval(gap), form=".2f")
    assert f"4 blocks from scratch is better than the 12-block teacher of `public` by {better} BPM" in TEXT


def test_the_speeds_are_the_measured_ones():
    ratio = [f"{r:.1f}" for r in pd.read_csv(resolve("data/results/training/training.csv")).ratio]
    assert f"{', '.join(ratio[:-1])} and {ratio[-1]} times" in TEXT


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"\b[A-Z]{8,}\b", README.replace("CITATION", ""))


def test_every_file_that_it_names_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
