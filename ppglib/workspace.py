"""From a study to its windows: simulate the recordings if the study says so, then prepare them."""

from pathlib import Path

from filelock import FileLock

from ppglib import files
from ppglib.errors import InputError
from ppglib.prepare import prepare
from ppglib.simulate import open_formats
from ppglib.studies import Study
from ppglib.windows import Windows


def recordings_folder(study: Study, data: Path | str | None, out: Path) -> Path:
    """The data folder of a study: `data`, or for a simulated study a folder in `out`, written if need be."""
    if not study.simulate_people:
        if not data:
            raise InputError(
                f"Study {study.name} needs recordings: name with --data (DATA= for make) the folder "
                f"that holds {', '.join(f'{d}/' for d in study.datasets)}."
            )
        return Path(data)
    people = dict(zip(study.datasets, study.simulate_people))
    # The name says all that decides the content, and the writer leaves a whole folder or none.
    name = "-".join(f"{d}-{n}" for d, n in people.items())
    root = out / "recordings" / f"{name}-{study.simulate_minutes:g}min"
    files.write(out / "recordings" / "README.txt", b"Simulated recordings, one folder for each size.\n")
    with FileLock(out / "recordings" / "lock"):  # two sweeps that start together write it once
        if not root.is_dir():
            open_formats.write(root, people, study.simulate_minutes)
    return root


def study_windows(study: Study, data: Path | str | None, out: Path) -> Windows:
    """Windows of all datasets of the study, kept in `out`/windows.

    Raises InputError for missing or damaged recordings and a folder that cannot be written to.
    """
    return prepare(study.datasets, recordings_folder(study, data, out), out / "windows")
