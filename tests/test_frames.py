"""Tables as people read them: every digit, no id, no nan, and the raw numbers in the CSV."""

import numpy as np
import pandas as pd
import pytest
from fake_results import make

from ppglib.results import bootstrap, claims, frames, tables

MAKERS = {
    "summary": frames.summary, "figure1": frames.figure1, "by_relation": frames.by_relation,
    "teacher_strength": frames.teacher_strength, "table2": frames.table2,
    "table2_by_set": frames.table2_by_set, "baselines": frames.baselines, "seeds": frames.seeds,
    "all_controls": frames.all_controls, "by_size": frames.by_size, "beyond": frames.beyond,
    "law_table": frames.law_table, "grid_rivals": frames.grid_rivals, "quality": frames.quality,
    "teacher_confidence": frames.teacher_confidence, "generalization": frames.generalization,
    "transfer": frames.transfer,
}  # fmt: skip
PAPER = {
    "other_decoders": frames.other_decoders, "against_paper": frames.against_paper, "rivals": frames.rivals,
    "forecast": lambda results, paper: frames.forecast(frames.forecasts(results, paper)),
    "paper_laws": lambda _, paper: frames.paper_laws(paper),
    "table2_laws": lambda _, paper: frames.table2_laws(paper),
    "verdicts": lambda results, paper: frames.verdicts(claims.judge(results, paper)),
    "overview": lambda results, paper: frames.overview(claims.judge(results, paper)),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "DRAWS", 40)
        yield


@pytest.fixture(scope="module")
def paper():
    return tables.load_paper()


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    two = make(tmp_path_factory.mktemp("two"), recipes=("public", "tuned"), simulated=True)
    one = make(tmp_path_factory.mktemp("one"), (1, 2), (2, 4), recipes=("demo",), seeds={})
    return {"two": tables.load(two), "one": tables.load(one)}


def reads_well(table):
    text, html, page = repr(table), table._repr_html_(), table.markdown()
    assert table.caption and table.caption in html and table.caption in page
    assert " ".join(text.split()).startswith(table.caption)
    assert repr(table) == text and table._repr_html_() == html
    words = f"{text} {page}".replace("|", " ").split()
    assert not {"nan", "None", "NaN", "True", "False", "simulated"} & {w.strip("[],") for w in words}
    assert max(map(len, text.splitlines())) <= 110
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == (len(table.shown) + 2 if len(table.shown) else 0)


@pytest.mark.parametrize("study", ["two", "one"])
@pytest.mark.parametrize("name", [*MAKERS, *PAPER])
def test_every_table_of_a_large_and_of_a_small_study_reads_well(studies, paper, study, name):
    results = studies[study]
    table = MAKERS[name](results) if name in MAKERS else PAPER[name](results, paper)
    reads_well(table)
    if "recipe" in table and len(table):
        assert set(table.recipe) - {"paper"} <= set(tables.recipes(results.runs))


def test_tables_of_words_read_well_and_whole():
    for table in (frames.rules(), frames.glossary()):
        reads_well(table)
        assert "..." not in repr(table)


def test_recipes_stand_one_below_the_other_with_every_number(studies):
    table = frames.table2(studies["two"])
    both = tables.conditions(studies["two"])
    parts = [tables.table2(both, recipe) for recipe in ("public", "tuned")]
    assert np.allclose(table.mae, pd.concat(parts).mae)
    assert table.recipe.tolist() == ["public"] * len(parts[0]) + ["tuned"] * len(parts[1])
    assert f"{parts[1].mae.iloc[0]:.2f} [" in repr(table) and "| tuned |" in table.markdown()
    assert "simulated recordings" in frames.summary(studies["two"]).caption.lower()


def test_the_csv_has_the_raw_numbers(studies, tmp_path):
    table = frames.seeds(studies["two"])
    assert table.save(tmp_path, "05") is table
    saved = pd.read_csv(tmp_path / "tables/05.csv")
    assert np.allclose(saved.seed_sd, table.seed_sd, rtol=1e-5) and list(saved) == list(table)


def test_a_changed_digit_changes_what_is_shown():
    one, other = (frames.captioned(pd.DataFrame({"a": [1.0, value]}), "C.") for value in (2.34, 2.35))
    assert repr(one) != repr(other) and one._repr_html_() != other._repr_html_()
    assert type(one + 1) is pd.DataFrame


def test_nothing_shown_twice_nothing_where_nothing_is():
    data = pd.DataFrame(
        {"a": ["x", "x", "y"], "b": [1.0, np.nan, 3], "c": [True, False, True], "d": [1, 2, 3]}
    )
    assert frames.captioned(data, "C.").shown.to_numpy().tolist() == [
        ["x", "1.00", "yes", "1"], ["", "", "no", "2"], ["y", "3.00", "yes", "3"],
    ]  # fmt: skip


def test_constants_that_were_tried_are_short(tmp_path):
    assert repr(frames.tuning(tmp_path)) == frames.tuning(tmp_path).caption
    table = pd.DataFrame({"step": "rate", "setting": [0, 0, 1, 1], "student": [1, 8] * 2})
    table["rate"], table["mae"], table["chosen"] = (
        [0.0005] * 2 + [0.1] * 2,
        [1.0, 2, 3, 4],
        [False] * 2 + [True] * 2,
    )
    table.to_csv(tmp_path / "tuning.csv", index=False)
    shown = frames.tuning(tmp_path).shown
    assert shown.rate.tolist() == ["0.0005", "0.1"] and shown["mean"].tolist() == ["1.50", "3.50"]
    assert shown.chosen.tolist() == ["no", "yes"]


def test_a_number_takes_what_belongs_to_it():
    data = {
        "effect": [-1.0, np.nan],
        "low": [-1.3, np.nan],
        "high": [-0.7, np.nan],
        "seed_sd": [0.4 / 1.96] * 2,
    }
    data |= {"a": [2.0, np.nan], "a_se": [0.5, np.nan], "b": [2.0, 3.0], "b_low": [1.0, np.nan]}
    data = pd.DataFrame(data | {"b_high": [4.0, np.nan], "simulated": False})
    shown = frames.captioned(data, "C.").shown
    assert shown.to_dict("list") == {
        "effect": ["-1.00 [-1.50, -0.50]", ""], "a": ["2.00 +- 0.50", ""], "b": ["2.00 [1.00, 4.00]", "3.00"],
    }  # fmt: skip
    assert list(frames.captioned(data, "C.", "b effect", effect="gain").shown) == ["b", "gain"]
