"""Where things are: one place that notebooks, tests and the command line agree on."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"


def resolve(path: str | Path) -> Path:
    """An absolute path; a relative one is meant from the root of the repository.

    A notebook's working folder is its own under nbval and the shell's under papermill.
    """
    path = Path(path).expanduser()
    return path if path.is_absolute() else ROOT / path
