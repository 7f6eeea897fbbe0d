"""Hygiene of the notebooks: form, parameters, kept outputs."""

import re

import nbformat
import papermill
import pytest

from ppglib.files import NOTEBOOKS

NAMES = [
    "01_preprocess",
    "02_table1_models",
    "03_sweep",
    "04_figure1_teacher_student",
    "05_table2_strategies",
    "06_figure2_scaling",
    "07_table3_compute",
    "08_claims",
    "09_generalization",
]
FORBIDDEN = {
    r"^\s*(def|class|async def) ": "defines a function or class",
    r"^%": "has a magic",
    r"clear_output|tqdm": "draws a progress bar",
    r";\s*$": "ends in a semicolon",
    r"(?<![\w.])/(home|work|root|tmp|opt|Users)/": "names an absolute path",
    r"import \*": "imports everything",
}


def test_the_nine_notebooks_are_there():
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == NAMES


@pytest.fixture(params=NAMES)
def notebook(request):
    path = NOTEBOOKS / f"{request.param}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return path, notebook


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_cells_are_short_and_say_nothing_that_breaks_a_rerun(notebook):
    _, content = notebook
    assert 12 <= len(content.cells) <= 30
    for cell in code_cells(content):
        assert len(cell.source.splitlines()) <= 13, cell.id
        for pattern, what in FORBIDDEN.items():
            assert not re.search(pattern, cell.source, re.M), f"{cell.id} {what}"


def test_it_tells_what_it_is_about(notebook):
    path, content = notebook
    first = content.cells[0]
    assert first.cell_type == "markdown" and first.source.startswith(f"# {path.name[:2]}")
    assert "refuted" in first.source or "refute" in first.source
    last = "\n".join(cell.source for cell in content.cells[-2:] if cell.cell_type == "markdown")
    assert "does not show" in last.lower()


def test_parameters_can_be_inspected_and_have_help(notebook):
    path, content = notebook
    tagged = [cell for cell in content.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    found = papermill.inspect_notebook(str(path))
    assert len(found) == len(tagged[0].source.splitlines())
    for parameter in found.values():
        assert parameter["inferred_type_name"] in ("str", "int", "float", "bool"), parameter
        assert parameter["help"], parameter


def test_only_compared_outputs_are_kept(notebook):
    _, content = notebook
    compared = 0
    for cell in code_cells(content):
        tags = cell.metadata.get("tags", [])
        assert cell.execution_count is not None, cell.id
        assert ("nbval-check-output" in tags) == ("keep_output" in tags) == bool(cell.outputs), cell.id
        compared += "nbval-check-output" in tags
        for output in cell.outputs:
            assert output.output_type == "stream" and output.name == "stdout", cell.id
    assert compared >= 1
    assert content.metadata.kernelspec.name == "python3"
    assert "papermill" not in content.metadata


def test_cells_have_stable_names(notebook):
    path, content = notebook
    ids = [cell.id for cell in content.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(rf"{path.name[:2]}-[a-z0-9-]+", name) for name in ids), ids
