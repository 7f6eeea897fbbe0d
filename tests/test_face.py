"""What `import ppglib` gives, and the six lines that everybody sees first."""

import functools
import re
import textwrap

import numpy as np
import pytest

import ppglib
from ppglib import training

README = (ppglib.files.ROOT / "README.md").read_text(encoding="utf-8")


def six_lines(text):
    """The lines from `import ppglib as ppg` to the one that evaluates."""
    found = re.search(r"^ *import ppglib as ppg\n.*?\[\"mae\"\]$", text, re.M | re.S)
    return textwrap.dedent(found[0])


def run(lines, monkeypatch, data):
    """Execute them as they stand but for the folder and the number of epochs; the value of the last."""
    monkeypatch.setattr(ppglib, "train", functools.partial(training.train, epochs=1), raising=False)
    *most, last = lines.replace("data/raw", str(data)).splitlines()
    space = {}
    exec("\n".join(most), space)
    return eval(last, space), space


@pytest.mark.parametrize("text", [README, ppglib.__doc__], ids=["README", "docstring"])
def test_the_six_lines_run_on_files_of_simulated_people(text, simulated_root, monkeypatch):
    mae, space = run(six_lines(text), monkeypatch, simulated_root)
    assert 0 < mae < 180 and len(space["student"].blocks) == 1 and len(space["teacher"].blocks) == 12
    people = space["windows"].table.person
    assert not set(people.iloc[space["train"]]) & set(people.iloc[space["test"]])


def test_the_six_lines_run_on_real_recordings(shared, monkeypatch):
    data = shared("data/open")
    mae, space = run(six_lines(README), monkeypatch, data)
    assert 0 < mae < 180 and not space["windows"].table.simulated.any()


def test_the_six_lines_run_on_simulated_people(monkeypatch):
    lines = six_lines(README)
    load = re.search(r'ppg\.load\("spc2015", "data/raw"\)', lines)[0]
    small = "ppg.load_demo(people=5, minutes=2)"
    mae, space = run(lines.replace(load, small), monkeypatch, "")
    assert 0 < mae < 180 and space["windows"].table.simulated.all()


def test_the_demo_has_people_and_known_heart_rates():
    windows = ppglib.load_demo(people=3, minutes=1.0)
    assert windows.table.person.nunique() == 3 and windows.signal.dtype == np.float32
    again, other = ppglib.load_demo(people=3, minutes=1.0), ppglib.load_demo(people=3, minutes=1.0, seed=1)
    assert windows.digest() == again.digest() != other.digest()


def test_several_sets_are_one_table(simulated_root):
    windows = ppglib.load(["bami1", "spc2015"], simulated_root)
    assert list(windows.table.dataset.unique()) == ["bami1", "spc2015"]
    alone = ppglib.load("spc2015", simulated_root)
    assert len(alone.table) == (windows.table.dataset == "spc2015").sum()


def test_the_face_is_whole_and_old_names_are_still_there():
    for name in ppglib.__all__:
        assert getattr(ppglib, name) is not None and name in dir(ppglib)
    assert ppglib.resnet1d.paper_parameters(1) == 23292 and ppglib.recordings.load and ppglib.splits.split
    assert ppglib.losses.window_dkd and ppglib.losses.dkd and ppglib.windows.build and ppglib.results.load
    assert ppglib.scaling.fit_exponential is ppglib.fit_exponential and ppglib.plots.gains
    with pytest.raises(AttributeError, match="ppglib has no 'resnet'"):
        ppglib.resnet
