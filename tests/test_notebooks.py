"""Hygiene of the notebooks: form, parameters, what they show to whoever only looks, what nbval compares."""

import base64
import importlib.util
import re
import subprocess
import sys

import nbformat
import papermill
import pytest

from ppglib import reproduce
from ppglib.files import NOTEBOOKS, ROOT

NAMES = [
    "00_start_here",
    "01_preprocess",
    "02_table1_models",
    "03_sweep",
    "04_figure1_teacher_student",
    "05_table2_strategies",
    "06_figure2_scaling",
    "07_table3_compute",
    "08_claims",
    "09_generalization",
    "10_receptive_field",
    "11_edge",
    "12_explore",
]
NO_TABLE = {"00_start_here"}  # its numbers come from training, and vary from machine to machine
NO_FIGURE = {"03_sweep"}  # the smoke study's networks show nothing that is worth a picture
FORBIDDEN = {
    r"^\s*(def|class|async def) ": "defines a function or class",
    r"^\s*(%%?|!)\w": "has a magic",
    r"clear_output|tqdm": "draws a progress bar",
    r";\s*$": "ends in a semicolon",
    r"(?<![\w.])/(home|work|root|tmp|opt|Users)/": "names an absolute path",
    r"import \*": "imports everything",
    r"\.to_string\(": "prints a table instead of displaying it",
}
WIDEST = 110  # characters of a line of text; JupyterLab breaks longer ones inside of numbers
SHOWN = {"image/png", "text/html", "text/markdown", "text/plain"}  # what nbval skips or can compare


def test_the_notebooks_are_there():
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == NAMES


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kept = tool("keep").kept


@pytest.fixture(params=NAMES)
def notebook(request):
    """A notebook as git keeps it; that it was run and saved is nobody's fault."""
    path = NOTEBOOKS / f"{request.param}.ipynb"
    if not path.is_file():
        pytest.fail(f"There is no {path.name}.")
    notebook = nbformat.reads(kept(path.read_text(encoding="utf-8")), as_version=4)
    nbformat.validate(notebook)
    return path, notebook


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def outputs(notebook):
    """Every kept output, with its cell and its parts by type; a stream is text/plain."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            yield cell, output, output.get("data", {"text/plain": output.get("text", "")})


def test_cells_are_short_and_say_nothing_that_breaks_a_rerun(notebook):
    _, content = notebook
    assert len(content.cells) <= 30
    for cell in code_cells(content):
        assert len(cell.source.splitlines()) <= 13, cell.id
        for pattern, what in FORBIDDEN.items():
            assert not re.search(pattern, cell.source, re.M), f"{cell.id} {what}"
    assert sum(cell.source.count("print(") for cell in code_cells(content)) <= 5


def test_it_begins_with_what_was_found_and_ends_with_what_it_does_not_show(notebook):
    path, content = notebook
    assert content.cells[0].cell_type == "markdown"
    title, _, rest = content.cells[0].source.partition("\n")
    assert title.startswith(f"# {path.name[:2]}")
    finding = rest.strip().split("\n\n")[0]
    assert finding and not finding.startswith("#")
    assert not finding.strip("*_ ").startswith("The claim"), "the first paragraph is the finding"
    assert "does not show" in markdown(content)[-1].lower()


def test_parameters_can_be_inspected_and_have_help(notebook):
    path, content = notebook
    tagged = [cell for cell in code_cells(content) if "parameters" in tags(cell)]
    assert len(tagged) == 1
    found = papermill.inspect_notebook(str(path))
    assert len(found) == len(tagged[0].source.splitlines())
    for parameter in found.values():
        assert parameter["inferred_type_name"] in ("str", "int", "float", "bool"), parameter
        assert parameter["help"], parameter


def test_cells_have_stable_names(notebook):
    path, content = notebook
    ids = [cell.id for cell in content.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(rf"{path.name[:2]}-[a-z0-9-]+", name) for name in ids), ids


def git(*arguments, **options):
    return subprocess.run(["git", *arguments], capture_output=True, text=True, **options)


def test_git_has_notebooks_as_a_clean_run_leaves_them():
    """In order, every cell once, no outputs but the tagged, no times and no versions."""
    if git("rev-parse", "--git-dir", cwd=ROOT).returncode:
        pytest.skip("needs git, and a checkout of it")
    has = {name: git("cat-file", "blob", f":notebooks/{name}.ipynb", cwd=ROOT).stdout for name in NAMES}
    wrong = [name for name, text in has.items() if not text or kept(text) != text]
    assert not wrong, f"{wrong}: run `make strip` and `git add notebooks`; `make .venv/ready` sets up git to do it by itself"


def test_figures_are_kept_and_all_else_that_is_kept_is_compared(notebook):
    path, content = notebook
    for cell in code_cells(content):
        assert bool(cell.outputs) == ("keep_output" in tags(cell)), cell.id
        kinds = [set(parts) for each, _, parts in outputs(content) if each is cell]
        figures = ["image/png" in kind for kind in kinds]
        assert all(figures) or not any(figures), f"{cell.id}: nbval would not compare what is beside a figure"
        varies = "varies" in tags(cell)
        assert not varies or (any(figures) and "nbval-ignore-output" in tags(cell)), f"{cell.id}: so is its title"
        compared = bool(kinds) and not any(figures)
        assert ("nbval-check-output" in tags(cell)) == compared, cell.id
    kept = {kind for _, _, parts in outputs(content) for kind in parts}
    assert "image/png" in kept or path.stem in NO_FIGURE, "no figure is kept"
    assert "text/html" in kept or path.stem in NO_TABLE, "no table is kept"


def test_what_is_kept_can_be_read_and_compared(notebook):
    _, content = notebook
    for cell, output, parts in outputs(content):
        assert output.output_type != "error" and output.get("name") != "stderr", cell.id
        assert set(parts) <= SHOWN, f"{cell.id}: nbval cannot compare {set(parts) - SHOWN}"
        assert 'id="T_' not in parts.get("text/html", ""), f"{cell.id}: a Styler has random names"
        long = [line for line in parts.get("text/plain", "").splitlines() if len(line) > WIDEST]
        assert not long, f"{cell.id}: {long[0]}"
        assert len(base64.b64decode(parts.get("image/png", ""))) < 150_000, cell.id


def nbval(*paths):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval-lax", *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, cwd=paths[0].parent)


def test_a_changed_digit_in_a_kept_table_fails_and_another_figure_does_not(tmp_path):
    table, figure = (
        nbformat.v4.new_code_cell(source, metadata={"tags": ["keep_output", *checked]})
        for source, checked in [
            ("import pandas as pd\npd.DataFrame({'mae': [4.25, 3.5]})", ["nbval-check-output"]),
            ("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()", []),
        ]
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[table, figure]), tmp_path / "small.ipynb")
    reproduce.execute({tmp_path / "small.ipynb": {}}, tmp_path)
    path = tmp_path / "notebooks" / "small.ipynb"
    content = nbformat.read(path, as_version=4)
    shown, drawn = (cell.outputs[0].data for cell in content.cells)
    drawn["image/png"] = base64.b64encode(b"another figure").decode()
    nbformat.write(content, path)
    same = nbval(path)
    assert same.returncode == 0 and "2 passed" in same.stdout, same.stdout
    changed = [path.with_stem(f"changed_{kind}") for kind in ("plain", "html")]
    for each, kind in zip(changed, ("text/plain", "text/html"), strict=True):
        right, shown[kind] = shown[kind], shown[kind].replace("4.25", "4.24")
        assert shown[kind] != right
        nbformat.write(content, each)
        shown[kind] = right
    done = nbval(*changed)
    assert done.returncode == 1 and "2 failed, 2 passed" in done.stdout, done.stdout
    assert "4.24" in done.stdout and "changed_plain" in done.stdout and "changed_html" in done.stdout


@pytest.fixture
def checkout(tmp_path):
    """A repository with a notebook in it, and git set up as make does it."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "tools").mkdir()
    for name in (".gitattributes", "tools/keep.py", "notebooks/00_start_here.ipynb"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    path = tmp_path / "notebooks/00_start_here.ipynb"
    path.write_text(kept(path.read_text(encoding="utf-8")), encoding="utf-8")
    (tmp_path / ".git/info").mkdir(parents=True)
    (tmp_path / ".git/info/exclude").write_text(".venv\n")
    git("init", "-q", cwd=tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    python = tmp_path / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    command = re.search(r"^KEEP := (.*)", (ROOT / "Makefile").read_text(), re.M)[1]
    git("config", "filter.notebooks.clean", command, cwd=tmp_path)
    git("add", ".", cwd=tmp_path)
    return path


def added(checkout):
    """The notebook as git has it after `git add`."""
    done = git("add", "--renormalize", ".", cwd=checkout.parents[1])
    assert done.returncode == 0, done.stderr
    return git("cat-file", "blob", ":notebooks/00_start_here.ipynb", cwd=checkout.parents[1]).stdout


def saved(path, change):
    content = nbformat.read(path, as_version=4)
    change(content, {cell.id: cell for cell in content.cells})
    nbformat.write(content, path)


def as_jupyterlab_saves_it(content, cells):
    content.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    content.metadata |= {"language_info": {"name": "python", "version": "3.12.1"}, "widgets": {"state": {}}}
    for n, cell in enumerate(content.cells):
        cell.metadata |= {"scrolled": True, "execution": {"iopub.status.idle": "2026-01-01T00:00:00Z"}}
        if cell.cell_type == "code":
            cell.execution_count = 40 + n
            for output in cell.outputs:
                output.execution_count = 40 + n
    cells["00-error"].outputs = [nbformat.v4.new_output("stream", text="4.2")]
    cells["00-curves"].outputs[0].data["image/png"] = base64.b64encode(b"of another processor").decode()


def test_of_running_and_saving_git_sees_nothing(checkout):
    before = added(checkout)
    saved(checkout, as_jupyterlab_saves_it)
    assert "4.2" in checkout.read_text() and added(checkout) == before


def test_jupyterlab_saves_what_git_keeps_of_its_notebooks_and_all_of_others(checkout, monkeypatch):
    """So `git status` is clean; a filter alone cannot do that, for git takes another size for another content."""
    monkeypatch.chdir(checkout.parents[1])
    before = checkout.read_text()
    saved(checkout, as_jupyterlab_saves_it)
    for name in ("notebooks/00_start_here.ipynb", "mine.ipynb"):
        model = {"type": "notebook", "content": nbformat.read(checkout, as_version=4)}
        tool("keep").before_saving(model=model, path=name, contents_manager=None)
        nbformat.write(nbformat.from_dict(model["content"]), checkout.parents[1] / "as_saved.ipynb")
        same = (checkout.parents[1] / "as_saved.ipynb").read_text() == before
        assert same == (name != "mine.ipynb")


@pytest.mark.parametrize("cell", ["00-error", "00-curves", "00-windows"])
def test_what_is_changed_is_still_seen(checkout, cell):
    def edit(content, cells):
        if cell == "00-windows":
            cells[cell].outputs[0].data["text/plain"] += "another table"
        else:
            cells[cell].source += "  # edited"

    before = added(checkout)
    saved(checkout, as_jupyterlab_saves_it)
    saved(checkout, edit)
    after = added(checkout)
    assert after != before and ("another table" in after or "# edited" in after)
    assert (base64.b64encode(b"of another processor").decode() in after) == (cell == "00-curves")


def test_a_figure_that_varies_is_taken_anew_if_asked_for(checkout, monkeypatch):
    saved(checkout, as_jupyterlab_saves_it)
    new = base64.b64encode(b"of another processor").decode()
    assert new not in added(checkout)
    monkeypatch.setenv("FIGURES", "new")
    assert new in added(checkout)


@pytest.mark.parametrize("missing", ["the filter", "the environment", "a notebook"])
def test_git_works_where_the_filter_cannot(checkout, missing):
    """A clone where make never ran, one whose .venv is gone, and a file that is no notebook."""
    root = checkout.parents[1]
    if missing == "the filter":
        git("config", "--remove-section", "filter.notebooks", cwd=root)
    elif missing == "the environment":
        (root / ".venv/bin/python").unlink()
    saved(checkout, as_jupyterlab_saves_it)
    if missing == "a notebook":
        checkout.write_text("no JSON")
    assert added(checkout) == checkout.read_text()
