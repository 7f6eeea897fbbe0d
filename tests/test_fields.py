"""What field, size and a teacher are worth, found again in data that were made so, and turned when the data are."""

import numpy as np
import pandas as pd
import pytest
from fake_results import make

from ppglib.files import InputError
from ppglib.resnet1d import Design, dilations_for
from ppglib.results import bootstrap, claims, claims_of_field, evidence, fields, frames, laws, outcome, plots, students, tables

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


def study(folder, designs, truth, teacher=lambda strategy, design: 0.0, strategies=("scratch", "soft", "gaussian")):
    """Results of designs whose MAE is `truth`; students of a 12-block teacher differ by `teacher` BPM."""
    made = dict(enumerate(designs, 1))
    largest = len(designs) + 1

    def formula(strategy, student, taught):
        design = made.get(student, Design(12))
        return truth(design) + (teacher(strategy, design) if taught else 0.0)

    make(folder, tuple(made), (largest,), grid=False, recipes=("own",), seeds={}, formula=formula, noise=0.0)
    runs = pd.read_csv(folder / "runs.csv").query("strategy in @strategies or student == 0")
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
    ours = study(tmp_path, DESIGNS, of_field, lambda strategy, design: teacher)
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


def size_alone(truth):
    """The paper's networks as `truth` has them, and every design as the paper's network of so many blocks."""
    return lambda *args: truth(*args[:-1], Design(args[-1].blocks))


def blind(strategy, design):
    """DKD helps those alone who do not see the window."""
    return -0.5 * (strategy == "dkd" and design.field / 25 < 8.0)


BY_FIELD = list(claims_of_field.CONTROLS)
WHOLE = [Design(blocks, dilations=dilations_for(8, blocks)) for blocks in (1, 2, 3, 4)]


def both(folder, truth, teacher, designs=WHOLE):
    """Results of the paper's sizes with those of designs beside them."""
    strategies = ("scratch", "soft", "gaussian", "dkd")
    study(folder / "paper", [Design(blocks) for blocks in PAPER], truth, teacher, strategies)
    study(folder / "paper" / "receptive_field", designs, truth, teacher, strategies)
    return tables.load(folder / "paper")


def judged(folder, truth, teacher, designs=WHOLE, recipe="own"):
    """Verdicts without and with designs: the paper's sizes say the same whether field or size decides."""
    paper, printed = both(folder, truth, teacher, designs), tables.load_paper()
    designs = paper.designs._replace(runs=paper.designs.runs.assign(recipe=recipe))
    found = [paper._replace(designs=other) for other in (None, designs)]
    return [claims.judge(results, printed)["own"].set_index("name") for results in found]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    by_field = judged(tmp_path_factory.mktemp("by_field"), of_field, blind)
    by_size = judged(tmp_path_factory.mktemp("by_size"), size_alone(of_field), size_alone(blind))
    return by_field, by_size


@pytest.mark.parametrize("claim", BY_FIELD)
def test_a_claim_about_size_is_explained_where_the_field_decides_and_not_where_size_does(worlds, claim):
    for (alone, with_designs), expected in zip(worlds, (outcome.CONTROL, None)):
        before, after = alone.loc[claim], with_designs.loc[claim]
        assert before.verdict in (outcome.YES, outcome.CANNOT)
        assert after.verdict == (expected or before.verdict), after.why
        assert after.why.startswith(before.why) and len(after.why) > len(before.why)
        assert after.effect == before.effect and after.why.count(". ") <= 2 and len(after.why) < 550


def test_the_paper_s_sizes_alone_cannot_tell_field_from_size(worlds):
    (alone, _), (other, _) = worlds
    assert alone[["verdict", "why"]].equals(other[["verdict", "why"]])
    assert (alone.verdict[["rich_labels", "size_helps", "exponential_law"]] == outcome.YES).all()


@pytest.mark.parametrize(
    ("left", "worth", "gone"),
    [
        ((-0.1, -0.3, 0.1), (-0.5, -0.7, -0.3), True),
        ((-0.1, -0.15, -0.05), (-0.5, -0.7, -0.3), False),  # less, and still significant
        ((-0.1, -0.3, 0.1), (-0.5, -1.1, 0.1), False),  # the field itself is not significant
        ((-0.6, -1.3, 0.1), (-0.5, -0.7, -0.3), False),  # more than was claimed: too few networks to see it
        ((0.2, 0.1, 0.3), (-0.5, -0.7, -0.3), True),
    ],
)
def test_the_field_explains_what_goes_away_where_it_is_held(left, worth, gone):
    assert claims_of_field._gone(left, -0.4, worth) == gone


def test_claims_stay_as_they_were_without_a_control(tmp_path):
    """Another recipe; designs that differ in more than dilations; claims that are refuted stay so and say more."""
    blocks = [1, 2, 3, 4]
    wider = [Design(b, dilations=dilations_for(8, b), width=48) for b in blocks]
    for name, given in {"recipe": dict(recipe="other"), "design": dict(designs=wider)}.items():
        alone, with_designs = judged(tmp_path / name, of_field, blind, **given)
        assert with_designs[["verdict", "why"]].equals(alone[["verdict", "why"]])
    alone, early = judged(tmp_path / "early", lambda design: 2.0 + 0.8 / min(design.field / 25, 8.0) ** 2, blind)
    assert alone.verdict["saturation"] == early.verdict["saturation"] == outcome.NO
    assert "blocks or earlier" in early.why["saturation"] and "On 4 blocks that see 8 s" in early.why["saturation"]
    assert tables.load(tmp_path / "early" / "paper", designs=True).designs is None


def test_what_is_left_where_the_field_is_held_is_not_explained(tmp_path):
    """Field and size each do something; and where neither does, there is nothing to explain."""
    half, paths = (size_alone(of_field), size_alone(blind)), (tmp_path / "half", tmp_path / "flat")
    halves = both(paths[0], lambda d: of_field(d) + half[0](d), lambda k, d: blind(k, d) + half[1](k, d))
    nothing = both(paths[1], lambda design: 3.0, lambda strategy, design: 0.0)
    for results, names in ((halves, ("rich_labels", "size_helps", "saturation")), (nothing, BY_FIELD)):
        seen = claims_of_field.seen(results, "own")
        assert not any(claims_of_field.CONTROLS[name](seen, -9.0, "12")[0] for name in names)


def test_the_paper_s_own_table_along_every_axis():
    paper = tables.load_paper()
    data = frames.table2_laws(paper).set_index(["strategy", "x", "law"]).left_out
    assert len(data) == 4 * 4 * 3 and data.notna().all()
    for name, rows in paper.strategies.groupby("strategy"):
        own = dict(zip(rows.student, rows.mae))
        for axis, x in {"field": lambda b: min(Design(b).field / 25, 8.0), "macs": lambda b: Design(b).macs}.items():
            errors = []
            for left_out in own:
                kept = [b for b in own if b != left_out]
                line = np.polyfit([np.log(x(b)) for b in kept], [own[b] for b in kept], 1)
                errors.append(abs(np.polyval(line, np.log(x(left_out))) - own[left_out]))
            assert data[name, axis, "log-linear"] == pytest.approx(np.mean(errors))


def test_the_law_that_made_a_curve_is_found_along_its_axis(found):
    truth, _, paper = found
    rows = laws.rivals(evidence.ours(paper, "own").mae, "soft", 12)
    best = rows.loc[rows.left_out.idxmin()]
    assert (best.x, best.law) == (("field", "power") if truth is of_field else ("blocks", "exponential"))
    why = claims.judge(paper, tables.load_paper())["own"].set_index("name").why["exponential_law"]
    assert f"a power law in the field by {rows.set_index(['x', 'law']).left_out['field', 'power']:.2f}. " in why


CHEAP = [Design(1, width=8, strides=(4, 2), dilations=(1, 2, 6)), Design(3, strides=(2, 1, 2, 1), dilations=4)]


def test_the_front_stands_beside_the_papers_sizes(found, tmp_path):
    truth, ours, paper = found
    cheap = study(tmp_path / "cheap", CHEAP, truth)
    table = students.front(cheap, ours, paper)
    own = table[table.strategy == "gaussian"].set_index(["kind", "network"])
    names = [f"{design.blocks} {design.name}" for design in CHEAP]
    assert own.loc[students.SEES].index.tolist() == names
    alone = fields.table(cheap).query("strategy == 'gaussian'").set_index("network").mae
    assert own.loc[students.SEES].mae.equals(alone)
    assert own.loc[students.SIZES].index.tolist() == [str(blocks) for blocks in PAPER]
    taught = table[(table.kind == students.SEES) & (table.strategy == "scratch")]
    assert (taught.field == 8).all() and len(taught) and not (table.strategy == "soft").any()
    plot = plots.front(table)
    smallest, best = own.mae[students.SIZES, "1"], alone.min()
    assert f"{smallest:.2f} BPM (2.1 MMAC)" in plot.title and f"window by {best:.2f}" in plot.title
    assert len(frames.front(table).shown) == len(table)


def test_the_family_is_tracked_and_tested_on_everyone(tmp_path):
    made = [Design(int(blocks), **kept(name)) for blocks, name in (text.split() for text in students.FAMILY.values())]
    assert [f"{design.blocks} {design.name}" for design in made] == list(students.FAMILY.values())
    results = study(tmp_path, made, of_field)
    for kind, runs in results.runs.groupby("split"):
        assert kind == "person"
    both = pd.concat([results.runs, results.runs.assign(split="fifths", run_id=results.runs.run_id + "-fifths")])
    people = pd.concat([results.people, results.people.assign(run_id=results.people.run_id + "-fifths")])
    results = results._replace(runs=both, people=people)
    gains = {"none": 0.0, "online": 0.1, "smooth": 0.4}
    columns = ["mae", "mae_expectation", "mae_median"]
    parts = [people.assign(track=how, **{c: people[c] - gain for c in columns}) for how, gain in gains.items()]
    pd.concat(parts).to_csv(tmp_path / "tracked.csv", index=False)
    data = students.family(results, tmp_path)
    shown = frames.family(data).shown.set_index("name")
    assert shown.index.tolist() == [*students.FAMILY, "spectrum"] and shown.mmacs["large"] == "2.1"
    first = lambda text: float(text.split()[0])  # noqa: E731
    assert first(shown["median of each window"]["large"]) - first(shown.smooth["large"]) == pytest.approx(0.4, abs=0.02)
    sets = frames.family_sets(data, {"mae": 1.45, "low": 1.3, "high": 1.6, "people": 3, "windows": 9}).shown
    assert sets.name.tolist() == [*shown.index, "authors of BAMI-2"]
    assert "1.45 [1.30, 1.60]" in sets.iloc[-1].tolist()


def kept(name):
    """A design from its name, as `Design.name` spells it."""
    words = {"d": "dilations", "s": "strides", "w": "width"}
    numbers = lambda text: tuple(map(int, text.split(".")))  # noqa: E731
    found = {words[part[0]]: numbers(part[1:]) for part in name.split("-")}
    return found | ({"width": found["width"][0]} if "width" in found else {})


def test_the_check_of_the_recipe_names_the_best_of_each_network(tmp_path):
    rows = [("1", 0.1, 0.0, 4.0, True), ("1", 0.3, 0.0, 5.0, False), ("d2", 0.1, 0.0, 3.5, False), ("d2", 0.3, 0.0, 3.0, True)]
    table = pd.DataFrame(rows, columns=["design", "rate", "dropout", "mae", "chosen"]).assign(student=1)
    table.assign(design=table.design.replace("1", "")).to_csv(tmp_path / "tuning.csv", index=False)
    shown = frames.recipe_check(tmp_path).shown.set_index("rate")
    assert shown["1"].tolist() == ["4.00 (best)", "5.00"] and shown["1 d2"].tolist() == ["3.50", "3.00 (best)"]
