"""Fixtures that more than one test module uses."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """A file of the folder `shared` beside the checkout, or a skip that names what is missing."""

    def path(name: str) -> Path:
        if not (SHARED / name).exists():
            pytest.skip(f"needs {name} in a folder `shared` beside the checkout")
        return SHARED / name

    return path
