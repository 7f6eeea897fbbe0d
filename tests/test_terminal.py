"""What a person sees in a terminal: help, hints, how far a study is, Ctrl-C; and that nothing is lost by make."""

import dataclasses
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import tiny_study

from ppglib import __main__ as cli
from ppglib import files, reproduce
from ppglib.files import ROOT, InputError
from ppglib.study import status, studies

STUDY = tiny_study.text(strategies=["scratch", "soft", "gaussian"], seeds=2)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder with tiny.toml, and what its sweep said in a terminal."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "tiny.toml").write_text(STUDY, encoding="utf-8")
    return folder, in_terminal(folder, "sweep", "--study", "tiny.toml", "--jobs", "1")[0]


def terminal():
    """Both ends of a terminal of 80 columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    return leader, follower


def in_terminal(folder, *arguments, until=None, then=lambda process: None):
    """What a terminal of 80 columns shows in the end, and the exit code; `then` is done once `until` is seen."""
    leader, follower = terminal()
    environment = {**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "ppglib", *arguments], cwd=folder, env=environment, start_new_session=True,
        stdin=follower, stdout=follower, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    seen = b""
    while True:
        try:
            part = os.read(leader, 1 << 16)
        except OSError:  # Linux' end of a terminal
            break
        if not part:
            break
        seen += part
        if until and until in seen:
            then(process)
            until = None
    os.close(leader)
    return seen.decode().replace("\r\n", "\n"), process.wait()


def test_version_and_help(capsys):
    for option, expected in (("--version", [f"ppglib {files.library_version()}"]), ("--help", ["examples:", "status"])):
        with pytest.raises(SystemExit) as end:
            cli.main([option])
        said = capsys.readouterr().out
        assert end.value.code == 0 and all(text in said for text in expected)
    commands = re.findall(r"^  ppglib (.*?)   ", said, re.M)
    assert len(commands) >= 5 and max(map(len, said.split("examples:")[1].splitlines())) <= 80
    for line in commands:  # no example that cannot be typed
        assert callable(cli.parsed(line.split()).command)
    with pytest.raises(SystemExit):
        cli.main(["sweep", "--help"])
    assert "own" in capsys.readouterr().out


def test_the_command_is_installed_with_the_library():
    text = (ROOT / "pyproject.toml").read_text()
    assert '[project.scripts]\nppglib = "ppglib.__main__:main"\n' in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("swep", "There is no command 'swep': do you mean 'sweep'?"),
        ("zebra", "There is no command 'zebra': choose from "),
        ("sweep --stduy smoke", "sweep has no option '--stduy': do you mean '--study'?"),
        ("check --dta=x", "check has no option '--dta': do you mean '--data'?"),
        ("sweep --study opne", "There is no study 'opne', built in or as a .toml file: do you mean 'open'?"),
        ("fetch opn", "There is no group 'opn': do you mean 'open'?"),
        ("predict x.csv --track smoth", "There is no --track 'smoth': do you mean 'smooth'?"),
        ("fetch open --only bami3", "There is no set 'bami3' in 'open': do you mean 'bami"),
        ("predict x.csv --model tyny", "There is no model 'tyny', by name or as a file: do you mean 'tiny'?"),
    ],
)
def test_what_may_be_meant_is_named(here, capsys, arguments, sentence):
    assert cli.main(arguments.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"ppglib: {sentence}") and said.count("\n") == 1


def test_a_number_of_a_notebook_needs_no_nought():
    assert [*reproduce.select(["4", " 10"], None)] == ["04", "10"]


def test_a_sweep_says_what_begins_and_what_came_out(swept):
    folder, said = swept
    assert "tiny: 5 people, 165 windows, 8 networks: 0 done before, 8 to do.\n" in said
    assert re.search(r"100% \|.*\| \d\d:\d\d < 00:00", said)
    end = said.rpartition("\r")[2].splitlines()[1:] or said.splitlines()[-7:]
    assert end[0] == "Mean absolute error (BPM) on simulated test people, mean over folds and seeds:"
    runs = __import__("pandas").read_csv(folder / "out/tiny/results/runs.csv")
    means = runs[runs.student > 0].groupby(["strategy", "student"]).mae.mean().sort_values()
    found = [float(line.split()[1]) for line in end[1:4]]
    assert found == pytest.approx([*means[:3]], abs=0.006)
    assert [line.split()[0] for line in end[4:6]] == ["baseline", "baseline"]
    assert end[-1] == "Tables: out/tiny/results" and max(map(len, end)) <= 80


def test_nothing_to_do_is_said(swept):
    said, code = in_terminal(swept[0], "sweep", "--study", "tiny.toml", "--jobs", "2")
    assert code == 0 and "8 networks: 8 done before, nothing to do.\n" in said
    assert "workers" not in said and "%" not in said and "run/s" not in said


def test_the_best_are_not_those_that_lack_a_fold():
    import pandas as pd

    study = studies.read("demo")
    rows = [("scratch", 1, 0, 0, 4.0), ("scratch", 1, 0, 1, 5.0), ("soft", 2, 4, 0, 1.0), ("mean", 0, 0, 0, 9.0)]
    names = ["strategy", "student", "teacher", "fold", "mae"]
    runs = pd.DataFrame([*rows, ("mean", 0, 0, 1, 8.0)], columns=names).assign(
        recipe="demo", split="person", seed=0, design="", teacher_design="", simulated=False
    )
    said = ["  demo        4.50  scratch, 1 block", "  baseline    8.50  mean"]
    assert status.best(runs, study).splitlines()[1:] == said
    more = dataclasses.replace(study, folds=range(12))  # of which few people fill two
    assert status.best(runs, more).splitlines()[1:] == said


def test_status_counts_what_is_trained_and_missing_and_what_it_takes(swept, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(swept[0], folder)
    monkeypatch.chdir(folder)
    study, out = studies.read("tiny.toml"), Path("out/tiny")
    whole = status.one(study, out, "tiny.toml")
    assert whole.startswith("tiny: 8 of 8 networks trained, in ") and "Go on" not in whole
    assert f"Tables: {out / 'results'}, made on" in whole
    for path in (out / "runs").glob("gaussian*.json"):
        path.unlink()
    next((out / "runs").glob("soft*.json")).write_text("cut")
    part = status.one(study, out, "tiny.toml")
    assert "5 of 8 networks trained" in part and "3 are missing: " in part and " of one job.\n" in part
    assert part.endswith("Go on: ppglib sweep --study tiny.toml")
    assert status.one(study, folder / "out/tiny", "tiny.toml").endswith(f"--study tiny.toml --out {folder / 'out/tiny'}")
    table = status.progress(study, out)
    seconds = [*status.trained(out).values()]
    assert len(seconds) == 5 and table.hours_taken.sum() == pytest.approx(sum(seconds) / 3600)
    assert 0 < table.hours_left.sum() < sum(seconds) / 3600
    Path("out/smoke/runs").mkdir(parents=True)
    shutil.copy(next((out / "runs").glob("*.json")), "out/smoke/runs")
    lines = status.every(Path("out")).splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["smoke", "1", "?"], ["tiny", "5", "?"]]
    assert "Not begun:" in lines[4] and "demo, open, open_all" in lines[4] and "open_tuned" not in " ".join(lines)


def test_status_without_anything(here, capsys):
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out.startswith("No study is begun in out.\nNot begun: demo, open,")
    assert cli.main(["status", "--study", "open"]) == 0
    assert "open is not begun: nothing is in out/open.\nGo on: ppglib sweep --study open --data FOLDER\n" == capsys.readouterr().out


def test_ctrl_c_is_one_sentence_and_the_workers_end(here):
    many = tiny_study.text(strategies=["scratch", "soft", "gaussian"], seeds=20, epochs=2000)
    Path("tiny.toml").write_text(many, encoding="utf-8")

    def interrupt(process):
        deadline = time.monotonic() + 60  # until both are at work
        while len(list(Path("out/tiny/locks").glob("*.lock"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them

    said, code = in_terminal(here, "sweep", "--study", "tiny.toml", "--jobs", "2", until=b"  0% |", then=interrupt)
    lines = [line for line in re.split(r"[\r\n]+", said) if line and "0% |" not in line]
    assert code == 130 and lines[1].startswith("2 workers start")
    assert lines[2:] == ["ppglib: stopped; what is finished is kept, start again to go on."], said


def test_the_bar_of_reproduce_moves_by_cells_and_ctrl_c_ends_the_kernels(here, monkeypatch):
    import nbformat

    cells = [nbformat.v4.new_code_cell(source) for source in ("1", "", "2", "import time; time.sleep(60)")]
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("text"), *cells]), "slow.ipynb")
    Path("run.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom ppglib import __main__ as cli, reproduce\n"
        "def report(options):\n    reproduce.execute({Path('slow.ipynb'): {}}, Path('out'))\ncli.report = report\n"
        "sys.exit(cli.main(['report']))\n"
    )
    monkeypatch.setattr(sys, "argv", ["x"])
    leader, follower = terminal()
    process = subprocess.Popen(
        [sys.executable, "run.py"], env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
        stdin=follower, stdout=follower, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    seen, begun = b"", 0.0
    while True:
        try:
            seen += os.read(leader, 1 << 16)
        except OSError:
            break
        if b"cell 2 of 3" in seen and not begun:
            begun = time.monotonic()
            os.killpg(process.pid, signal.SIGINT)
    os.close(leader)
    assert process.wait() == 130 and time.monotonic() - begun < 60
    assert seen.decode().splitlines()[-1] == "ppglib: stopped; what is finished is kept, start again to go on."
    assert b"Traceback" not in seen and b"died" not in seen and not list(Path("out/notebooks").iterdir())


def test_an_error_in_a_notebook_is_one_sentence():
    assert InputError("No such folder: make it.")._render_traceback_() == ["InputError: No such folder: make it."]


def test_a_folder_of_tables_belongs_to_one_study(swept, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(swept[0], folder)
    monkeypatch.chdir(folder)
    before = Path("out/tiny/results/runs.csv").read_bytes()
    for command in (["sweep"], ["reproduce", "--only", "3"]):
        assert cli.main([*command, "--study", "smoke", "--out", "out/tiny"]) == 2
        assert "holds the tables of study tiny, so choose another folder for those of study smoke" in capsys.readouterr().err
    assert cli.main(["reproduce", "--results", "out/tiny/results", "--out", str(tmp_path / "a"), "--only", "77"]) == 2
    assert Path("out/tiny/results/runs.csv").read_bytes() == before and not Path("out/tiny/windows/bami1.npz").exists()


@pytest.fixture
def made(swept, tmp_path):
    """A folder with the Makefile, an environment, and what a study left."""
    if not shutil.which("make"):
        pytest.skip("needs make")
    for name in ("Makefile", "ppglib"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(swept[0] / "out", tmp_path / "out")
    for name in (".venv", "build", "out/tiny/figures", "out/tiny/notebooks", "out/demo/open/tables", "out/models"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("out/models/tiny.safetensors", "out/tiny/index.html", "out/demo/open/tables/x.csv"):
        (tmp_path / name).write_text("x")
    return tmp_path


def make(folder, *arguments):
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True)


def test_clean_keeps_what_took_hours(made):
    kept = {p for name in ("runs", "teachers", "students", "results", "windows") for p in (made / "out/tiny" / name).iterdir()}
    assert len(kept) > 20 and make(made, "clean").returncode == 0
    assert all(path.exists() for path in [*kept, made / ".venv", made / "out/models/tiny.safetensors"])
    gone = ["build", "out/tiny/figures", "out/tiny/notebooks", "out/tiny/index.html", "out/demo/open/tables"]
    assert not [name for name in gone if (made / name).exists()]


def test_distclean_says_what_goes_and_asks_first(made):
    first = make(made, "distclean")
    seconds = sum(status.trained(made / "out/tiny").values())
    assert first.returncode and f"out/tiny: 8 networks, which took {status.duration(seconds / 3600)} to train" in first.stdout
    assert "CONFIRM=yes" in first.stdout and (made / "out/tiny/runs").is_dir() and (made / ".venv").is_dir()
    assert make(made, "distclean", "CONFIRM=yes").returncode == 0
    assert sorted(path.name for path in made.iterdir()) == ["Makefile", "ppglib"]
