"""The edge table: what the paper's sizes and the family cost on a microcontroller, and how they err in int8.

Networks are trained anew, two folds by person each, so that nobody of those whom they err on has been seen."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax

from ppglib import files
from ppglib.edge import boards, c_code, export, host, onnx_file, signal, tflite
from ppglib.edge.extra import spread
from ppglib.edge.graph import Op, graph
from ppglib.edge.rounded import Rounded
from ppglib.files import InputError
from ppglib.metrics import errors_of_people
from ppglib.resnet1d import SIZES, Design, ResNet1D
from ppglib.results.students import FAMILY
from ppglib.splits import split
from ppglib.study import grid, studies
from ppglib.study.studies import Study
from ppglib.study.teachers import kept_path, load_network
from ppglib.task import BAND, DECODERS, LENGTH, RATE, decode
from ppglib.windows import Windows, gather

STUDY = "open_edge"
COMPARED = 500  # windows, of the test people of a fold, on which all runtimes are compared
DEVICE = "C"  # the runtime whose int8 is that of a device
RATES = (25.0, 50.0, 100.0)  # Hz, of sensors
log = logging.getLogger(__name__)


class Student(NamedTuple):
    """A trained network, its operations, its ONNX and C of both kinds, and the windows that int8 is calibrated by."""

    name: str
    network: ResNet1D
    ops: list[Op]
    onnx: dict[str, bytes]
    c: dict[str, dict[str, str]]
    drawn: np.ndarray


def tables(out: Path, study: Study, windows: Windows, work: Path, jobs: int) -> None:
    """Write to `out` how the networks of a study err whose weights lie in `work`, and how runtimes agree on them."""
    runs = sorted(grid.runs(study), key=lambda run: -run.network.macs)  # the longest first: no process waits for it
    found = spread(jobs, tested, [(run, windows, work, run.fold == study.folds[0]) for run in runs])
    for name in ("people", "agreement"):
        files.write_table(out / f"{name}.csv", pd.DataFrame([row for table, row in found if table == name]))


def price(out: Path, study: Study, jobs: int) -> None:
    """Write to `out` what the paper's SIZES and a study's designs cost, and what surrounds them. Nothing is trained for it."""
    designs = sorted(studies.networks(SIZES, study.designs), key=lambda design: -design.macs)
    files.write_table(out / "signal.csv", pd.DataFrame(spread(jobs, around, [(rate,) for rate in RATES])))
    rows = pd.DataFrame(spread(jobs, costs, [(design,) for design in designs])).sort_values("macs", kind="stable")
    files.write_table(out / "networks.csv", rows.convert_dtypes())  # counts stay whole where some are missing


def made(run: grid.Run, windows: Windows, work: Path) -> Student:
    """A trained run, exported. InputError where its weights are missing."""
    path = kept_path(run, windows.digest(), work)
    if not path.is_file():
        raise InputError(f"There are no weights {path}: let bench --edge train them.")
    network = load_network(run.network, path).eval()
    drawn = export.calibration(windows, split(windows, run.fold, run.split)[0])
    ops, name = graph(network), name_of(run.network)
    single = onnx_file.float32(ops, {})
    models = {"float32": single, "int8": onnx_file.int8(single, drawn)}
    code = {"float32": c_code.files_of(ops, {}), "int8": c_code.files_of(ops, {}, onnx_file.scales(models["int8"]))}
    return Student(name, network, ops, models, code, drawn)


def int8_code(ops: list[Op], drawn: np.ndarray) -> dict[str, str]:
    """C code in int8 of operations, its ranges from the windows `drawn` (N, 200)."""
    return c_code.files_of(ops, {}, onnx_file.scales(onnx_file.int8(onnx_file.float32(ops, {}), drawn)))


def name_of(design: Design) -> str:
    """Its name in the family, or its blocks."""
    text = f"{design.blocks} {design.name}".strip()
    return {own: name for name, own in FAMILY.items()}.get(text, text)


def tested(run: grid.Run, windows: Windows, work: Path, compared: bool) -> Iterable[tuple[str, dict]]:
    """Rows, each after its table's name: mean errors of people whom a run was not trained on, in float32 (PyTorch) and
    in int8 by each runtime; if `compared`, also how far runtimes are from PyTorch in float32 on COMPARED windows."""
    student, rows = made(run, windows, work), split(windows, run.fold)[1]
    x = gather(windows.signal, windows.table.start.to_numpy()[rows])
    lite, rounded = tflite.int8(student.ops, student.drawn), Rounded(student.ops, student.drawn)
    said = {("float32", "PyTorch"): by_torch(student.network, x), ("int8", "PyTorch"): by_torch(rounded, x)}
    said["int8", "ONNX Runtime"] = onnx_file.predict(student.onnx["int8"], x)
    said["int8", DEVICE] = host.predict(student.c["int8"], x)
    said["int8", "LiteRT"] = tflite.predict(lite, x)
    about = {"network": student.name, "fold": run.fold}
    for (kind, runtime), logits in said.items():
        more = {"epochs": run.get("epochs"), "kind": kind, "runtime": runtime}
        yield from (("people", row) for row in person(about | more, logits, windows, rows))
    if compared:
        some = np.linspace(0, len(x) - 1, COMPARED).astype(int)
        said = {key: logits[some] for key, logits in said.items()}
        said["float32", "ONNX Runtime"] = onnx_file.predict(student.onnx["float32"], x[some])
        said["float32", DEVICE] = host.predict(student.c["float32"], x[some])
        said["int8", "TFLite Micro"] = tflite.micro(lite, x[some])[1]
        yield from (("agreement", about | row) for row in agreement(said))


def agreement(said: dict[tuple[str, str], np.ndarray]) -> Iterable[dict]:
    """How far the logits (N, 180) of each kind and runtime are from those of PyTorch in float32."""
    truth = said["float32", "PyTorch"]
    for (kind, runtime), logits in sorted(said.items(), key=lambda item: item[0][0]):
        row = {"kind": kind, "runtime": runtime, "windows": len(logits)}
        row["same_argmax"] = int((logits.argmax(1) == truth.argmax(1)).sum())
        row["logit"] = np.abs(logits - truth).max()
        for how in DECODERS:
            far = np.abs(decode(shares(logits), how) - decode(shares(truth), how))
            row |= {f"{how}_mean": far.mean(), f"{how}_largest": far.max()}
        yield row


def costs(design: Design) -> Iterable[dict]:
    """Bytes and instructions of a network in C, of both kinds; for int8 also TFLite's bytes, arena and NPU.

    Weights change none of it but by what a ReLU cuts off, so they are those before training, on windows of sines."""
    torch.manual_seed(0)
    network, x = ResNet1D(**vars(design)).eval(), sines(64)
    ops = graph(network)
    single = onnx_file.float32(ops, {})
    quantized = {"float32": None, "int8": onnx_file.scales(onnx_file.int8(single, x))}
    size = sum(p.numel() for p in network.parameters())
    for kind, numbers in quantized.items():
        code = c_code.files_of(ops, {}, numbers)
        row = {"network": name_of(design), "blocks": design.blocks, "design": design.name, "parameters": size}
        row |= {"macs": design.macs, "kind": kind} | boards.size(code, "ppg_network.c")._asdict()
        expected = host.predict(code, x[:2])
        for board in boards.BOARDS:
            row[board] = np.nan
            if not boards.fits(row["flash"], board):
                continue
            counts, logits = boards.network(code, x[:2], board)
            if not np.allclose(logits, expected, atol=1e-3):
                raise InputError(f"{row['network']} in {kind} says on the {board} what it does not say here: look into its C code.")
            row[board] = counts.max()
        if kind == "int8":
            lite = tflite.int8(ops, x)
            row |= {"tflite": len(lite), "arena": tflite.micro(lite, x[:1])[0]} | tflite.npu(lite)
        log.info("%s in %s: %s", row["network"], kind, row)
        yield row


def sines(n: int) -> np.ndarray:
    """Windows (n, 200) of sines of 0.5 to 4 Hz, z-scored."""
    rng, time = np.random.default_rng(0), np.arange(LENGTH) / RATE
    x = np.sin(2 * np.pi * (rng.uniform(*BAND, (n, 1)) * time + rng.uniform(0, 1, (n, 1))))
    return ((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)).astype(np.float32)


def around(rate: float) -> Iterable[dict]:
    """What surrounds a network: instructions every 2 s, flash and RAM of both filters, for a sensor of `rate` Hz."""
    network = c_code.files_of(graph(ResNet1D(1, width=4)), {})
    samples = 1e5 + 1e3 * np.sin(2 * np.pi * 1.5 * np.arange(round(8 * rate)) / rate)
    for causal in (False, True):
        code = signal.files_of(rate)
        if causal:
            code["ppg_signal.h"] = code["ppg_signal.h"].replace("#define PPG_CAUSAL 0", "#define PPG_CAUSAL 1")
        size = boards.size(network | code, "ppg_signal.c")
        row = {"rate": rate, "filter": "causal" if causal else "each window", "flash": size.flash}
        row["ram"] = size.ram + boards.stream_size(network | code)
        for board in boards.BOARDS:
            counts = boards.signal(network | code, samples, round(2 * rate), board)
            row |= {f"{board} {name}": count for name, count in counts.items()}
        yield row


@torch.no_grad()
def by_torch(network: ResNet1D, x: np.ndarray) -> np.ndarray:
    """Logits (N, 180) of windows (N, 200), in pieces."""
    parts = [network(part[:, None]) for part in torch.from_numpy(x).split(512)]
    return torch.cat(parts).numpy()


def person(about: dict, logits: np.ndarray, windows: Windows, rows: np.ndarray) -> list[dict]:
    """Mean errors of each person of the windows at `rows`, by logits (N, 180) of these, each beside `about`."""
    return [about | row for row in errors_of_people(shares(logits), windows.table.iloc[rows])]


def shares(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float64."""
    return softmax(logits.astype(np.float64), axis=1)
