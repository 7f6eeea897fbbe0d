"""Small files and bad servers that asked for years or for all memory: each is one sentence, in bounded time and memory.

Each case is one of a kind; tests/test_reader_fuzz.py looks for others."""

import gzip
import hashlib
import inspect
import io
import json
import os
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pandas as pd
import pyarrow
import pytest
from formats import uses
from formats.bounded import worker
from formats.dalia_files import participant
from pyarrow import parquet
from safetensors.torch import save

from ppglib import files, models, simulate
from ppglib.files import InputError
from ppglib.recordings import array_pickle, columns
from ppglib.study import records

SECONDS, MB = 30.0, 1000.0
HOURS = np.arange(2_500_000) / 50


@pytest.fixture(scope="module")
def run():
    with worker() as run:
        yield run


def refused(outcome, message):
    assert outcome.kind == "refused", outcome
    assert message in outcome.said and "\n" not in outcome.said and len(outcome.said) < 1500, outcome.said
    assert outcome.seconds < SECONDS and outcome.mb < MB, outcome


# Pickles


def nested_key():
    """A dict whose key is ((((), ()), ((), ())), ...), forty times: 2^40 hashes."""
    return b"\x80\x04}" + b")\x94" + b"".join(b"h%ch%c\x86\x94" % (k, k) for k in range(40)) + b"K\x01s."


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x01tcnumpy\ndtype\n(U\x02f8K\x00K\x01tR\x89"
PICKLES = {
    "nested key": nested_key(),
    "set of nested": b"\x80\x04\x8f(" + nested_key()[3:-3] + b"\x90.",
    "deep lists": b"\x80\x02" + b"(" * 200_000 + b"l" * 200_000 + b".",
    "many parts": b"\x80\x02" + b"]" * 9_000_000 + b".",
    "memo": b"\x80\x02]" + b"".join(b"r" + struct.pack("<I", k) for k in range(1_500_000)) + b".",
    "encoded again and again": b"\x80\x02X" + struct.pack("<I", 8_000_000) + b"a" * 8_000_000 + b"q\x000"
    + b"c_codecs\nencode\nq\x010" + b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R" * 9_000 + b".",
    "a frame of 2^62 bytes": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"}.",
    "a text of 2^62 bytes": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"a.",
    "a line without end": b"\x80\x02I" + b"1" * 9_000_000,
    "the state of a function": b"\x80\x02c_codecs\nencode\n}U\x0c__defaults__K\x01\x85s\x86b.",
}  # fmt: skip


@pytest.mark.parametrize("case", PICKLES)
def test_pickles(case, tmp_path, run):
    (tmp_path / "ppg_dalia").mkdir()
    (tmp_path / "ppg_dalia/S1.pkl").write_bytes(PICKLES[case])
    refused(run(uses.recordings, tmp_path, "ppg_dalia"), "S1.pkl is damaged")


def test_a_pickle_changes_nothing_for_the_next():
    encode = array_pickle._ADMITTED["_codecs", "encode"]
    before = vars(encode).copy(), encode.__defaults__, encode.__code__
    dtype = array_pickle._ADMITTED["numpy", "dtype"]
    for state in (b"}U\x01aK\x01s", b"N}U\x0c__defaults__K\x01\x85s\x86", b"(K\x01U\x01<t"):
        for name in (b"c_codecs\nencode\n", b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"U\x01x", b"]", b"}"):
            with pytest.raises(pickle.UnpicklingError):
                array_pickle.load(io.BufferedReader(io.BytesIO(b"\x80\x02" + name + state + b"b.")), "x")
    assert (vars(encode), encode.__defaults__, encode.__code__) == before and not vars(dtype)
    twice = b"\x80\x02cnumpy\ndtype\n(U\x02f8K\x00K\x01tR" + b"(K\x03U\x01<t" + b"b" + b"(K\x03U\x01>tb."
    with pytest.raises(pickle.UnpicklingError, match="a state of something"):
        array_pickle.load(io.BufferedReader(io.BytesIO(twice)), "x")


@pytest.mark.parametrize("raw", [b"\x8a\x05" + (5 * 10**9).to_bytes(5, "little"), b"]", b"}", b"N", b"G" + bytes(8)])
def test_the_bytes_of_an_array_are_bytes(raw, tmp_path, run):
    content = participant("S1", simulate.person(3, 0.25))
    del content["label"]
    stream = io.BytesIO()
    uses.python2_pickle.dump(content, stream)
    (tmp_path / "ppg_dalia").mkdir()
    whole = stream.getvalue()
    (tmp_path / "ppg_dalia/S1.pkl").write_bytes(whole[:-1] + b"U\x05label" + ARRAY + raw + b"tbs.")
    refused(run(uses.recordings, tmp_path, "ppg_dalia"), "label is no array of numbers")


def test_shapes_and_names_of_another_kind(tmp_path, run):
    for number, change in enumerate(("shape", "subject", "deep")):
        content = participant("S1", simulate.person(3, 0.25))
        stream = io.BytesIO()
        if change == "subject":
            content["subject"] = tuple(range(2000))
        uses.python2_pickle.dump(content, stream)
        whole = stream.getvalue()
        if change == "shape":
            shape = b"(J" + struct.pack("<i", len(content["label"])) + b"t"
            assert whole.count(b"K\x01" + shape) == 1
            whole = whole.replace(b"K\x01" + shape, b"K\x01U\x05two01")
        if change == "deep":
            whole = whole.replace(b"U\x02S1", nested_key()[3:-3], 1)
        root = tmp_path / str(number) / "ppg_dalia"
        root.mkdir(parents=True)
        (root / "S1.pkl").write_bytes(whole)
        refused(run(uses.recordings, root.parent, "ppg_dalia"), "S1.pkl")


# Archives


def test_pipes_are_not_opened(tmp_path, run):
    for dataset, name in (("own", "x.zip"), ("ppg_dalia", "data.zip"), ("ppg_dalia", "S1.pkl"), ("own", "a.ppg.csv")):
        root = tmp_path / f"{dataset}-{name}"
        (root / dataset).mkdir(parents=True)
        os.mkfifo(root / dataset / name)
        refused(run(uses.recordings, root, dataset), "is no regular file" if name.endswith("zip") else "No ")
    (tmp_path / "runs").mkdir()
    os.mkfifo(tmp_path / "runs/run.json")
    refused(run(uses.record, tmp_path), "run.json is no regular file")
    os.mkfifo(tmp_path / "s.toml")
    refused(run(uses.study, tmp_path / "s.toml"), "There is no study")
    refused(run(uses.model, tmp_path / "s.toml"), "There is no model")
    with pytest.raises(InputError, match="no regular file"):
        files.sha256(tmp_path / "s.toml")


def zipped(content, name="data.zip", how=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def test_archives(tmp_path, run):
    folder = tmp_path / "ppg_dalia"
    folder.mkdir()
    path = folder / "data.zip"
    many = b"x"
    for _ in range(400):
        many = zipped(many)
    path.write_bytes(many)
    refused(run(uses.recordings, tmp_path, "ppg_dalia"), "No S1.pkl")
    path.write_bytes(zipped(bytes(150_000_000), "S1.pkl", zipfile.ZIP_DEFLATED))
    refused(run(uses.recordings, tmp_path, "ppg_dalia"), "out of proportion")
    packed = zipped(zipped(bytes(150_000_000), "S1.pkl"), how=zipfile.ZIP_DEFLATED)
    path.write_bytes(packed)
    refused(run(uses.recordings, tmp_path, "ppg_dalia"), "out of proportion")


def test_files_of_an_archive_that_lie_upon_each_other(tmp_path, run):
    whole = bytearray(zipped(b"a" * 50_000, "S1.pkl") + b"")
    at = whole.index(b"PK\x01\x02")
    entry, end = bytes(whole[at:-22]), bytearray(whole[-22:])
    count = 50
    end[8:12] = struct.pack("<HH", count, count)
    end[12:16] = struct.pack("<I", len(entry) * count)
    (tmp_path / "ppg_dalia").mkdir()
    entries = b"".join(entry.replace(b"S1.pkl", b"S%d.pkl" % (k % 9 + 1)) for k in range(count))
    (tmp_path / "ppg_dalia/data.zip").write_bytes(bytes(whole[:at]) + entries + bytes(end))
    refused(run(uses.recordings, tmp_path, "ppg_dalia"), "data.zip is damaged")


# MAT files


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def array(kind, shape, name, *content):
    head = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)
    return element(14, head + b"".join(content))


def nested(depth, name=b"wrist"):
    found = array(6, (1, 1), b"", element(9, bytes(8)))
    heads, size = [], len(found)
    for k in range(depth):
        head = array(1, (1, 1), name if k == depth - 1 else b"")[8:]
        heads.append(struct.pack("<II", 14, size + len(head)) + head)
        size += len(head) + 8
    return b"".join(reversed(heads)) + found


def packed(content):
    squeezed = zlib.compress(content)
    return struct.pack("<II", 15, len(squeezed)) + squeezed


def mats():
    """name: elements of the file, the set that reads it, what is said."""
    head = array(6, (1, 10**8), b"data_ppg_wrist")[8:]
    large = struct.pack("<II", 14, len(head) + 8 + 10**8) + head + struct.pack("<II", 1, 10**8) + bytes(10**8)
    return {
        "cells in cells": (nested(50_000), "cells", "deeper than"),
        "packed cells in cells": (packed(nested(20_000, b"data_ppg_wrist")), "cells", "deeper than"),
        "numbers that unpack": (packed(large), "cells", "out of proportion"),
        "10^9 cells": (array(1, (1, 10**9), b"data_ppg_wrist"), "cells", "shape"),
        "10^9 structs": (array(2, (1, 10**9), b"wrist", element(5, b"\x01\0\0\0"), element(1, b"v")), "raw", "shape"),
        "an object": (array(3, (1, 1), b"wrist", element(1, b"thing")), "raw", "class 3"),
    }


@pytest.mark.parametrize("case", mats())
def test_mat_files(case, tmp_path, run):
    content, form, message = mats()[case]
    if form == "raw":
        content = content.replace(b"data_ppg_wrist", b"wrist")
    elif case == "cells in cells":
        content = nested(50_000, b"data_ppg_wrist")
    (tmp_path / "wildppg").mkdir()
    name = {"raw": "WildPPG_Part_a.mat", "cells": "WildPPG.mat"}[form]
    (tmp_path / f"wildppg/{name}").write_bytes(b"MATLAB 5.0 MAT-file".ljust(124, b" ") + b"\0\1IM" + content)
    refused(run(uses.recordings, tmp_path, "wildppg"), message)


# Own tables


@pytest.fixture
def table(tmp_path):
    """A function that writes ann.ppg with an ending, and returns the root."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own/ann.hr.csv").write_text("time,hr\n" + "".join(f"{k},70\n" for k in range(60)))

    def write(ending, content):
        path = tmp_path / f"own/ann.ppg.{ending}"
        parquet.write_table(pyarrow.table(content), path) if ending == "parquet" else path.write_bytes(content)
        assert path.stat().st_size < 10e6 + 100
        return tmp_path

    return write


CSVS = {
    "columns": (b"time,ppg" + b",x" * 4_900_000 + b"\n0,1\n", "header"),
    "cells in a row": (b"time,ppg\n0,0" + b",0" * 4_900_000 + b"\n", "ann.ppg.csv"),
    "microseconds": (b"time,ppg\n" + b"".join(b"%.6f,%d\n" % (k / 1e6, k % 9) for k in range(2500)), "samples a second"),
    "nanoseconds": (b"time,ppg\n" + b"".join(b"%.9f,%d\n" % (k / 1e9, k % 9) for k in range(2500)), "samples a second"),
    "bursts": (b"time,ppg\n" + b"".join(b"%d.000%d,1\n" % (k // 5 * 500, k % 5) for k in range(300_000)), "ann.ppg.csv"),
    "two of a name": (b"time,ppg,PPG\n0,1,2\n", "two columns 'ppg'"),
}
PACKED = {
    "rows": (b"time,ppg\n" + b"0,0\n" * 12_000_000, "out of proportion"),
    "text": (b"time,ppg\n" + (b"0,0," + b"x" * 996 + b"\n") * 100_000, "out of proportion"),
}


@pytest.mark.parametrize("case", CSVS)
def test_csv(case, table, run):
    content, message = CSVS[case]
    refused(run(uses.recordings, table("csv", content), "own"), message)


@pytest.mark.parametrize("case", PACKED)
def test_packed_csv(case, table, run):
    content, message = PACKED[case]
    refused(run(uses.recordings, table("csv.gz", gzip.compress(content, 1)), "own"), message)


PARQUETS = {
    "rows": (lambda: {"time": np.zeros(50_000_000, "i1"), "ppg": np.zeros(50_000_000, "i1")}, "out of proportion"),
    "lists": (lambda: {"time": HOURS[:10], "ppg": pyarrow.array([[0.0] * 10**6] * 10)}, "holds list"),
    "texts": (lambda: {"time": pyarrow.array(["x" * 10**6] * 200), "ppg": HOURS[:200]}, "text of 1000000 bytes"),
    "texts in a dictionary": (
        lambda: {"time": pyarrow.array(["x" * 10**6] * 200).dictionary_encode(), "ppg": HOURS[:200]},
        "text of 1000000 bytes",
    ),
    "bytes": (lambda: {"time": HOURS[:10], "ppg": pyarrow.array([b"1"] * 10)}, "holds binary"),
    "columns": (lambda: {f"c{k}": [0] for k in range(2000)}, "2000 columns"),
}


@pytest.mark.parametrize("case", PARQUETS)
def test_parquet(case, table, run):
    content, message = PARQUETS[case]
    refused(run(uses.recordings, table("parquet", content()), "own"), message)


def test_a_parquet_file_whose_footer_lies(table, run):
    """480 MB a column in one page, of which the description at the file's end says that they are 200 rows of 1.6 kB."""
    rows, packed = 60_000_000, io.BytesIO()
    how = {"use_dictionary": False, "compression": "zstd", "data_page_size": 2**30, "row_group_size": rows}
    if "max_rows_per_page" in inspect.signature(parquet.write_table).parameters:  # else it is no limit
        how["max_rows_per_page"] = rows
    parquet.write_table(pyarrow.table({"time": np.zeros(rows), "ppg": np.zeros(rows)}), packed, **how)
    group = parquet.ParquetFile(packed).metadata.row_group(0)
    size = int.from_bytes(packed.getvalue()[-8:-4], "little") + 8
    pages, footer = packed.getvalue()[:-size], packed.getvalue()[-size:]
    lies = {rows: 200, group.total_byte_size: 3200} | {group.column(k).total_uncompressed_size: 1600 for k in (0, 1)}
    for truth, lie in lies.items():
        assert varint(truth) in footer
        footer = footer.replace(varint(truth), varint(lie, len(varint(truth))))
    assert parquet.ParquetFile(io.BytesIO(pages + footer)).metadata.num_rows == 200
    path = table("csv", b"").joinpath("own/ann.ppg.csv")
    path.unlink()
    path.with_suffix(".parquet").write_bytes(pages + footer)
    refused(run(uses.recordings, path.parents[1], "own"), "out of proportion")


def varint(number: int, size: int = 0) -> bytes:
    """A number as Thrift's compact protocol spells it, in at least so many bytes."""
    number, out = number << 1, b""
    while number > 127 or len(out) < size - 1:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def test_only_what_is_used_is_read(table, run):
    rows, zeros = 100_000, pyarrow.array(np.zeros(100_000))
    content = {"time": HOURS[:rows], "ppg": np.sin(HOURS[:rows] * 8)} | {f"c{k}": zeros for k in range(900)}  # 720 MB
    outcome = run(uses.recordings, table("parquet", content), "own")
    assert outcome.kind == "done" and outcome.mb < 200, outcome


@pytest.mark.slow
@pytest.mark.parametrize("what", ["even", "packets", "late", "steps"])
def test_the_largest_tables_that_are_allowed(what, table, run):
    count, rng = 4_900_000, np.random.default_rng(0)
    time = np.arange(count) / 50
    time = {"packets": np.floor(time), "late": np.sort(time + rng.uniform(0, 0.02, count)).round(2)}.get(what, time)
    ppg = np.where(np.arange(count) % 50 == 0, 1000, 0) if what == "steps" else np.arange(count) % 7
    text = pd.DataFrame({"time": time.round(2), "ppg": ppg}).to_csv(index=False).encode()
    path = table("csv", b"")
    (path / "own/ann.ppg.csv").unlink()
    (path / "own/ann.ppg.csv.gz").write_bytes(gzip.compress(text))
    outcome = run(uses.recordings, path, "own")
    assert outcome.kind in ("done", "refused") and outcome.seconds < SECONDS and outcome.mb < MB, outcome


def test_a_user_can_raise_a_bound_and_a_wrong_one_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    path = tmp_path / "own/ann.ppg.csv.gz"
    text = "time,ppg\n" + "".join(f"{k / 50:.2f},{k % 7}\n" for k in range(3000))
    path.write_bytes(gzip.compress(text.encode()))
    (tmp_path / "own/ann.hr.csv").write_text("time,hr\n" + "".join(f"{k},70\n" for k in range(60)))
    monkeypatch.setattr(columns, "FREE", 1000)
    monkeypatch.setattr(columns, "TEXT_TIMES", 1)
    with pytest.raises(InputError, match="set PPGLIB_LARGEST_GB above"):
        uses.recordings(tmp_path, "own")
    monkeypatch.setenv("PPGLIB_LARGEST_GB", "1")
    assert uses.recordings(tmp_path, "own")
    monkeypatch.setenv("PPGLIB_LARGEST_GB", "much")
    with pytest.raises(InputError, match="PPGLIB_LARGEST_GB is 'much': set it to a number of GB"):
        uses.recordings(tmp_path, "own")


# Records, studies, models, windows


def signed(content: str) -> str:
    return json.dumps({"sha256": hashlib.sha256(content.encode()).hexdigest(), "record": content})


RECORDS = {
    "a list": signed("[1]"),
    "deep": signed("[" * 10**6),
    "deep outside": "[" * 10**6,
    "digits": signed("1" * 10**6),
    "another's": signed('{"run_id": "walk", "seconds": 1}'),
    "NaN": signed('{"run_id": "run", "seconds": NaN}'),
    "infinite": signed('{"run_id": "run", "seconds": 1e999}'),
    "rows of text": signed('{"run_id": "run", "seconds": 1, "people": "none"}'),
    "nested rows": signed('{"run_id": "run", "seconds": 1, "people": [{"mae": [1]}]}'),
    "no seconds": signed('{"run_id": "run"}'),
    "unsigned": json.dumps({"sha256": "", "record": '{"run_id": "run"}'}),
    "a text": '"x"',
    "no UTF-8": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("case", RECORDS)
def test_records(case, tmp_path, run):
    (tmp_path / "runs").mkdir()
    content = RECORDS[case]
    (tmp_path / "runs/run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(run(uses.record, tmp_path), "run.json is")
    records.remove(tmp_path, "run")
    assert records.read(tmp_path, "run") is None


def test_a_folder_in_the_place_of_a_record(tmp_path, run):
    (tmp_path / "runs/run.json").mkdir(parents=True)
    refused(run(uses.record, tmp_path), "run.json is no regular file")
    with pytest.raises(InputError, match="in the way of a record"):
        records.remove(tmp_path, "run")


STUDIES = {
    "deep": ("a = " + "[" * 40_000, "no valid TOML"),
    "deep tables": ("a = " + "{a = " * 15_000, "no valid TOML"),
    "long": ("a = [" + "1," * 5_000_000 + "]", "more than 100000 bytes"),
    "a name that matches in 2^50 ways": (uses.STUDY.replace('"test"', '"' + "a" * 50 + '!"'), "cannot be"),
    "digits": (uses.STUDY.replace("seeds = 1", "seeds = 0x" + "f" * 20_000), "seeds must lie between"),
    "infinite": (uses.STUDY.replace("rate = 0.01", "rate = inf"), "rate must lie between"),
    "no number": (uses.STUDY.replace("rate = 0.01", "rate = nan"), "rate must lie between"),
    "too large for a float": (uses.STUDY.replace("rate = 0.01", "rate = 1" + "0" * 400), "rate must be of type float"),
}


@pytest.mark.parametrize("case", STUDIES)
def test_studies(case, tmp_path, run):
    text, message = STUDIES[case]
    (tmp_path / "s.toml").write_text(text)
    refused(run(uses.study, tmp_path / "s.toml"), message)


def forged(path, **words):
    """The smallest model that ships, with other words and a digest that fits."""
    with models.safe_open(files.ROOT / "ppglib/models/tiny.safetensors", "pt") as file:
        about = {key: json.loads(value) for key, value in file.metadata().items()}
        weights = {name: file.get_tensor(name) for name in file.keys()}
    change = words.pop("change", dict)
    weights = {**weights, **change(weights)}
    about |= {"weights": models._digest(weights)} | words
    path.write_bytes(save(weights, {key: value if key == "raw" else json.dumps(value) for key, value in about.items()}))
    return path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"design": {"blocks": 1, "width": 10**6}}, "do not fit its design"),
        ({"design": {"blocks": 10**9}}, "do not fit its design"),
        ({"design": {"blocks": 1, "dilations": 10**9}}, "do not fit its design"),
        ({"design": {"blocks": 1, "dilations": [[1]] * 3}}, "do not fit its design"),
        ({"raw": "[" * 10**6}, "damaged or no model"),
        ({"range": [1]}, "not two heart rates"),
        ({"range": "ab"}, "not two heart rates"),
        ({"interval": dict.fromkeys(("none", "online", "smooth"), {"near": "x"})}, "nothing usable"),
        ({"tracking": {"scale": "a", "jump": 0, "weight": 1}}, "nothing usable"),
        ({"change": lambda w: {"head.bias": w["head.bias"] * np.nan}}, "not finite"),
        ({"change": lambda w: {"head.bias": w["head.bias"].bfloat16().float().double()}}, "do not fit its design"),
        ({"change": lambda w: {"more": w["head.bias"].clone()}}, "do not fit its design"),
    ],
)
def test_models(words, message, tmp_path, run):
    refused(run(uses.model, forged(tmp_path / "m.safetensors", **words)), message)


def test_the_forger_himself_is_read(tmp_path, run):
    outcome = run(uses.model, forged(tmp_path / "m.safetensors"))
    assert outcome.kind == "done" and outcome.said == 7, outcome
