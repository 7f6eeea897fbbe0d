"""ONNX: the graph in float32, and in int8 by ONNX Runtime's static quantization."""

import tempfile
from pathlib import Path

import numpy as np

from ppglib.edge.extra import needed, quiet
from ppglib.edge.graph import INPUT, OUTPUT, Op, Quantized
from ppglib.task import LENGTH

OPSET, IR = 17, 9  # what runtimes of the last years read


def float32(ops: list[Op], about: dict[str, str]) -> bytes:
    """A model (1, 1, 200) -> (1, 180) of standard operators; about: its metadata."""
    onnx = needed("onnx")
    nodes, constants, channels, length = [], [], {INPUT: 1}, {INPUT: LENGTH}

    def constant(name, value):
        constants.append(onnx.numpy_helper.from_array(value, name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(onnx.helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    for op in ops:
        source, given = op.inputs[-1], op.output
        length[given], channels[given] = op.shape
        if op.kind in ("conv", "scale"):
            groups, taps = (len(op.weight), 1) if op.kind == "scale" else (1, op.weight.shape[2])
            how = {"group": groups, "kernel_shape": [taps], "strides": [op.stride], "dilations": [op.dilation]}
            inputs = [source, constant(f"{given}_weight", op.weight), constant(f"{given}_bias", op.bias)]
            summed = node("Conv", inputs, f"{given}_sum" if op.relu else given, pads=[op.padding] * 2, **how)
            if op.relu:
                node("Relu", [summed], given)
        elif op.kind == "add":
            if op.stride > 1:
                rest = length[given] * op.stride - length[source]
                how = {"kernel_shape": [op.stride], "strides": [op.stride], "pads": [0, rest]}
                length[f"{given}_pool"], channels[f"{given}_pool"] = length[given], channels[source]
                source = node("MaxPool", [source], f"{given}_pool", **how)
            if after := op.shape[1] - op.before - channels[source]:
                pads = constant(f"{given}_pads", np.array([0, op.before, 0, 0, after, 0], np.int64))
                source = node("Pad", [source, pads], f"{given}_pad")
            node("Add", [op.inputs[0], source], given)
        elif op.kind == "mean":
            node("Flatten", [node("GlobalAveragePool", [source], f"{given}_pool")], given)
        else:
            inputs = [source, constant(f"{given}_weight", op.weight[..., 0]), constant(f"{given}_bias", op.bias)]
            node("Gemm", inputs, given, transB=1)
    shapes = {INPUT: (1, 1, LENGTH), OUTPUT: (1, ops[-1].shape[1])}
    ends = {name: onnx.helper.make_tensor_value_info(name, 1, shape) for name, shape in shapes.items()}
    made = onnx.helper.make_graph(nodes, "heart_rate", [ends[INPUT]], [ends[OUTPUT]], constants)
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR)
    model.producer_name = "ppglib"
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def int8(model: bytes, calibration: np.ndarray) -> bytes:
    """The float32 `model` with int8 weights (a scale a channel, zero at 0) and int8 maps between its operators.

    Both signed: unsigned times signed saturates silently on processors without VNNI. calibration: windows (N, 200) of
    training people, whose least and largest numbers make the ranges. The head stays float32: neighbouring bins differ by
    little, and rounding each one's weights by itself would move the largest. Chosen on the tuning people: tuning.csv."""
    onnx, ort = needed("onnx"), needed("onnxruntime.quantization")
    feeds = iter([{INPUT: window[None, None]} for window in np.asarray(calibration, np.float32)])

    class Windows(ort.CalibrationDataReader):
        def get_next(self):
            return next(feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = (str(Path(folder) / name) for name in ("float32.onnx", "int8.onnx"))
        Path(before).write_bytes(model)
        kinds = {"activation_type": ort.QuantType.QInt8, "weight_type": ort.QuantType.QInt8}
        kinds |= {"quant_format": ort.QuantFormat.QDQ, "nodes_to_exclude": [OUTPUT]}
        with quiet():  # it advises to run what is done already
            ort.quantize_static(before, after, Windows(), per_channel=True, **kinds)
        found = onnx.load(after)
    onnx.helper.set_model_props(found, {prop.key: prop.value for prop in onnx.load_from_string(model).metadata_props})
    onnx.checker.check_model(found, full_check=True)
    return found.SerializeToString()


def scales(model: bytes) -> Quantized:
    """Scales and zeros of the maps, and the weights, of a model that `int8` made: for the C code."""
    onnx = needed("onnx")
    found = onnx.load_from_string(model).graph
    constants = {value.name: onnx.numpy_helper.to_array(value) for value in found.initializer}
    maps, weights, steps = {}, {}, {}
    for node in found.node:
        if node.op_type == "QuantizeLinear":
            scale, zero = (constants[name] for name in node.input[1:])
            maps[node.input[0]] = float(scale), int(zero)
        elif node.op_type == "DequantizeLinear" and node.input[0].endswith("_weight_quantized"):
            name = node.input[0].removesuffix("_weight_quantized")
            weights[name], steps[name] = (constants[value] for value in node.input[:2])
    return Quantized(maps, weights, steps)


def predict(model: bytes, windows: np.ndarray) -> np.ndarray:
    """Logits (N, 180) of windows (N, 200), one by one, by ONNX Runtime in one thread."""
    ort = needed("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {INPUT: window[None, None]})[0] for window in windows])
