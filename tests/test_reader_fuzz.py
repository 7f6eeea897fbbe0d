"""Damaged files: whatever bytes are flipped, cut or repeated, a reader gives the right data or InputError.

Where the form carries a checksum (zip, compressed MAT, Parquet pages) or a redundant count, wrong windows
must not pass; where it has none, only a crash, a hang or another exception is a failure.
"""

import shutil
import time

import numpy as np
import pytest
from formats import dalia_files, galaxy_files, paper_formats, wildppg_files
from scipy.io import loadmat, savemat

from ppglib import recordings, simulate
from ppglib.files import InputError

CASES = 250  # of each of the nine forms: 2,250
LONGEST = 30.0  # seconds for one damaged file, on a busy machine


def dalia(form, text=False):
    def write(folder):
        content = dalia_files.people(1, 0.25, seed=3)
        dalia_files.write(folder / "ppg_dalia", content, form, text)
        return "ppg_dalia"

    return write


def wildppg_raw(folder):
    wildppg_files.write(folder / "wildppg", {"an0": simulate.person(4, 0.25)})
    path = folder / "wildppg/WildPPG_Part_an0.mat"
    content = {key: value for key, value in loadmat(path).items() if key in ("wrist", "sternum")}
    savemat(path, content, do_compression=True)
    return "wildppg"


def wildppg_zip(folder):
    wildppg_files.write(folder / "wildppg", {"an0": simulate.person(4, 0.25)}, zipped=True)
    return "wildppg"


def wildppg_cells(folder):
    wildppg_files.write_cells(folder / "wildppg", {"an0": simulate.person(4, 0.5)})
    return "wildppg"


def galaxyppg(folder):
    galaxy_files.write(folder / "galaxyppg", galaxy_files.people(1, 0.5, seed=4), zipped=True)
    return "galaxyppg"


def galaxyppg_tree(folder):
    galaxy_files.write(folder / "galaxyppg", galaxy_files.people(1, 0.5, seed=4), zipped=False)
    shutil.rmtree(folder / "galaxyppg/Dataset/P01")
    return "galaxyppg"


def own(folder):
    paper_formats.write_own(folder / "own", {"ann": simulate.person(4, 0.5)}, kind="csv")
    return "own"


FORMS = {  # writer, whether a checksum covers every byte that matters
    "dalia-outer-zip": (dalia("outer"), True),
    "dalia-tree": (dalia("tree"), False),
    "dalia-tree-text": (dalia("tree", True), False),
    "wildppg-raw": (wildppg_raw, True),
    "wildppg-zip": (wildppg_zip, True),
    "wildppg-cells": (wildppg_cells, False),
    "galaxyppg-zip": (galaxyppg, True),
    "galaxyppg-tree": (galaxyppg_tree, False),
    "own-csv": (own, False),
}


def damage(content: bytes, rng) -> bytes:
    """Flip bits, overwrite, cut, drop, or repeat a piece; most often near the ends, where the structure is."""
    size, kind = len(content), rng.integers(6)
    edge = int(min(size - 1, rng.exponential(300)))
    at = (edge, size - 1 - edge, int(rng.integers(size)))[rng.integers(3)]
    length = int(min(rng.integers(1, 2_000), size - at))
    if kind < 2:
        return content[:at] + bytes([content[at] ^ (1 << rng.integers(8))]) + content[at + 1 :]
    if kind == 2:
        return content[:at] + rng.bytes(min(4, length)) + content[at + min(4, length) :]
    if kind == 3:
        return content[:at]
    if kind == 4:
        return content[:at] + content[at + length :]
    return content[: at + length] + content[at:]


def same(one, other) -> bool:
    return len(one) == len(other) and all(
        a.person == b.person and np.array_equal(a.ppg, b.ppg) and np.array_equal(a.hr, b.hr, equal_nan=True)
        for a, b in zip(one, other)
    )


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_give_the_right_data_or_a_clear_error(form, tmp_path):
    write, checked = FORMS[form]
    dataset = write(tmp_path)
    expected = list(recordings.load(dataset, tmp_path))
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    whole = {path: path.read_bytes() for path in files}
    rng, refused = np.random.default_rng(list(form.encode())), 0
    for _ in range(CASES):
        path = files[rng.integers(len(files))]
        path.write_bytes(damage(whole[path], rng))
        begun = time.monotonic()
        try:
            found = list(recordings.load(dataset, tmp_path))
            assert same(found, expected) or not checked, f"{path.name} was changed, and nothing noticed"
        except InputError as error:
            refused += 1
            assert str(tmp_path) in str(error) and "\n" not in str(error), error
        assert time.monotonic() - begun < LONGEST
        path.write_bytes(whole[path])
    assert refused > CASES / 20
