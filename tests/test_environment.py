"""One list of packages in three places, and nothing that only one machine has."""

import re
import tomllib
from importlib.metadata import version

from ppglib.files import ROOT

OTHER_NAME = {"pytorch": "torch"}  # conda's name for it


def name_of(requirement):
    return re.match(r"[\w-]+", requirement)[0]


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements():
    """What make installs: to use the library, and to change it."""
    return project()["dependencies"] + project()["optional-dependencies"]["dev"]


def conda():
    text = (ROOT / "environment.yml").read_text()
    found = [line.strip(" -") for line in text.split("dependencies:")[1].splitlines() if line.strip()]
    found = [line for line in found if not re.match(r"(#|pip:?$|ssl|editable|python)", line)]
    return {OTHER_NAME.get(name_of(line), name_of(line)): line for line in found}


def test_conda_and_pip_have_the_same_packages_with_the_same_bounds():
    pip = {name_of(line): line[len(name_of(line)) :] for line in requirements()}
    assert pip == {name: line[len(name_of(line)) :] for name, line in conda().items()}
    assert "python" + project()["requires-python"] in (ROOT / "environment.yml").read_text()


def test_the_bounds_that_matter():
    assert {"pytest>=8,<10", "nbval>=0.11"} <= set(project()["dependencies"])
    assert {"nbstripout>=0.7", "hypothesis>=6.100"} == set(project()["optional-dependencies"]["dev"])
    assert "torch==2.13.0" in (ROOT / "requirements.lock").read_text().splitlines()


def test_the_lock_is_exact_and_covers_every_requirement():
    lines = [
        line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[\w.\[\]-]+==[\w.]+", line) for line in lines)
    locked = {name_of(line).lower().replace("_", "-") for line in lines}
    assert {name_of(line).lower() for line in requirements()} <= locked


def test_what_is_installed_fits_the_bounds():
    from packaging.requirements import Requirement

    for line in requirements():
        requirement = Requirement(line)
        assert requirement.specifier.contains(version(requirement.name), prereleases=True), line


def test_training_and_sweep_run_without_jupyter():
    """A bare GPU machine has torch and the scientific packages, and no notebooks."""
    import subprocess
    import sys

    code = (
        "import sys\n"
        "for name in ('IPython', 'papermill', 'nbformat', 'matplotlib', 'pooch', 'sleepecg', 'neurokit2', 'dask'):\n"
        "    sys.modules[name] = None\n"
        "import ppglib.sweep, ppglib.training, ppglib.records, ppglib.workspace, ppglib.__main__\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
