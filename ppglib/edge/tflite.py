"""LiteRT (TFLite): int8 by its own converter and quantizer, the arena that its interpreter for microcontrollers takes,
and what Arm's compiler expects of an NPU."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ppglib.edge.extra import needed, quiet
from ppglib.edge.graph import Folded, Op
from ppglib.files import InputError
from ppglib.task import LENGTH

NPU = "ethos-u55-128"  # the mid of the smallest series
ARENA = 4 * 2**20  # bytes that the interpreter may choose from


def int8(ops: list[Op], calibration: np.ndarray) -> bytes:
    """A .tflite (1, 1, 200) -> (1, 180), float32 outside and int8 inside up to the head, which is float32.

    calibration: windows (N, 200) of training people. Raises InputError for missing tools and for an operation that the
    converter left in float32 or could not lower."""
    litert, quantizer = needed("litert_torch"), needed("ai_edge_quantizer.quantizer")
    recipe, names = needed("ai_edge_quantizer.recipe"), needed("ai_edge_quantizer.qtyping").TFLOperationName
    left = needed("ai_edge_quantizer.algorithm_manager").AlgorithmName.NO_QUANTIZE
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = str(Path(folder) / "float32.tflite")
        try:
            litert.convert(Folded(ops).eval(), (torch.zeros(1, 1, LENGTH),)).export(path)
        except (RuntimeError, NotImplementedError) as error:
            said = str(error).splitlines()[0]
            raise InputError(f"LiteRT cannot lower this network ({said}): use --to c or --to onnx-int8.") from error
        work = quantizer.Quantizer(path)
        work.load_quantization_recipe(recipe.static_wi8_ai8())
        for name in (names.FULLY_CONNECTED, names.INPUT, names.OUTPUT):
            work.update_quantization_recipe(regex=".*", operation_name=name, algorithm_key=left)
        (key,) = _interpreter(Path(path).read_bytes()).get_signature_list()["serving_default"]["inputs"]
        # The quantizer's own calibration is a moving average, which forgets all but the last windows: half of the
        # largest numbers would be cut off. This one is of the least and largest of all.
        extremes = needed("ai_edge_quantizer.utils.qsv_utils").min_max_update
        calibrator = needed("ai_edge_quantizer.calibrator").Calibrator(path, qsv_update_func=extremes)
        feeds = [{key: window[None, None]} for window in calibration]
        calibrator.calibrate({"serving_default": feeds}, work._recipe_manager)
        found = _inlined(bytes(work.quantize(calibrator.get_model_qsvs()).quantized_model))
    _check(found)
    return found


def _check(model: bytes) -> None:
    """That int8 ends before the head alone, and that no buffer lies outside, where TFLM would read something else."""
    kinds = [op["op_name"] for op in _interpreter(model)._get_ops_details() if op["op_name"] != "DELEGATE"]
    if kinds.count("DEQUANTIZE") != 1 or kinds[-2:] != ["DEQUANTIZE", "FULLY_CONNECTED"]:
        raise InputError(f"The converter left int8 before the head ({' '.join(kinds)}): use --to c or --to onnx-int8.")
    schema = needed("ai_edge_litert.schema_py_generated")
    for buffer in schema.ModelT.InitFromPackedBuf(model).buffers:
        if buffer.offset or buffer.size:
            raise InputError("The converter put weights outside of the model, where TFLM does not find them: use --to c.")


def _inlined(model: bytes) -> bytes:
    """The model with weights that the converter, from 256 kB on, put behind it, inside."""
    schema = needed("ai_edge_litert.schema_py_generated")
    found = schema.ModelT.InitFromPackedBuf(model)
    for buffer in found.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(model[buffer.offset : buffer.offset + buffer.size], np.uint8)
        buffer.offset = buffer.size = 0
    return _packed(found, len(model))


def _packed(found, size: int) -> bytes:
    builder = needed("flatbuffers").Builder(size)
    builder.Finish(found.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_metadata(model: bytes, about: dict[str, str]) -> bytes:
    """The model with metadata that TFLite's readers show."""
    schema = needed("ai_edge_litert.schema_py_generated")
    found = schema.ModelT.InitFromPackedBuf(model)
    found.metadata = found.metadata or []
    for key, value in about.items():
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(value.encode(), np.uint8)
        entry.name, entry.buffer = f"ppglib.{key}", len(found.buffers)
        found.buffers.append(buffer)
        found.metadata.append(entry)
    return _packed(found, len(model))


def predict(model: bytes, windows: np.ndarray) -> np.ndarray:
    """Logits (N, 180) of windows (N, 200), one by one, by LiteRT."""
    with quiet():
        run = _interpreter(model)
    (given,), (made,) = run.get_input_details(), run.get_output_details()
    found = []
    for window in np.asarray(windows, np.float32):
        run.set_tensor(given["index"], window[None, None])
        run.invoke()
        found.append(run.get_tensor(made["index"])[0])
    return np.array(found)


def micro(model: bytes, windows: np.ndarray) -> tuple[int, np.ndarray]:
    """Bytes of the arena that TFLite Micro takes, and its logits (N, 180) of windows (N, 200)."""
    needed("tflite_micro")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.tflite").write_bytes(model)
        np.save(Path(folder) / "windows.npy", np.asarray(windows, np.float32))
        code = f"""
import numpy, tflite_micro
run = tflite_micro.runtime.Interpreter.from_file("model.tflite", arena_size={ARENA})
found = []
for window in numpy.load("windows.npy"):
    run.set_input(window[None, None], 0)
    run.invoke()
    found.append(run.get_output(0)[0].copy())
numpy.save("logits.npy", found)
run.print_allocations()
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
        size = re.search(r"Arena allocation total (\d+) bytes", done.stdout + done.stderr)
        if done.returncode or not size:
            raise InputError(f"TFLite Micro cannot run the model: {done.stderr.strip().splitlines()[-1]}.")
        return int(size[1]), np.load(Path(folder) / "logits.npy")


def npu(model: bytes) -> dict[str, float]:
    """What Vela expects of NPU: cycles a window, and bytes of its memory. Estimates, not measured."""
    needed("ethosu.vela")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.tflite").write_bytes(model)
        start = "from ethosu.vela.vela import main; main()"
        command = [sys.executable, "-c", start, "model.tflite", "--accelerator-config", NPU, "--output-dir", "."]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        tables = sorted(Path(folder).glob("*summary*.csv"))
        if done.returncode or not tables:
            raise InputError(f"Vela refuses the model: {(done.stderr or done.stdout).strip().splitlines()[-1:]}.")
        row = pd.read_csv(tables[0]).iloc[0]
    return {"npu_cycles": float(row["cycles_total"]), "npu_sram": float(row["sram_memory_used"]) * 1024}


def _interpreter(model: bytes):
    litert = needed("ai_edge_litert.interpreter")
    run = litert.Interpreter(model_content=model, num_threads=1)
    run.allocate_tensors()
    return run
