"""Damaged and forged files: whatever is in them, they are read, or refused in one sentence, in bounded time and memory.

Bytes are flipped, cut or repeated; or the content is changed and written well, checksums and all. Where the form
carries a checksum (zip, compressed MAT, Parquet pages, records) or a redundant count, wrong data from changed bytes must
not pass. A few cases of each form run in `make test`, 5,000 in all in `make test-slow`."""

import shutil
from functools import partial

import numpy as np
import pytest
from formats import uses
from formats.bounded import worker

FEW, MANY = 4, 157  # cases of bytes and of content, of each form; 16 x 2 x 157 = 5,024
SECONDS, MB = 30.0, 1000.0  # of one case
SETS = {  # name: writer, dataset, whether a checksum covers every byte that matters
    "dalia-outer-zip": (uses.dalia, "ppg_dalia", True),
    "dalia-tree": (partial(uses.dalia, form="tree"), "ppg_dalia", False),
    "dalia-tree-text": (partial(uses.dalia, form="tree", text=True), "ppg_dalia", False),
    "dalia-windows": (uses.dalia_windows, "dalia_s6_stairs", False),
    "wildppg-raw": (uses.wildppg, "wildppg", True),
    "wildppg-zip": (partial(uses.wildppg, zipped=True), "wildppg", True),
    "wildppg-cells": (uses.cells, "wildppg", False),
    "galaxyppg-zip": (uses.galaxy, "galaxyppg", True),
    "galaxyppg-tree": (partial(uses.galaxy, zipped=False), "galaxyppg", False),
    "own-csv": (uses.own, "own", False),
    "own-gz": (partial(uses.own, kind="csv.gz"), "own", True),
    "own-parquet": (partial(uses.own, kind="parquet"), "own", False),
}
FORMS = {name: (write, lambda root, d=dataset: (uses.recordings, root, d), sure) for name, (write, dataset, sure) in SETS.items()}
FORMS |= {
    "record": (uses.write_record, lambda root: (uses.record, root), True),
    "study": (uses.write_study, lambda root: (uses.study, root / "study.toml"), False),
    "model": (uses.write_model, lambda root: (uses.model, root / "m.safetensors"), False),
    "results": (uses.write_results, lambda root: (uses.results, root), False),
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


@pytest.fixture(scope="module")
def run():
    with worker() as run:
        yield run


def check(form, case, outcome):
    assert outcome.kind in ("done", "refused"), f"{form}, {case}: {outcome.kind}\n{outcome.said}"
    assert outcome.seconds < SECONDS and outcome.mb < MB, f"{form}, {case}: {outcome}"
    if outcome.kind == "refused":
        assert "\n" not in outcome.said and len(outcome.said) < 1500, f"{form}, {case}: {outcome.said[:3000]}"


def of_bytes(form, count, seed, folder, run, seen):
    write, use, checked = FORMS[form]
    write(folder, None)
    expected = run(*use(folder))
    assert expected.kind == "done", expected.said
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    whole = {path: path.read_bytes() for path in files}
    rng = np.random.default_rng([seed, *form.encode()])
    for case in range(count):
        path = files[rng.integers(len(files))]
        path.write_bytes(damage(whole[path], rng))
        outcome = run(*use(folder))
        check(form, f"bytes {seed} {case}", outcome)
        assert outcome.kind == "refused" or outcome.said == expected.said or not checked, f"{path.name} changed unseen"
        assert outcome.kind != "refused" or str(folder) in outcome.said, f"{form}, {case}: which file? {outcome.said}"
        path.write_bytes(whole[path])
        seen.append(outcome)


class Change:
    """One change of content; `both`: a model's words and weights, else words alone."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.both = self.rng.random() < 0.5

    def __call__(self, content):
        return uses.changed(content, self.rng)


def of_content(form, count, seed, folder, run, seen):
    write, use, _ = FORMS[form]
    for case in range(count):
        here = folder / str(case)
        here.mkdir(parents=True)
        write(here, Change([seed, case, *form.encode()]))
        outcome = run(*use(here))
        check(form, f"content {seed} {case}", outcome)
        shutil.rmtree(here)
        seen.append(outcome)


def both(form, count, seed, tmp_path, run):
    seen = []
    (tmp_path / "bytes").mkdir()
    of_bytes(form, count, seed, tmp_path / "bytes", run, seen)
    of_content(form, count, seed, tmp_path / "content", run, seen)
    refused = sum(outcome.kind == "refused" for outcome in seen)
    most = max(outcome.seconds for outcome in seen), max(outcome.mb for outcome in seen)
    print(f"{form}: {len(seen)} cases, {refused} refused, at most {most[0]:.1f} s and {most[1]:.0f} MB")
    assert refused > len(seen) / 20


@pytest.mark.parametrize("form", FORMS)
def test_damaged_and_forged_files_are_read_or_refused_in_a_sentence(form, tmp_path, run):
    both(form, FEW, 0, tmp_path, run)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_many_of_them(form, tmp_path, run):
    both(form, MANY, 1, tmp_path, run)
