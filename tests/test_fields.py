"""What field, size and a teacher are worth, found again in data that were made so, and turned when the data are."""

import numpy as np
import pandas as pd
import pytest
from fake_results import make

from ppglib.files import InputError
from ppglib.resnet1d import Design, dilations_for
from ppglib.results import bootstrap, fields, frames, outcome, plots, tables

PAPER = (1, 2, 3, 4, 5, 6, 8, 10)  # and the teacher of 12
DESIGNS = (
    [Design(blocks) for blocks in (1, 2, 4)]
    + [Design(1, dilations=dilations_for(s, 1)) for s in (1, 2, 4, 8)]
    + [Design(4, dilations=dilations_for(8, 4))]
    + [Design(1, width=96), Design(1, width=96, dilations=dilations_for(8, 1)), Design(8, pieces=8)]
)


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    """Enough for data that are made without noise, and twenty times as fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "DRAWS", 500)
        yield


def of_field(design):
    """An MAE that only the field decides."""
    return 2.0 + 1.5 / min(design.field / 25, 8.0)


def of_size(design):
    """An MAE that only the number of blocks decides, as the paper's law has it."""
    return 2.0 + 4.0 * np.exp(-0.5 * design.blocks)


def study(folder, designs, truth, teacher=0.0):
    """Results of designs whose MAE is `truth`; soft students of a 4-block teacher differ by `teacher` BPM."""
    made = dict(enumerate(designs, 1))
    largest = len(designs) + 1

    def formula(strategy, student, taught):
        return truth(made.get(student, Design(12))) + (teacher if taught else 0.0)

    make(folder, tuple(made), (largest,), grid=False, recipes=("own",), seeds={}, formula=formula, noise=0.0)
    runs = pd.read_csv(folder / "runs.csv").query("strategy in ('scratch', 'soft', 'gaussian', 'mean', 'spectral')")
    known = {0: ("", 0, 0, 0)} | {
        number: (design.name, design.width * 1000 * design.blocks, design.macs, design.field)
        for number, design in (made | {largest: Design(12)}).items()
    }
    runs["design"] = [known[student][0] for student in runs.student]
    for i, name in enumerate(("parameters", "macs", "field"), 1):
        runs[name] = [known[student][i] for student in runs.student]
    blocks = {number: design.blocks for number, design in made.items()} | {0: 0, largest: 12}
    runs["student"], runs["teacher"] = runs.student.map(blocks), runs.teacher.map(blocks)
    runs["teacher_design"] = ""
    people = pd.read_csv(folder / "people.csv")
    people = people[people.run_id.isin(runs.run_id)]
    sees = runs.set_index("run_id").field.reindex(people.run_id).to_numpy() / 25
    pieces = [people.assign(seconds=s, mae=people.mae + np.minimum(sees, 8) / s) for s in (1.0, 4.0)]
    permuted = pd.concat(pieces).drop(columns="activity")
    for name, frame in {"runs": runs, "people": people, "permuted": permuted}.items():  # ids of two studies differ
        frame.assign(run_id=f"{folder.name}-" + frame.run_id).to_csv(folder / f"{name}.csv", index=False)
    return tables.load(folder, designs=True)


@pytest.fixture(scope="module", params=[of_field, of_size], ids=["field", "size"])
def found(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fields")
    ours = study(folder / "ours", DESIGNS, request.param)
    study(folder / "paper", [Design(blocks) for blocks in PAPER], request.param)
    return request.param, ours, tables.load(folder / "paper")


def test_the_table_has_every_network_once_with_its_field(found):
    truth, ours, _ = found
    table = fields.table(ours).query("strategy == 'gaussian'").set_index("network")
    assert len(table) == len(DESIGNS)
    for design in DESIGNS:
        row = table.loc[f"{design.blocks} {design.name}".strip()]
        assert row.field == min(design.field / 25, 8.0) and row.macs == design.macs
        assert row.mae == pytest.approx(truth(design), abs=0.5) and row.low < row.mae < row.high


def test_what_field_and_parameters_are_worth(found):
    truth, ours, _ = found
    worth = fields.worth(ours).set_index("control")
    field, size = worth.loc["per doubling of the field"], worth.loc["per doubling of parameters"]
    if truth is of_field:
        assert field.reading == "better" and size.reading == "not distinguishable"
        full = worth.loc["field, same parameters and MACs"].set_index("compared").loc[
            "32,000 parameters: field from 0.52 to 8.00"
        ]
        assert full.effect == pytest.approx(of_field(DESIGNS[6]) - of_field(DESIGNS[0]), abs=0.1)
    else:
        assert field.reading == "not distinguishable" and abs(field.effect) < 0.05
        assert size.reading == "better"


def test_what_another_order_does_is_the_difference_of_two_errors(found):
    _, ours, _ = found
    rows = fields.permuted(ours)
    assert rows.groupby("strategy").network.size().floordiv(2).to_dict() == {"gaussian": 11, "scratch": 12}
    assert np.allclose(rows.effect, rows.field / rows.seconds, atol=1e-4)
    assert np.allclose(rows.low, rows.effect, atol=1e-4)  # everyone's alike


def test_only_the_law_that_made_the_data_foresees_the_others(found):
    truth, ours, paper = found
    foresight = fields.foresight(ours, paper)
    assert (foresight.fitted >= 8).all() and (foresight.foreseen == 8).all()
    best = foresight.loc[foresight.groupby("strategy").error.idxmin()]
    axis, law = ("field", "power") if truth is of_field else ("blocks", "exponential")
    assert set(best.x) == {axis} and set(best.law) == {law} and (best.error < 0.15).all()
    others = foresight[foresight.x != axis]
    assert (others.error_low.to_numpy() > best.error_high.min()).all()


@pytest.mark.parametrize(("teacher", "reading"), [(-0.5, "better"), (0.0, "not distinguishable"), (0.5, "worse")])
def test_what_a_teacher_is_worth_to_a_student_that_sees(tmp_path, teacher, reading):
    ours = study(tmp_path, DESIGNS, of_field, teacher)
    rows = fields.worth(ours).query("control.str.startswith('a teacher')")
    assert set(rows.compared) == {"soft by 12 - scratch", "soft by 12 - gaussian"}
    assert set(rows.reading) == {reading} and (rows.n == 3).all()
    (verdict,) = fields.claims(ours, ours._replace(runs=ours.runs[:0])).query("id == 'F4'").verdict
    assert verdict == (outcome.YES if teacher < 0 else outcome.NO)


def test_our_claims_turn_with_the_data(found):
    truth, ours, paper = found
    judged = fields.claims(ours, paper).set_index("id")
    seen = truth is of_field
    assert judged.verdict[["F1", "F2", "F3"]].tolist() == [outcome.YES if seen else outcome.NO] * 3
    assert (judged.effect["F3"] < 0) == seen
    assert judged.verdict[["F4", "F5"]].tolist() == [outcome.NO, outcome.CANNOT]  # soft students alone
    words = frames.field_claims(ours, paper).shown.verdict.tolist()
    assert words == ["holds" if seen else "does not hold"] * 3 + ["does not hold", outcome.CANNOT]


def test_our_claims_cannot_be_tested_without_what_they_compare(found, tmp_path):
    _, _, paper = found
    few = study(tmp_path, [Design(1), Design(2)], of_field)
    few = few._replace(runs=few.runs[few.runs.strategy != "soft"])
    assert set(fields.claims(few, paper).verdict) == {outcome.CANNOT}


def test_figures_and_frames_say_what_the_data_say(found, tmp_path):
    truth, ours, paper = found
    plot = plots.receptive_field(ours, paper)
    first = fields.table(ours).query("strategy == 'gaussian' and network in ('1', '1 d2.9.39')").mae
    low, high = (f"{mae:.2f}" for mae in (first.iloc[-1], first.iloc[0]))
    assert f"0.5 s: {high} BPM, 8.0 s: {low} BPM (gaussian)" in plot.title
    lines = [line for ax in plot.fig.axes for line in ax.get_lines() if str(line.get_label()).startswith("the paper's")]
    drawn = fields.sizes(ours, paper).query("strategy == 'scratch'")
    assert any(np.array_equal(line.get_xydata(), drawn[["field", "mae"]]) for line in lines)
    foresight = fields.foresight(ours, paper)
    told = foresight.query("strategy == 'gaussian'").set_index(["x", "law"]).error
    numbers = f"{told['field', 'power']:.2f} against {told['blocks', 'exponential']:.2f} BPM (gaussian)"
    assert numbers in plots.foresight(foresight).title
    ordered = plots.permuted(ours)
    assert "seeing 0.5 s +0.52 BPM, seeing 8.0 s +8.00 BPM (gaussian)" in ordered.title
    for one in (plot, ordered, plots.foresight(foresight)):
        one.save(tmp_path)
    shown = [frames.receptive_field(ours), frames.worth(ours), frames.permuted(ours), frames.foresight(foresight)]
    for table in shown:
        assert len(table.shown) and max(map(len, repr(table).splitlines())) <= 110
    assert "d2.9.39" in set(shown[0].shown.design) and "per doubling of the field" in set(shown[1].shown["what"])


def test_other_folders_are_refused_in_one_sentence(tmp_path):
    make(tmp_path, (1, 2), (2,), recipes=("public", "tuned"))
    for what in (fields.worth, fields.claims, fields.foresight, fields.sizes):
        given = [tables.load(tmp_path, designs=True)] * (1 if what is fields.worth else 2)
        with pytest.raises(InputError, match="no results of one study of designs"):
            what(*given)


def test_ends_are_those_of_each_strategy(tmp_path):
    """The largest network that sees the window was trained from scratch alone."""
    ours = study(tmp_path, [Design(1), Design(2), Design(1, dilations=(2, 9, 39)), Design(4, dilations=4)], of_size)
    rows = fields.worth(ours).query("control == 'parameters, same field'").set_index("compared")
    assert set(rows.index) == {"8 s: parameters from 32,000 to 128,000", "8 s: parameters from 32,000 to 384,000"}
