"""Tables hold what the tidy files say, and bad files are refused in one sentence."""

import shutil

import numpy as np
import pandas as pd
import pytest
from fake_results import LAW, OFFSETS, WINDOWS, make
from scipy import stats

from ppglib import scaling
from ppglib.files import ROOT, InputError
from ppglib.results import bootstrap, controls, evidence, laws, tables
from ppglib.strategies import STRATEGIES, Strategy

PAPER = tables.load_paper(ROOT / "data/paper")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tables.load(make(tmp_path_factory.mktemp("results"), recipes=("public", "tuned")))


@pytest.fixture(scope="module")
def conditions(results):
    return tables.conditions(results)


def test_papers_tables_are_typed_as_printed(shared):
    text = shared("paper.txt").read_text()
    for name, rows in PAPER.strategies.groupby("strategy"):
        cells = "\t".join(f"{mae:.3f}" for mae in rows.sort_values("student").mae)
        assert f"\n{'DKD' if name == 'dkd' else name.capitalize()}\t{cells}\n" in text
    for column, label in (("seconds", "Inference Time (s)"), ("memory_mb", "Memory Usage (MB)")):
        line = next(row for row in text.splitlines() if row.startswith(label))
        printed = [float(cell.strip("$").split("\\pm")[0]) for cell in line.split("\t")[1:]]
        assert printed == PAPER.compute[column].tolist()
    assert all(f"{row.blocks} ({row.parameters:,})" in text for row in PAPER.models.itertuples())
    for law in PAPER.laws.itertuples():
        assert f"{law.teacher} blocks" in text and f"{law.a:.3f} * e^{{-{law.b:.3f}x}} + {law.c:.3f}" in text


def test_conditions_are_the_weighted_means_of_people(results, conditions):
    for row in conditions.sample(10, random_state=0).itertuples():
        runs = results.runs
        for key in tables.KEY:
            runs = runs[runs[key] == getattr(row, key)]
        people = results.people[results.people.run_id.isin(runs.run_id)]
        assert row.mae == pytest.approx(np.average(people.mae, weights=people.n))
        assert row.low < row.mae < row.high
        assert (row.people, row.windows, row.seeds) == (24, 24 * WINDOWS, runs.seed.nunique())


def test_figure1_has_scratch_left_most_and_one_recipe(conditions):
    figure = tables.figure1(conditions, "public")
    assert set(figure.recipe) == {"public"} and set(figure.strategy) == {"scratch", "soft"}
    grid = figure.pivot(index="student", columns="teacher", values="mae")
    assert grid.columns[0] == 0 and grid[0].notna().all()
    assert grid.shape == (9, 9)


def test_table2_is_at_the_largest_teacher_with_the_controls(conditions):
    table = tables.table2(conditions, "public")
    shown = [name for name, row in STRATEGIES.items() if name in OFFSETS and row.group != "beyond"]
    assert set(table.teacher) == {0, 12} and list(dict.fromkeys(table.strategy)) == shown
    assert all(rows.student.is_monotonic_increasing for _, rows in table.groupby("strategy"))


def test_a_strategy_added_at_run_time_is_in_every_table(tmp_path, monkeypatch):
    monkeypatch.setitem(STRATEGIES, "mine", Strategy("a loss of my own", lambda b, c: 0, teacher="logits"))
    results = tables.load(make(tmp_path, seeds={}, grid=False, offsets=OFFSETS | {"mine": 0.25}))
    table = tables.table2(tables.conditions(results), "public")
    assert list(dict.fromkeys(table.strategy))[-1] == "mine" == tables.shown_strategies(results)[-1]
    gain = (
        controls.table(results, "public")
        .set_index(["control", "compared"])
        .loc[controls.GAIN, "mine - scratch"]
    )
    assert gain.n == 8 and gain.effect == pytest.approx(0.25 - OFFSETS["scratch"], abs=0.05)
    assert gain.reading == "better"
    other = controls.beyond(results, "public").set_index(["compared", "decoder"]).loc["mine - dkd", "argmax"]
    assert other.effect == pytest.approx(0.25 - OFFSETS["dkd"], abs=0.05)


def test_paper_ours_difference(conditions):
    table = tables.against_paper(tables.table2(conditions, "public"), PAPER.strategies)
    assert len(table) == 32 and np.allclose(table.difference, table.ours - table.paper)


def test_recipes_and_baselines(conditions):
    assert tables.recipes(conditions) == ["public", "tuned"]
    assert tables.baselines(conditions).strategy.tolist() == ["mean", "spectral"]


def test_decoder_and_dataset_choose_the_column_and_the_people(results, conditions):
    median = tables.conditions(results, "median")
    assert np.allclose(median.mae, conditions.mae - 0.1)
    assert set(tables.conditions(results, dataset="set1").people) == {8}


def test_reliability_pools_runs_by_windows(results):
    table = tables.reliability(results, "public", 4)
    soft = table[table.strategy == "soft"]
    assert np.allclose(soft.accuracy, 0.8 * soft.confidence) and set(soft.n) == {360 * 6}  # 2 folds, 3 seeds


def test_reliability_weighs_each_run_by_its_windows(results):
    rng, rows = np.random.default_rng(0), results.reliability
    rows = rows.assign(n=rng.integers(1, 400, len(rows)), confidence=rng.random(len(rows)), accuracy=rng.random(len(rows)))
    table = tables.reliability(results._replace(reliability=rows), "public", 4).set_index(["strategy", "bin"])
    runs = results.runs.query("recipe == 'public' and strategy == 'dkd' and student == 4 and teacher == 12")
    own = rows[rows.run_id.isin(runs.run_id) & (rows.bin == 3)]
    expected = [np.average(own[name], weights=own.n) for name in ("confidence", "accuracy")]
    assert table.loc[("dkd", 3), ["confidence", "accuracy"]].tolist() == pytest.approx(expected)


def test_the_laws_of_figure_2_recover_the_truth_and_note_where_there_is_none(results):
    table = laws.table(evidence.ours(results, "public").mae).set_index("teacher")
    assert (table.note[table.index < 6] != "").all() and (table.note[table.index >= 6] == "").all()
    a, b, c = LAW
    assert table.loc[12, ["a", "b", "c"]].astype(float).tolist() == pytest.approx([a, b, c], rel=0.06)


def test_laws_are_weighted_by_the_variance_over_people(results):
    mae = evidence.ours(results, "public").mae
    blocks, y = laws.curve(mae, "soft", 12)
    law = laws.table(mae).set_index("teacher").loc[12]
    weighted = scaling.fit_exponential(blocks, y[:, 0], 1 / y[:, 1:].var(axis=1))
    assert (law.a, law.b_se) == pytest.approx((weighted.a, weighted.b_se))
    assert abs(law.a - scaling.fit_exponential(blocks, y[:, 0]).a) > 1e-4


def test_larger_students_are_forecast_within_the_noise(results):
    table, gap, _ = laws.forecast(evidence.ours(results, "public").mae, "soft", 12)
    assert table.student.tolist() == [6, 8, 10] and gap.shape == (3, 1 + bootstrap.DRAWS)
    assert table.inside.all() and (table.predicted - table.observed).abs().max() < 0.1


def test_a_forecast_is_weighted_as_the_laws_are(results):
    mae = evidence.ours(results, "public").mae
    blocks, y = laws.curve(mae, "soft", 12)
    small = blocks <= 5
    law = scaling.fit(scaling.FORMS["exponential"], blocks[small], y[small, 0], laws.weights(y)[small])
    table = laws.forecast(mae, "soft", 12)[0]
    assert table.predicted.tolist() == pytest.approx(scaling.predict(law.form, law.values, blocks[~small]))


def test_rivals_name_the_law_that_made_the_data(results):
    rows = laws.rivals(evidence.ours(results, "public").mae, "soft", 12)
    best = rows.loc[rows.aicc.idxmin()]
    assert (best.law, best.x) == ("exponential", "blocks")
    assert rows.left_out.idxmin() == rows.aicc.idxmin()
    assert (rows.left_out_low < rows.left_out_high).all()


def test_left_out_errors_are_weighted_and_leave_whole_sizes_out(results):
    mae = evidence.ours(results, "public").mae
    blocks, y = laws.curve(mae, "soft", 12)
    weights = laws.weights(y)
    errors = []
    for i in range(len(blocks)):
        kept = np.arange(len(blocks)) != i
        line = np.polyfit(np.log(blocks[kept]), y[kept, 0], 1, w=weights[kept] ** 0.5)
        errors.append(abs(np.polyval(line, np.log(blocks[i])) - y[i, 0]))
    rows = laws.rivals(mae, "soft", 12).set_index(["law", "x"])
    assert rows.left_out["log-linear", "blocks"] == pytest.approx(np.mean(errors))
    index = mae.index.to_frame(index=False)
    keep = ((index.strategy == "soft") & (index.student < index.teacher)).to_numpy()
    student, teacher, grid = index.student[keep], index.teacher[keep], mae.to_numpy()[keep]
    design = np.stack([np.log(student), np.log(teacher), np.ones(len(student))], 1)
    root, gaps = laws.weights(grid)[:, None] ** 0.5, np.empty(len(student))
    for size in student.unique():
        out = (student == size).to_numpy()
        solution = np.linalg.lstsq((design * root)[~out], (grid[:, :1] * root)[~out], rcond=None)[0]
        gaps[out] = abs(design[out] @ solution - grid[out, :1])[:, 0]
    rows = laws.grid_rivals(mae).set_index(["law", "x"])
    assert rows.left_out["log-linear in both", "blocks"] == pytest.approx(gaps.mean(), rel=1e-6)


def test_a_person_called_NA_is_a_person(tmp_path):
    folder = make(tmp_path, students=(1, 4, 12), teachers=(12,), grid=False, seeds={})
    before = tables.conditions(tables.load(folder))
    people = pd.read_csv(folder / "people.csv", keep_default_na=False)
    people["person"] = people.person.replace("P000", "NA")
    people.to_csv(folder / "people.csv", index=False)
    after = tables.conditions(tables.load(folder))
    assert (after.people == before.people).all() and np.allclose(after.mae, before.mae)


def test_a_grid_of_three_sizes_gives_notes_not_crashes(tmp_path):
    results = tables.load(make(tmp_path, students=(1, 4, 12), teachers=(12,), grid=False, seeds={}))
    mae = evidence.ours(results, "public").mae
    assert (laws.table(mae).note != "").all()
    assert (laws.rivals(mae, "soft", 12).note != "").all()
    assert (laws.grid_rivals(mae).note != "").all()
    table, _, note = laws.forecast(mae, "soft", 12)
    assert table.empty and note.startswith("too few points")


def test_one_teacher_says_nothing_of_teachers(tmp_path):
    mae = evidence.ours(tables.load(make(tmp_path, teachers=(12,), grid=False, seeds={})), "public").mae
    assert (laws.table(mae, "soft").note == "").all()
    assert (laws.grid_rivals(mae).note == "needs three teachers, has 1").all()


@pytest.mark.parametrize("kind", ["missing", "column", "twice", "two studies", "other runs", "empty"])
def test_bad_files_are_refused_in_one_sentence(tmp_path, kind):
    make(tmp_path, students=(1, 12), teachers=(12,), grid=False, seeds={})
    runs = pd.read_csv(tmp_path / "runs.csv")
    if kind == "missing":
        (tmp_path / "people.csv").unlink()
    else:
        changed = {
            "column": runs.drop(columns="fold"),
            "twice": pd.concat([runs, runs.tail(1)]),
            "two studies": pd.concat([runs, runs.tail(1).assign(run_id="other", study="other")]),
            "other runs": runs.tail(3),
            "empty": runs.head(0),
        }[kind]
        changed.to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(InputError, match="two runs of" if kind == "two studies" else r"\.csv|runs"):
        tables.load(tmp_path)


def test_quality_leaves_out_a_condition_that_lacks_a_fold(results):
    lost = results.runs.query("strategy == 'dkd' and student == 4 and fold == 1 and split == 'person'").index
    less = results._replace(runs=results.runs.drop(lost))
    whole, table = (tables.quality(r, "public") for r in (results, less))
    assert len(table) == len(whole) - 1
    assert table.query("strategy == 'dkd' and student == 4").empty


def test_quality_has_limits_where_people_have_the_measure(results):
    """RMSE pooled by hand, and limits that hold for squared errors as the bootstrap of MAE does."""
    none = results.people.assign(squared=np.nan, within5=np.nan, nll=np.nan)
    elsewhere = results.runs.run_id[(results.runs.recipe != "public") | (results.runs.student == 0)]
    none.loc[none.run_id.isin(elsewhere), ["squared", "within5", "nll"]] = 1.0
    for people in (results.people, none):  # older records, alone and beside newer ones
        limits = tables.quality(results._replace(people=people), "public").filter(regex="_(low|high)")
        assert limits.isna().all(axis=None)
    people = results.people.assign(squared=results.people.mae**2, within5=0.8, nll=2.0)
    mean_square = (people.squared * people.n).groupby(people.run_id).sum() / people.groupby("run_id").n.sum()
    runs = results.runs.assign(rmse=np.sqrt(results.runs.run_id.map(mean_square)))
    table = tables.quality(results._replace(runs=runs, people=people), "public")
    row = table.query("strategy == 'soft' and student == 4").iloc[0]
    own = runs.query(
        "strategy == 'soft' and student == 4 and teacher == 12 and split == 'person' and recipe == 'public'"
    )
    errors = people[people.run_id.isin(own.run_id)].groupby(["dataset", "person"]).squared.mean()
    assert row.rmse == pytest.approx(np.sqrt(errors.mean()))
    counts = bootstrap.resample([True] * len(errors))[:, 1:]
    by_hand = np.sqrt(errors.to_numpy() @ counts / counts.sum(axis=0))
    wide = np.sqrt(24 / 23) * stats.t.ppf(0.975, 21) / 1.96  # of the mean square, for 24 people
    limits = row.rmse**2 + wide * (np.percentile(by_hand**2, [2.5, 97.5]) - row.rmse**2)
    assert [row.rmse_low, row.rmse_high] == pytest.approx(np.sqrt(limits))
    assert (row.within5, row.within5_low, row.within5_high) == pytest.approx((0.8, 0.8, 0.8))
    few = people[people.person.isin(people.person.unique()[:4])]  # whose intervals are widened beyond any share
    few = few.assign(within5=few.person.rank(method="dense") / 4)
    limits = tables.quality(results._replace(runs=runs, people=few), "public")[["within5_low", "within5_high"]].dropna()
    assert len(limits) and ((limits >= 0) & (limits <= 1)).all(axis=None)


def test_quality_mixes_no_old_and_new_records_and_weighs_folds_alike(results):
    """A condition gets limits only if all its records have them; a third seed of one fold moves no weight."""
    chosen = "recipe == 'public' and split == 'person' and strategy == 'scratch' and student == 4"
    own = results.runs.query(chosen)
    assert len(own) == 6
    rmse = own.fold.map({0: 3.0, 1: 5.0})
    runs = results.runs.drop(own.index[(own.fold == 1) & (own.seed > 0)]).copy()
    runs.loc[runs.index.isin(own.index), "rmse"] = rmse
    people = results.people[results.people.run_id.isin(runs.run_id)].assign(squared=1.0, within5=1.0, nll=1.0)
    people.loc[people.run_id == own.run_id.iloc[0], "squared"] = np.nan
    table = tables.quality(results._replace(runs=runs, people=people), "public")
    row = table.query("strategy == 'scratch' and student == 4").iloc[0]
    assert row.rmse == pytest.approx(np.sqrt((9 + 25) / 2)) and np.isnan(row.rmse_low)
    assert table.rmse_low.notna().sum() == len(table) - 1


def broken(folder, table, change):
    path = folder / f"{table}.csv"
    frame = pd.read_csv(path, converters={"person": str, "activity": str})
    change(frame).to_csv(path, index=False)


def cell(row, column, value):
    """A table with another value in one cell."""

    def change(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return change


LIES = {
    "mae is nan": ("people", cell(3, "mae", np.nan), "line 5 .*: mae is nan"),
    "mae is text": ("people", cell(3, "mae", "low"), "line 5 .*: mae is 'low'"),
    "mae is infinite": ("people", cell(0, "mae_median", np.inf), "line 2 .*: mae_median is inf"),
    "mae is negative": ("runs", cell(2, "mae", -1.0), "line 4 .*: mae is -1.0"),
    "n is 0": ("people", cell(7, "n", 0), "line 9 .*: n is 0"),
    "n is not whole": ("people", cell(7, "n", 3.5), "line 9 .*: n is 3.5"),
    "n_test is missing": ("runs", cell(1, "n_test", np.nan), "line 3 .*: n_test is nan"),
    "fold is text": ("runs", cell(1, "fold", "first"), "line 3 .*: fold is 'first'"),
    "a person is missing": ("people", lambda f: f.drop(index=5), "line 2 .*: windows of its people do not add up to n_test"),
    "a person is there twice": ("people", lambda f: pd.concat([f, f.iloc[[5]]]), "line .*: this person is there twice"),
    "a person has no name": ("people", cell(5, "person", ""), "line 7 .*: there is no person"),
    "a run unlike its people": ("runs", lambda f: f.assign(mae=f.mae.mask(f.index == 4, f.mae + 0.01)), "line 6 .*: mae is not the mean"),
    "a recipe that leads elsewhere": ("runs", lambda f: f.assign(recipe="../../evil"), "recipe in .* cannot be '../../evil'"),
    "a recipe that is a script": ("runs", lambda f: f.assign(recipe="<script>"), "recipe in .* cannot be '<script>'"),
    "a set without a name": ("people", lambda f: f.assign(dataset=np.nan), "line 2 .*: dataset is missing"),
}  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make(tmp_path_factory.mktemp("small"), students=(1, 2), teachers=(2,), grid=False, seeds={})


@pytest.mark.parametrize("lie", LIES)
def test_tables_that_lie_are_refused_with_the_row(small, tmp_path, lie):
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    tables.load(tmp_path)
    table, change, said = LIES[lie]
    broken(tmp_path, table, change)
    with pytest.raises(InputError, match=said) as error:
        tables.load(tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["runs", "people", "reliability"])
@pytest.mark.parametrize("content", [b"", b"\n\n", bytes(range(256)) * 4, b"PAR1\x00\x15\x04", b'a,b\n1,2,3\n4,5,6,7\n', None])
def test_empty_and_binary_tables_are_one_sentence(small, tmp_path, name, content):
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    path = tmp_path / f"{name}.csv"
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    try:
        tables.load(tmp_path)
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert name == "reliability" and content == b"PAR1\x00\x15\x04"  # a header without rows


@pytest.mark.parametrize("name", ["runs", "people", "reliability"])
def test_rows_with_more_fields_than_the_header_do_not_move_to_other_columns(small, tmp_path, name):
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    path = tmp_path / f"{name}.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(f"{row},1" for row in rows)]))
    with pytest.raises(InputError, match="rows have more fields than the header"):
        tables.load(tmp_path)
