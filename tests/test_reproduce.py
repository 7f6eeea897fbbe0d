"""The command line as users use and misuse it, and the runner on a notebook of its own."""

import os
import socket
import subprocess
import sys
import tempfile

import nbformat
import pytest

from ppglib import __main__ as cli
from ppglib import reproduce
from ppglib.files import ROOT, InputError


def run(*arguments):
    return cli.main([str(a) for a in arguments])


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A folder with one small notebook in place of the ten."""
    folder = tmp_path / "books"
    folder.mkdir()
    notebook = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell(
        'results: str = "x"  # tables\nrepeats: int = 1  # how often\nshare: float = 0.5  # part'
    )
    cell.metadata["tags"] = ["parameters"]
    notebook.cells = [cell, nbformat.v4.new_code_cell("print(results, repeats + 1, share / 2)")]
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(notebook, folder / "07_small.ipynb")
    monkeypatch.setattr(reproduce, "NOTEBOOKS", folder)
    return folder


def test_a_notebook_is_run_with_its_parameters_and_indexed(notebooks, tmp_path, capsys):
    out = tmp_path / "out"
    code = run(
        "reproduce", "--study", "smoke", "--only", "07", "--out", out, "-p", "repeats=41", "-p", "share=1"
    )
    assert code == 0
    executed = nbformat.read(out / "notebooks/07_small.ipynb", as_version=4)
    assert f"{out / 'results'} 42 0.5" in "".join(
        o.get("text", "") for c in executed.cells for o in c.get("outputs", [])
    )
    page = (out / "index.html").read_text()
    assert 'href="notebooks/07_small.html"' in page
    assert "42" in (out / "notebooks/07_small.html").read_text()
    assert "07_small: " in capsys.readouterr().out  # no terminal: one line a notebook
    assert not list((out / "notebooks").glob(".*"))


def test_a_failing_notebook_is_named_and_kept_apart(notebooks, tmp_path, capsys):
    path = notebooks / "07_small.ipynb"
    path.write_text(path.read_text().replace("share / 2", "1 / 0"))
    out = tmp_path / "out"
    assert run("reproduce", "--study", "smoke", "--only", "07", "--out", out) == 1
    said = capsys.readouterr().err
    assert "07_small.ipynb failed" in said and "ZeroDivisionError" in said and "Traceback" not in said
    assert (out / "notebooks/07_small.failed.ipynb").exists()
    assert not (out / "notebooks/07_small.ipynb").exists() and not (out / "index.html").exists()


@pytest.mark.parametrize("moment", ["at work", "at its start"])
def test_a_kernel_that_dies_is_one_sentence_and_nothing_is_left(notebooks, tmp_path, capfd, monkeypatch, moment):
    if moment == "at work":
        path = notebooks / "07_small.ipynb"
        path.write_text(path.read_text().replace("print(results", "import os; os.kill(os.getpid(), 9); print(results"))
    else:
        (tmp_path / "profile_default").mkdir()
        (tmp_path / "profile_default/ipython_kernel_config.py").write_text("import os; os.kill(os.getpid(), 9)")
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    out = tmp_path / "out"
    assert run("reproduce", "--study", "smoke", "--only", "07", "--out", out) == 1
    said = capfd.readouterr().err
    assert "The kernel of 07_small.ipynb died" in said and "finished runs are kept, start again to go on." in said
    assert "Traceback" not in said and not [*(out / "notebooks").iterdir()]


BUSY = """
import inspect, time
kernel = get_ipython().kernel
answer = kernel.shell_handlers["kernel_info_request"]
async def slow(*given):
    if inspect.isawaitable(said := answer(*given)):
        await said
    time.sleep(2)
kernel.shell_handlers["kernel_info_request"] = slow
"""


def test_the_end_of_a_kernel_is_not_heard(tmp_path, capfd):
    """Not even of one that is still at work on the last question when its notebook ends."""
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(BUSY)]), tmp_path / "busy.ipynb")
    reproduce.execute({tmp_path / "busy.ipynb": {}}, tmp_path / "out")
    assert capfd.readouterr().err == ""


LOOK = """
import pathlib, ipykernel.connect
told = ipykernel.connect.get_connection_info(unpack=True)
folder = pathlib.Path(told["ip"]).parent
print(told["transport"], oct(folder.stat().st_mode)[-3:], folder)
"""


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Windows keeps TCP")
@pytest.mark.parametrize("temporary", ["short", "long" * 25])
def test_kernels_talk_through_private_sockets(tmp_path, monkeypatch, capfd, temporary):
    """Over TCP each kernel would write a warning to the terminal, and would be right."""
    out, temporary = tmp_path / "out", tmp_path / temporary
    out.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(out)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(LOOK)]), tmp_path / "look.ipynb")
    reproduce.execute({tmp_path / "look.ipynb": {}}, out)
    said = capfd.readouterr()
    assert "WARNING" not in said.err and said.out.startswith("look: ") and said.out.count("\n") == 1
    executed = nbformat.read(out / "notebooks/look.ipynb", as_version=4)
    transport, mode, folder = executed.cells[0].outputs[0].text.split()
    assert (transport, mode) == ("ipc", "700")
    assert len(folder) + len("/kernel-5") <= 100
    assert not os.path.exists(folder) and not list(temporary.iterdir())
    assert {path.name for path in out.rglob("*")} == {"notebooks", "look.ipynb"}


def test_two_notebooks_at_a_time_have_kernels_of_their_own_after_those_that_they_read(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    look = "import os, time; began = time.time(); time.sleep({}); print(os.environ.get('OMP_NUM_THREADS'), began, time.time())"
    plan = {}
    for name, seconds in {"02_fourth": 1, "03_tables": 1, "07_first": 1, "08_other": 4, "09_third": 4}.items():
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(look.format(seconds))]), path)
        plan[path] = {}
    reproduce.execute(plan, tmp_path / "out", jobs=2)
    cells = {path.name: nbformat.read(tmp_path / "out/notebooks" / path.name, as_version=4).cells[0] for path in plan}
    told = {name: cell.outputs[0].text.split() for name, cell in cells.items()}
    threads = {name: words[0] for name, words in told.items()}
    first, others = ("03_tables.ipynb", "07_first.ipynb"), ("02_fourth.ipynb", "08_other.ipynb", "09_third.ipynb")
    assert threads == dict.fromkeys(first, "None") | dict.fromkeys(others, "1")
    one, other = ([*map(float, told[name][1:])] for name in ("08_other.ipynb", "09_third.ipynb"))
    assert max(one[0], other[0]) < min(one[1], other[1])  # both at once
    begun = min(float(told[name][1]) for name in others)
    assert max(float(told[name][2]) for name in first) < begun and "OMP_NUM_THREADS" not in os.environ
    assert float(told[first[0]][2]) < float(told[first[1]][1])


def test_without_such_sockets_kernels_are_left_as_they_are(monkeypatch):
    monkeypatch.delattr(socket, "AF_UNIX", raising=False)
    with reproduce.local_kernel() as config:
        assert not config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--study", "opne"], "no study 'opne'"),
        (["--study", "open"], "needs recordings"),
        (["--study", "open", "--data", "nowhere"], "nowhere"),
        (["--study", "smoke", "--jobs", "0"], "--jobs must be at least 1"),
        (["--study", "smoke", "--only", "07,77"], "no notebook '77'"),
        (["--study", "smoke", "-p", "repeat=3"], "no selected notebook has a parameter 'repeat'"),
        (["--study", "smoke", "-p", "repeats=many"], "repeats must be of type int"),
        (["--study", "smoke", "-p", "repeats=1.5"], "repeats must be of type int"),
        (["--study", "smoke", "-p", "repeats"], "NAME=VALUE"),
        (["--study", "smoke", "-p", "results=elsewhere"], "use --results"),
        (["--study", "smoke", "--only", "04"], "no notebook '04'"),
        (["--study", "smoke", "--results", "nowhere", "--only", "03"], "no notebook '03'"),
    ],
)
def test_wrong_input_is_one_sentence_and_nothing_is_left(notebooks, tmp_path, capsys, arguments, message):
    if "open" in arguments:
        for number in ("01", "03"):
            (notebooks / f"{number}_x.ipynb").write_text((notebooks / "07_small.ipynb").read_text())
    out = tmp_path / "out"
    assert run("reproduce", "--out", out, *arguments) == 2
    said = capsys.readouterr().err
    assert message.lower() in said.lower() and said.count("\n") == 1
    assert not out.exists() or not list(out.rglob("*"))


def test_reading_notebooks_need_results(tmp_path, capsys):
    assert run("reproduce", "--study", "smoke", "--only", "04,08", "--out", tmp_path / "out") == 2
    assert run("reproduce", "--results", tmp_path, "--out", tmp_path / "out") == 2
    assert capsys.readouterr().err.count("There are no results in") == 2
    assert not (tmp_path / "out").exists()


def test_the_first_notebook_trains_so_it_is_not_run_on_given_results(notebooks):
    for number in ("00", "02"):
        (notebooks / f"{number}_x.ipynb").write_text("{}")
    assert list(reproduce.select(None, None)) == ["00", "02", "07"]
    assert list(reproduce.select(None, ("02",))) == ["02"] and "00" not in reproduce.READING
    with pytest.raises(InputError, match="'00'"):
        reproduce.select(["00"], reproduce.READING)


def test_the_report_of_a_folder_is_written_beside_its_tables(tmp_path, capsys, monkeypatch):
    given = []
    monkeypatch.setattr("ppglib.results.report.write", lambda *a: given.append(a) or "the page")
    assert run("report") == 0 and capsys.readouterr().out == "the page\n"
    ((folder, paper, measured),) = given
    assert folder == ROOT / "data/results/open" and len(paper.claims) and measured.blocks.nunique() == 9
    monkeypatch.undo()
    assert run("report", "--results", tmp_path) == 2
    assert f"{tmp_path / 'runs.csv'} is missing" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_sweep_without_jobs_writes_nothing(tmp_path, capsys):
    assert run("sweep", "--study", "smoke", "--jobs", "0", "--out", tmp_path / "out") == 2
    assert "--jobs" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_written_is_one_sentence(notebooks, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert run("reproduce", "--study", "smoke", "--out", tmp_path / "file" / "out") == 2
    assert "Cannot write" in capsys.readouterr().err


def test_the_module_runs_as_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ppglib", "sweep", "--study", "nothing", "--out", tmp_path],
        capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("ppglib: There is no study") and "Traceback" not in done.stderr


def test_parameters_are_typed(notebooks):
    path = notebooks / "07_small.ipynb"
    path.write_text(path.read_text().replace("share: float = 0.5", "share: float = 0.5\\nfast: bool = True"))
    given = {"repeats": "3", "share": "3", "fast": "False"}
    (found,) = reproduce.parameters([path], {"results": "x", "jobs": 1}, given).values()
    assert found == {"results": "x", "repeats": 3, "share": 3.0, "fast": False}
    assert isinstance(found["share"], float)
    for name, text in {"repeats": "__import__('os')", "share": "half", "fast": "3"}.items():
        with pytest.raises(InputError, match=f"{name} must be of type"):
            reproduce.parameters([path], {}, {name: text})
