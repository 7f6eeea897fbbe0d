"""Study files: what they mean, and what is wrong with a wrong one."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ppglib.files import InputError
from ppglib.resnet1d import Design
from ppglib.recordings import windows_of
from ppglib.splits import split
from ppglib.strategies import STRATEGIES, TRAINING
from ppglib.study import grid, studies
from ppglib.study.prepare import study_windows
from ppglib.windows import Windows

GOOD = """
recipe = "mine"
datasets = ["bami1"]
students = [1, 2]
teachers = [2, 4]
strategies = ["scratch", "dkd"]
swept = ["soft"]
folds = [0, 1]
seeds = 1
epochs = 3
"""


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_mark_that_windows_editors_write_is_skipped(tmp_path):
    assert studies.read(write(tmp_path, "\ufeff" + GOOD)) == studies.read(write(tmp_path, GOOD))


@pytest.mark.parametrize("name", sorted(path.stem for path in studies.BUILT_IN.glob("*.toml")))
def test_built_in_studies_are_valid_and_teach_before_they_learn(name):
    study = studies.read(name)
    runs = grid.runs(study)
    assert len(set(runs)) == len(runs)
    place = {run: i for i, run in enumerate(runs)}
    for run in runs:
        teachers = grid.teachers_of(run)
        assert len(teachers) == {"soft_oof": 4}.get(run.strategy, int(run.teacher > 0))
        assert (run.teacher == 0) == (STRATEGIES[run.strategy].teacher == "")
        assert all(place[teacher] < place[run] for teacher in teachers)


def test_the_grid_of_a_study(tmp_path):
    runs = grid.runs(studies.read(write(tmp_path, GOOD)))
    networks = {(r.strategy, r.student, r.teacher) for r in runs}
    scratch = {("scratch", size, 0) for size in (1, 2, 4)}
    assert networks == scratch | {("dkd", s, 4) for s in (1, 2)} | {
        ("soft", s, t) for s in (1, 2) for t in (2, 4)
    }
    assert len(runs) == 2 * len(networks)


def test_a_teacher_is_the_one_asked_for_of_the_first_seed_and_has_not_seen_the_test_people(tmp_path):
    more = "teacher_designs = [{blocks = 4, dilations = 2}]\nmore_seeds = 3\nmore_seeds_at = [1]\n"
    runs = grid.runs(studies.read(write(tmp_path, GOOD + more)))
    taught = [run for run in runs if run.teacher]
    assert {run.seed for run in taught} == {0, 1, 2} and {run.fold for run in taught} == {0, 1}
    for run in taught:
        (teacher,) = grid.teachers_of(run)
        assert (teacher.student, teacher.design) == (run.teacher, run.teacher_design)
        assert (teacher.strategy, teacher.seed, teacher.split, teacher.fold) == ("scratch", 0, run.split, run.fold)


def test_every_network_has_the_seeds_of_the_study_and_costly_ones_come_first(tmp_path):
    runs = grid.runs(studies.read(write(tmp_path, GOOD.replace("seeds = 1", "seeds = 2"))))
    seeds = pd.DataFrame(runs).groupby(["strategy", "student", "teacher", "fold"]).seed.agg(sorted)
    assert {*map(tuple, seeds)} == {(0, 1)}
    teaching = {teacher for run in runs for teacher in grid.teachers_of(run)}
    assert len(teaching) == 4 and {*runs[:4]} == teaching
    for chosen in (runs[:4], [run for run in runs[4:] if not run.teacher], [run for run in runs if run.teacher]):
        sizes = [run.student for run in chosen]
        assert len(set(sizes)) > 1 and sizes == sorted(sizes, reverse=True)


def test_a_whole_number_may_stand_for_a_fraction(tmp_path):
    study = studies.read(write(tmp_path, GOOD + "sigma = 4\n"))
    assert study == studies.read(write(tmp_path, GOOD + "sigma = 4.0\n")) and type(study.sigma) is float


def test_the_papers_grid_has_the_papers_sizes():
    runs = grid.runs(studies.read("paper"))
    swept = {(r.student, r.teacher) for r in runs if r.strategy == "soft"}
    assert len(swept) == 64 and max(r.student for r in runs) == 12


def test_a_study_takes_others_along(tmp_path):
    other = GOOD.replace("mine", "theirs").replace('"scratch", "dkd"', '"scratch", "soft_oof"')
    (tmp_path / "other.toml").write_text(other, encoding="utf-8")
    both = GOOD + f"also = [{str(tmp_path / 'other.toml')!r}]\n"
    runs = grid.runs(studies.read(write(tmp_path, both)))
    assert {r.study for r in runs} == {"mine", "other"} and len(set(runs)) == len(runs)
    alone = grid.runs(studies.read(write(tmp_path, GOOD)))
    assert [r for r in runs if r.study == "mine"] == alone
    parts = {(r.student, r.split) for r in runs if r.split != "person"}
    assert parts == {(4, part) for part in ("part1", "part2", "part3", "part4")}


def test_a_study_takes_along_only_others_on_the_same_recordings(tmp_path):
    for change in (("bami1", "bami2"), ("epochs = 3", "epochs = 3\nsimulate_people = [4]")):
        (tmp_path / "other.toml").write_text(GOOD.replace(*change), encoding="utf-8")
        with pytest.raises(InputError, match="same recordings"):
            studies.read(write(tmp_path, GOOD + 'also = ["other.toml"]\n'))


def test_two_studies_that_tables_could_not_tell_apart_are_refused(tmp_path):
    (tmp_path / "other.toml").write_text(GOOD, encoding="utf-8")
    text = GOOD + 'also = ["other.toml"]\n'
    with pytest.raises(InputError, match="the recipe and a split of mine"):
        studies.read(write(tmp_path, text))
    recipe = text.replace("mine", "more", 1)
    assert len(studies.members(studies.read(write(tmp_path, recipe)))) == 2


@pytest.mark.parametrize(
    "more", ["more_seeds = 3\n", "more_seeds_at = [1]\n", "more_seeds = 3\nmore_seeds_at = [7]\n"]
)
def test_more_seeds_that_would_do_nothing_are_refused(tmp_path, more):
    with pytest.raises(InputError, match="must be among the students"):
        studies.read(write(tmp_path, GOOD + more))


def test_other_teachers_than_the_largest_need_one_seed(tmp_path):
    text = GOOD.replace('"dkd"', '"soft"') + "more_seeds = 3\nmore_seeds_at = [1]\n"
    runs = [r for r in grid.runs(studies.read(write(tmp_path, text))) if (r.student, r.fold) == (1, 0)]
    seeds = {t: [r.seed for r in runs if r.teacher == t] for t in (2, 4)}
    assert len(seeds[2]) == 1 and sorted(seeds[4]) == [0, 1, 2]


def test_what_is_only_swept_needs_one_seed(tmp_path):
    text = GOOD.replace('"dkd"]', '"hard"]') + "more_seeds = 3\nmore_seeds_at = [1]\n"
    runs = [r for r in grid.runs(studies.read(write(tmp_path, text))) if (r.student, r.fold) == (1, 0)]
    assert sorted(r.seed for r in runs if r.teacher == 4 and r.strategy == "hard") == [0, 1, 2]
    assert [r.seed for r in runs if r.teacher == 4 and r.strategy == "soft"] == [0]


def test_more_seeds_at_some_sizes(tmp_path):
    text = GOOD + "more_seeds = 3\nmore_seeds_at = [1]\n"
    runs = grid.runs(studies.read(write(tmp_path, text)))
    assert {r.seed for r in runs if r.student == 1} == {0, 1, 2}
    assert {r.seed for r in runs if r.student == 2} == {0}


def test_a_run_is_named_by_what_decides_it_and_by_nothing_else(tmp_path):
    study = studies.read(write(tmp_path, GOOD))
    make = lambda **changes: grid.make_run(replace(study, **changes), "person", "dkd", Design(1), Design(4), 0, 0)  # noqa: E731
    name = make().id("windows")
    assert name.startswith("dkd-s1-t4-f0-r0-")
    assert make(sigma=9.0).id("windows") == name
    assert make(soft_temperature=9.0).id("windows") == name
    for change in ({"beta": 1.0}, {"epochs": 4}, {"rate": 1e-2}, {"dropout": 0.1}, {"dkd_temperature": 2.0}):
        assert make(**change).id("windows") != name
    assert make().id("other windows") != name


def test_designs_are_students_and_teachers_beside_the_papers(tmp_path):
    more = "designs = [{blocks = 1, field = 2.0}, {blocks = 1, width = 8}]\n"
    more += "teacher_designs = [{blocks = 4, dilations = 2}]\n"
    study = studies.read(write(tmp_path, GOOD + more))
    runs = [r for r in grid.runs(study) if r.fold == 0]
    alone = [r for r in grid.runs(studies.read(write(tmp_path, GOOD))) if r.fold == 0]
    assert set(alone) < set(runs)
    names = {r.network.name for r in runs if r.strategy == "dkd"}
    assert names == {"", "d1.3.9", "w8"}
    taught = {(r.teacher, r.teacher_design) for r in runs if r.strategy == "dkd" and r.network.name == "w8"}
    assert taught == {(4, None), (4, Design(4, dilations=2))}
    assert {grid.teachers_of(r)[0] for r in runs if r.teacher} <= set(runs)
    ids = [r.id("windows") for r in runs]
    assert len(set(ids)) == len(ids) and any(name.startswith("dkd-s1_w8-t4_d2.2.2.2.2.2.2.2.2-") for name in ids)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ("{width = 8}", "blocks must be"),
        ("{blocks = true}", "blocks must be"),
        ("{blocks = 41}", "from 1 to 40"),
        ("{blocks = 1, width = 24.0}", "width is a whole number"),
        ("{blocks = 1, dilations = [1.5, 2, 3]}", "whole numbers"),
        ("{blocks = 1, kernels = true}", "whole numbers|kernels"),
        ("{blocks = 1, field = 0}", "above 0 s"),
        ("{blocks = 1, field = inf}", "ends with the window"),
        ("{blocks = 1, field = 'all'}", "number of seconds"),
        ("{blocks = 1, field = 2.0, dilations = 2}", "without dilations"),
        ("{blocks = 1, depth = 2}", "depth"),
        ("{blocks = 1, field = 9.0}", "ends with the window"),
        ("{blocks = 1, dilations = [1, 2]}", "3 dilations"),
        ("{blocks = 1, pieces = 3}", "pieces divide"),
        ("{blocks = 1, kernels = 4}", "kernels are odd"),
    ],
)
def test_a_design_that_is_no_network_is_refused(tmp_path, design, message):
    with pytest.raises(InputError, match=message):
        studies.read(write(tmp_path, GOOD + f"designs = [{design}]\n"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("epochs = 3", "epochs = 3\nepoch = 4"), "unknown key 'epoch': do you mean 'epochs'"),
        (("epochs = 3", "epochs = 3\nzebra = 4"), "unknown key 'zebra': choose from epochs"),
        (("folds = [0, 1]", ""), "lacks the key 'folds'"),
        (("epochs = 3", 'epochs = "3"'), "epochs must be of type int"),
        (("epochs = 3", "epochs = true"), "epochs must be of type int"),
        (("epochs = 3", "epochs = 0"), "epochs must lie between"),
        (("students = [1, 2]", "students = [1, 2.5]"), "students must be a list of int"),
        (("students = [1, 2]", "students = []"), "students or designs must name at least one"),
        (("students = [1, 2]", "students = [1, 1]"), "students or designs must name at least one thing and none twice"),
        (("students = [1, 2]", "students = [0]"), "students must lie between"),
        (("teachers = [2, 4]", "teachers = []"), "needs a teacher"),
        (("folds = [0, 1]", "folds = [2]"), "folds has 2"),
        (('["bami1"]', '["bami9"]'), "datasets has 'bami9'"),
        (('"dkd"]', '"dtkd"]'), "strategies has 'dtkd'"),
        (("epochs = 3", 'epochs = 3\nsplits = ["without-bami2"]'), "splits has 'without-bami2'"),
        (('"dkd"]', '"soft_oof"]\nsplits = ["shuffled"]'), "soft_oof.*by person"),
        (('swept = ["soft"]', 'swept = ["soft_oof"]\nsplits = ["shuffled"]'), "soft_oof.*by person"),
        (("folds = [0, 1]", 'folds = [0, 1]\nsplits = ["without-bami1"]'), "folds must be .0."),
        (("epochs = 3", 'epochs = 3\nalso = ["mine.toml"]'), "names .*mine.toml in `also`"),
        (("epochs = 3", "epochs = 3\nrate = nan"), "rate must lie between"),
        (("epochs = 3", "epochs = 3\ndropout = 1.0"), "dropout must lie between"),
        (("epochs = 3", 'epochs = 3\nschedule = "cosine"'), "schedule has 'cosine'"),
        (("epochs = 3", "epochs ="), "no valid TOML"),
        (('["bami1"]', '["bami1", "bami2"]\nsimulate_people = [4]'), "one number for each of the datasets"),
    ],
)
def test_a_wrong_study_file_is_refused_in_one_sentence(tmp_path, change, message):
    path = write(tmp_path, GOOD.replace(*change))
    with pytest.raises(InputError, match=message) as caught:
        studies.read(path)
    assert "mine.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_study_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="demo, .*open, .*paper"):
        studies.read("zebra")
    with pytest.raises(InputError, match="There is no study 'opne', .*: do you mean 'open'?"):
        studies.read("opne")


@pytest.mark.parametrize("people", [2, 3, 5, 12, 30])
def test_a_number_of_folds_tests_each_person_once(tmp_path, people):
    study = studies.read(write(tmp_path, GOOD.replace("folds = [0, 1]", "folds = 12")))
    assert study.splits == ["folds-12"] and len(grid.runs(study)) == 12 * 9
    rows = [("bami1", f"P{i}", j) for i in range(people) for j in range(3)]
    windows = Windows(np.zeros(0), pd.DataFrame(rows, columns=["dataset", "person", "start"]), pd.DataFrame(), pd.DataFrame())
    runs, tested = grid.runs(study, windows), []
    assert {run.fold for run in runs} == set(range(min(12, people)))
    assert len({run.id("") for run in runs}) == len(runs)
    for split_, fold in grid.places(study, windows):
        train, test = split(windows, fold, split_)
        assert not set(windows.table.person[train]) & set(windows.table.person[test])
        tested += [*windows.table.person[test].unique()]
    assert sorted(tested) == sorted(windows.table.person.unique())


@pytest.mark.parametrize("folds", ["1", "0", "-3", "101", "true", "2.0", "[0, 2]", '"all"'])
def test_an_impossible_number_of_folds_is_refused(tmp_path, folds):
    rule = f"folds is {folds}, but as a number it is from 2 to 100"
    with pytest.raises(InputError, match=rule if folds.strip("-").isdecimal() else "folds"):
        studies.read(write(tmp_path, GOOD.replace("folds = [0, 1]", f"folds = {folds}")))


def test_a_number_of_folds_is_for_a_split_by_person(tmp_path):
    with pytest.raises(InputError, match="splits by person alone"):
        studies.read(write(tmp_path, GOOD.replace("folds = [0, 1]", "folds = 12") + 'splits = ["shuffled"]'))


BAD_NAMES = ["../../../evil", "a/b", "a\\\\b", "..", ".", "", " ", "a b", "<b>", "a..b", ".a", "a.", "-a", "a\\n", "a" * 61, "a:b", "%2e"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_recipe_that_is_no_name_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="recipe of .*mine.toml cannot be"):
        studies.read(write(tmp_path, GOOD.replace('recipe = "mine"', f'recipe = "{name}"')))


@pytest.mark.parametrize("name", ["mine", "my-own_2", "tuned.v2", "größe", "研究"])
def test_other_recipes_are_names(tmp_path, name):
    assert studies.read(write(tmp_path, GOOD.replace('recipe = "mine"', f'recipe = "{name}"'))).recipe == name


@pytest.mark.parametrize("name", ["...toml", "..toml", "a b.toml", "-.toml"])
def test_a_study_file_whose_name_is_none_is_refused(tmp_path, name):
    (tmp_path / name).write_text(GOOD)
    with pytest.raises(InputError, match="name of the study file"):
        studies.read(str(tmp_path / name))


def test_a_study_that_would_take_years_is_refused_at_once_with_its_count(tmp_path):
    sizes = [*range(1, 41)]
    many = GOOD.replace("students = [1, 2]", f"students = {sizes}").replace("teachers = [2, 4]", f"teachers = {sizes}")
    began = time.perf_counter()
    for seeds, count in ((1000, "3,440,000"), (30, "103,200")):
        with pytest.raises(InputError, match=f"up to {count} networks"):
            studies.read(write(tmp_path, many.replace("seeds = 1", f"seeds = {seeds}")))
    assert time.perf_counter() - began < 1


def test_members_of_one_split_have_the_same_folds(tmp_path):
    other = GOOD.replace("students = [1, 2]", "students = [3]").replace("teachers = [2, 4]", "teachers = [5]")
    (tmp_path / "other.toml").write_text(other.replace("[0, 1]", "[0]"), encoding="utf-8")
    with pytest.raises(InputError, match="folds"):
        studies.read(write(tmp_path, GOOD + 'also = ["other.toml"]\n'))


@pytest.mark.parametrize("more", ["epochs = 4", "epochs = 3\ndropout = 0.1", "epochs = 3\nsoft_temperature = 2.0"])
def test_members_of_one_recipe_have_the_same_constants(tmp_path, more):
    other = GOOD.replace("students = [1, 2]", "students = [3]").replace("teachers = [2, 4]", "teachers = [5]")
    for text, same in ((other, True), (other.replace("epochs = 3", more), False)):
        (tmp_path / "other.toml").write_text(text, encoding="utf-8")
        if same:
            assert len(studies.members(studies.read(write(tmp_path, GOOD + 'also = ["other.toml"]\n')))) == 2
        else:
            with pytest.raises(InputError, match="the same constants"):
                studies.read(write(tmp_path, GOOD + 'also = ["other.toml"]\n'))


def test_the_larger_set_has_the_tuned_recipe_and_moves_nobody(simulated_root):
    larger, tuned = studies.read("open_all"), studies.read("open_tuned")
    assert all(getattr(larger, f) == getattr(tuned, f) for f in (*TRAINING, "dropout", "sigma", "soft_temperature"))
    assert set(larger.datasets) - set(tuned.datasets) == {"spc2015_test"}
    names = ["spc2015", "bami1", "bami2"]
    few = windows_of(names, simulated_root)
    more = few.table[few.table.dataset == "bami1"].assign(dataset="spc2015_test")
    many = replace(few, table=pd.concat([few.table, more], ignore_index=True))
    for fold in (0, 1):
        test, tested = (
            {*w.table.iloc[split(w, fold)[1]][["dataset", "person"]].itertuples(index=False, name=None)} for w in (few, many)
        )
        assert test == {pair for pair in tested if pair[0] != "spc2015_test"}


def test_the_committed_networks_are_of_the_open_study(shared, root, tmp_path):
    """All 692 records are found under the ids that the study and the published recordings give today."""
    digest = study_windows(studies.read("open"), shared("data/open"), tmp_path).digest()
    assert digest.startswith("2af57ec2c680")
    ids = {run.id(digest) for run in grid.runs(studies.read("open"))}
    assert ids == {path.stem for path in (root / "data/results/open/runs").glob("*.json")} and len(ids) == 692
