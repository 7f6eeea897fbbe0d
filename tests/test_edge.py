"""Networks for microcontrollers: every form says what PyTorch says, and what a tool lacks is told by its name."""

import builtins
import json
import shutil
import tomllib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ppglib import models
from ppglib.__main__ import main
from ppglib.edge import boards, c_code, export, extra, host, onnx_file, tflite
from ppglib.edge.graph import INPUT, OUTPUT, Folded, graph
from ppglib.files import InputError
from ppglib.resnet1d import Design, ResNet1D
from ppglib.task import LENGTH
from ppglib.windows import gather

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler, cc")
needs_boards = pytest.mark.skipif(
    not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
    reason="needs gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm",
)


def trained(design, seed=0):
    """A network whose batch norms have statistics of their own, as after training."""
    torch.manual_seed(seed)
    network = ResNet1D(**vars(design)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, -1.5, 1.5)
            torch.nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.2, 3)
    return network


def said(network, x):
    with torch.inference_mode():
        return network(torch.from_numpy(x)[:, None]).numpy()


@pytest.fixture(scope="module")
def windows(simulated_windows):
    """500 windows, z-scored."""
    start = simulated_windows.table.start.to_numpy()
    return gather(simulated_windows.signal, start[np.arange(500) % len(start)] + np.arange(500) // len(start))


DESIGNS = [
    Design(1, width=4, strides=(4, 2)),
    Design(2, width=6, kernels=(7, 3, 5, 1, 9), dilations=(1, 3, 1, 1, 2), strides=(3, 1, 3)),  # rows are filled up
    Design(9, width=4),  # channels are widened twice
    Design(5, width=3, strides=(7, 2, 2, 2, 2, 2)),  # down to two moments
]


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: f"{d.blocks} {d.name}")
def test_the_folded_graph_and_its_c_code_say_what_the_network_says(design, windows):
    network, x = trained(design), windows[:40]
    ops, expected = graph(network), said(network, x)
    scale = np.abs(expected).max()
    with torch.inference_mode():
        assert np.abs(Folded(ops)(torch.from_numpy(x)[:, None]).numpy() - expected).max() < 1e-5 * scale
    assert ops[-1].output == OUTPUT and sum(op.weight is not None for op in ops) == 2 * design.blocks + 1 + design.blocks + 1
    if shutil.which("cc"):
        found = host.predict(c_code.files_of(ops, {}), x)
        assert np.abs(found - expected).max() < 1e-5 * scale


@needs_compiler
@pytest.mark.parametrize("name", ["tiny", "small"])
def test_c_decides_as_pytorch_on_500_windows(name, windows):
    network = models.load(name)
    found, expected = host.predict(c_code.files_of(graph(network), {}), windows), said(network, windows)
    assert (found.argmax(1) == expected.argmax(1)).all() and np.abs(found - expected).max() < 1e-4


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_maps_that_live_together_lie_apart(blocks, width, data):
    strides = data.draw(st.lists(st.integers(1, 3), min_size=blocks + 1, max_size=blocks + 1))
    ops = graph(ResNet1D(blocks, width=width, kernels=3, strides=tuple(strides)))
    for given_ in ({}, {INPUT: LENGTH}):
        place, total = c_code.arena(ops, given_)
        alive = dict(given_)  # what is written and will be read, op by op
        for i, op in enumerate(ops[:-1]):
            if op.kind == "add":
                assert place[op.output] == place[op.inputs[0]]
                alive.pop(op.inputs[0])
            size = op.shape[0] * op.shape[1]
            for other, length in alive.items():
                assert place[op.output] + size <= place[other] or place[other] + length <= place[op.output]
            alive[op.output] = size
            read_later = {name for later in ops[i + 1 :] for name in later.inputs}
            alive = {name: length for name, length in alive.items() if name in read_later}
            assert place[op.output] + size <= total


def test_onnx_says_what_pytorch_says_and_keeps_its_metadata(windows):
    onnx = pytest.importorskip("onnx", reason="needs onnx, of the extra edge")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the extra edge")
    for network in (models.load("small"), trained(DESIGNS[2]), trained(Design(5, width=8, strides=(7, 2, 2, 2, 2, 2)))):
        model = onnx_file.float32(graph(network), {"rate": "25"})
        x = windows if hasattr(network, "about") else windows[:40]
        found, expected = onnx_file.predict(model, x), said(network, x)
        assert np.abs(found - expected).max() < 1e-5 * max(1, np.abs(expected).max())
        assert (found.argmax(1) == expected.argmax(1)).all()
    assert {p.key: p.value for p in onnx.load_from_string(model).metadata_props} == {"rate": "25"}


@needs_compiler
def test_int8_in_c_is_that_of_onnx_runtime(windows):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the extra edge")
    for network in (models.load("small"), trained(DESIGNS[1]), trained(DESIGNS[2]), trained(Design(5, width=8, strides=(7, 2, 2, 2, 2, 2)))):
        ops = graph(network)
        model = onnx_file.int8(onnx_file.float32(ops, {}), windows[::4])
        found = host.predict(c_code.files_of(ops, {}, onnx_file.scales(model)), windows)
        theirs, exact = onnx_file.predict(model, windows), said(network, windows)
        size = exact.std()
        assert np.median(np.abs(found - theirs).max(1)) < 1e-3 * size  # but for numbers at the edge of two steps
        assert 3 * np.abs(found - theirs).mean() < np.abs(found - exact).mean() < 0.1 * size


def test_int8_in_tflite_is_near_onnx_runtime_and_asserts_its_form(windows):
    pytest.importorskip("litert_torch", reason="needs litert-torch, of the extra edge")
    ops = graph(models.load("tiny"))
    lite = tflite.with_metadata(tflite.int8(ops, windows[::4]), {"rate": "25"})
    other = onnx_file.predict(onnx_file.int8(onnx_file.float32(ops, {}), windows[::4]), windows[:50])
    found = tflite.predict(lite, windows[:50])
    assert np.abs(found - other).mean() < 0.02 and b"ppglib.rate" in lite
    tflite._check(lite)
    arena, micro = tflite.micro(lite, windows[:5])
    assert 2000 < arena < 32_000 and np.abs(micro - found[:5]).mean() < 0.1
    assert tflite.npu(lite)["npu_cycles"] > 1000


@needs_boards
def test_boards_count_and_say_the_same(windows):
    network = trained(DESIGNS[0])
    code = c_code.files_of(graph(network), {})
    for board in boards.BOARDS:
        counts, logits = boards.network(code, windows[:2], board)  # each program runs twice, and must count the same
        assert np.abs(logits - said(network, windows[:2])).max() < 1e-3
        assert network.design.macs < counts.min() <= counts.max() < 12 * network.design.macs + 40_000
    loop = 'void ppg_logits(const float *w, float *l) { int n = 500000; (void)w; l[0] = 0;\n    __asm volatile("1: subs %0, #1\\n bne 1b" : "+r"(n)::"cc"); }\n'
    known = {"ppg_network.h": code["ppg_network.h"], "ppg_network.c": loop}
    (count,), _ = boards.network(known, windows[:1], "Cortex-M4F")
    assert abs(count - 1_000_000) < 200
    with pytest.raises(InputError, match="says: .*error"):
        boards.network({"ppg_network.c": "nonsense;"}, windows[:1], "Cortex-M4F")
    size = boards.size(code, "ppg_network.c")
    assert size.ram == 4 * (c_code.arena(graph(network), {})[1] + 2 * 20) and size.flash > 4 * 500


@needs_compiler
def test_export_writes_c_whole_with_what_is_in_it(tmp_path, capsys):
    folder = tmp_path / "new" / "device"
    assert main(["export", "tiny", "--to", "c", "--out", str(folder), "--rate", "50"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["ppg_network.c", "ppg_network.h", "ppg_signal.c", "ppg_signal.h"]
    header, about = (folder / "ppg_network.h").read_text(), models.load("tiny").about
    for text in (about["windows"], about["weights"], about["licence"], json.dumps(about["datasets"]), "24 people"):
        assert text in header
    assert "50000u" in (folder / "ppg_signal.h").read_text()
    host.compiled({path.name: path.read_text() for path in folder.iterdir()}, tmp_path)
    assert main(["export", "tiny", "--to", "c", "--out", str(folder)]) == 2
    assert "already: name another folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["device"]


def test_what_cannot_be_exported_is_one_sentence_and_nothing_is_left(tmp_path, capsys, monkeypatch):
    for arguments, told in (
        (["nowhere", "--to", "c"], "no model 'nowhere'"),
        (["tiny", "--to", "c", "--rate", "5"], "choose from 16 to 1000 Hz"),
        (["tiny", "--to", "c-int8"], "name with --data the folder that holds bami1, bami2, spc2015"),
    ):
        assert main(["export", *arguments, "--out", str(tmp_path / "x")]) == 2
        assert told in capsys.readouterr().err and not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="in pieces"):
        graph(ResNet1D(1, pieces=4))
    real = builtins.__import__
    monkeypatch.setattr(extra, "import_module", lambda name: real("onnx_that_nobody_has"))
    assert main(["export", "tiny", "--to", "onnx", "--out", str(tmp_path / "x")]) == 2
    assert "onnx_that_nobody_has is missing: pip install 'ppglib[edge]'" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"):
        extra.program("arm-none-eabi-gcc")
    monkeypatch.setattr(export.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    assert main(["export", "tiny", "--to", "c", "--out", str(tmp_path / "x")]) == 2
    assert "No space left" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_numbers_in_c_are_read_back_to_the_same_float():
    for value in np.float32([0, -0.0, 1, 1e-30, 1 / 3, 123456789, -2.5e-5, 1e20, np.finfo(np.float32).tiny]):
        text = c_code.number(value)
        assert text.endswith("f") and np.float32(float(text[:-1])) == value
    factors = np.array([0.2, 0.1, 1e-3, 2.0**-20, 3e-9, 1e-12])
    multiplier, shift = c_code._fixed("x", factors)
    np.testing.assert_allclose(multiplier / 2.0 ** (32 + shift), [*factors[:-1], 0], rtol=2e-9)
    with pytest.raises(InputError, match="calibrate on other windows"):
        c_code._fixed("x", np.array([0.5]))


def test_the_extra_is_pinned_and_not_part_of_the_default(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert all("==" in line for line in project["optional-dependencies"]["edge"])
    names = {line.split("==")[0] for line in project["optional-dependencies"]["edge"]}
    lock = (root / "requirements.lock").read_text().splitlines()
    assert not names & {line.split("==")[0] for line in lock}
