"""One list of packages in three places, and nothing that only one machine has."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version

from ppglib.files import ROOT

OTHER_NAME = {"pytorch": "torch"}  # conda's name for it


def name_of(requirement):
    """The name of a package as it is compared: pip takes jupyter_client for jupyter-client, conda does not."""
    return re.match(r"[\w-]+", requirement)[0].lower().replace("_", "-")


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
    assert {"packaging>=23", "hypothesis>=6.100", "pytest-xdist>=3.6"} == set(project()["optional-dependencies"]["dev"])
    assert "torch==2.13.0" in (ROOT / "requirements.lock").read_text().splitlines()


def test_the_lock_is_exact_and_covers_every_requirement():
    lines = [
        line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[\w.\[\]-]+==[\w.]+", line) for line in lines)
    locked = {name_of(line) for line in lines}
    assert {name_of(line) for line in requirements()} <= locked


def imported(folder):
    """Packages that the files of a folder import, wherever in them."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module.split(".")[0]


def test_what_is_imported_is_declared_and_comes_not_only_through_others():
    of = packages_distributions()
    ours = {"ppglib", *sys.stdlib_module_names, *(path.stem for path in (ROOT / "tests").iterdir())}
    extras = [line for lines in project()["optional-dependencies"].values() for line in lines]
    needed = {name_of(line) for line in project()["dependencies"]}
    for folder, declared in (("ppglib", needed), ("tests", needed | {name_of(line) for line in extras})):
        others = {name for name in imported(folder) if name not in ours}
        lacking = {name for name in others if not declared & {*map(name_of, of.get(name, [name]))}}
        assert not lacking, f"{folder} imports {lacking}"


def test_what_is_installed_fits_the_bounds():
    from packaging.requirements import Requirement

    for line in requirements():
        requirement = Requirement(line)
        assert requirement.specifier.contains(version(requirement.name), prereleases=True), line


def python(code):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_and_sweep_run_without_jupyter():
    """A bare GPU machine has torch and the scientific packages, and no notebooks."""
    missing = ("IPython", "papermill", "nbformat", "matplotlib", "pooch", "sleepecg", "neurokit2", "dask")
    used = "ppglib.study.engine, ppglib.training, ppglib.study.records, ppglib.study.prepare, ppglib.__main__"
    python(f"import sys; sys.modules.update(dict.fromkeys({missing}))\nimport {used}")


def test_results_are_read_without_torch():
    code = "import sys; sys.modules['torch'] = None\nimport ppglib.results, ppglib.files as files\n"
    assert int(python(code + "print(len(ppglib.results.load(files.ROOT / 'data/results/open').runs))")) > 692


FACE = """
import sys, time, torch
before, begun = set(sys.modules), time.process_time()
import ppglib
for name in ("ResNet1D", "train", "split", "evaluate", "losses", "STRATEGIES", "fit_exponential"):
    getattr(ppglib, name)
print(time.process_time() - begun, *set(sys.modules) - before)
"""


def test_the_face_loads_quickly_and_nothing_that_it_does_not_need():
    """Processor time beside torch's own, which other programs hardly lengthen; the best of up to three."""
    found = []
    while len(found) < 3 and not (found and float(found[-1][0]) < 1.5):
        found.append(python(FACE).split())
    loaded = set(found[0][1:])
    folders = {f"ppglib.{name}" for name in ("recordings", "study", "results", "bench", "simulate")}
    others = (
        "IPython ipykernel nbformat papermill dask distributed matplotlib pooch sleepecg neurokit2".split()
    )
    assert not loaded & {*folders, *others, "torch.profiler"}
    assert min(float(seconds) for seconds, *_ in found) < 1.5
