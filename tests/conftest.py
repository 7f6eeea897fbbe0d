"""Fixtures that more than one test module uses."""

from pathlib import Path

import pytest
from formats.body import add_spc_test

from ppglib.results import bootstrap
from ppglib.simulate import open_formats
from ppglib.study import engine, studies
from ppglib.study.prepare import study_windows

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared():
    """A file of the folder `shared` beside the checkout, or a skip that names what is missing."""

    def path(name: str) -> Path:
        if not (SHARED / name).exists():
            pytest.skip(f"needs {name} in a folder `shared` beside the checkout")
        return SHARED / name

    return path


@pytest.fixture(scope="session")
def simulated_root(tmp_path_factory) -> Path:
    """A data folder of simulated people in the open sets' formats; not to be changed by a test."""
    folder = tmp_path_factory.mktemp("data") / "simulated"
    open_formats.write(folder, {"spc2015": 5, "bami1": 5, "bami2": 5}, minutes=1.5, seed=3)
    add_spc_test(folder, 1.5, 302_500)
    return folder


@pytest.fixture(scope="session")
def simulated_windows(tmp_path_factory):
    """Windows of the smoke study; not to be changed by a test."""
    return study_windows(studies.read("smoke"), None, tmp_path_factory.mktemp("smoke"))


@pytest.fixture(scope="module")
def study_file(request, tmp_path_factory) -> Path:
    """The study that the module names STUDY, as a file."""
    path = tmp_path_factory.mktemp("study") / "tiny.toml"
    path.write_text(request.module.STUDY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def study(study_file):
    return studies.read(str(study_file))


@pytest.fixture(scope="module")
def windows(study, tmp_path_factory):
    return study_windows(study, None, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def undisturbed(study, windows, tmp_path_factory) -> Path:
    """The folder of a sweep that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    engine.sweep(study, windows, folder)
    return folder


@pytest.fixture(scope="module")
def few_draws():
    """Enough draws for effects that are put in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "DRAWS", 1000)
        yield
