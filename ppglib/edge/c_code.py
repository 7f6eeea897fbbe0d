"""Plain C of a network: one file without a heap, a library or a tool behind it, in float32 or in int8.

Written here and not by a general converter: four operations of one dimension are a page of C, which can be read, runs
without the extra `edge`, shares one arena among all maps, and takes several sums from each number that it reads."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ppglib.edge.graph import INPUT, OUTPUT, Op, Quantized
from ppglib.files import InputError
from ppglib.task import BINS, LENGTH, LOWEST, RATE

PARTS = Path(__file__).parent / "c"
HEAD = 2**14 - 1  # largest weight of the head in int8: 500 times 255 of them fit 32 bits
FACTOR = 20  # bits of the factors of an addition in int8


def files_of(ops: list[Op], about: dict[str, str], quantized: Quantized | None = None) -> dict[str, str]:
    """Name -> content of ppg_network.h and ppg_network.c, in int8 where a model's numbers are given."""
    kind = "float32" if quantized is None else "int8"
    calls, constants, size = _float32(ops) if quantized is None else _int8(ops, quantized)
    column = max(-(-op.weight[0].size // 4) * 4 for op in ops if op.kind in ("conv", "linear"))
    told = "".join(f"   {key}: {value}\n" for key, value in about.items()).replace("*/", "* /")
    header = f"""/* A network that tells heart rates, made by ppglib.
{told}*/
#ifndef PPG_NETWORK_H
#define PPG_NETWORK_H

#define PPG_RATE {RATE} /* Hz, of a window */
#define PPG_SAMPLES {LENGTH}
#define PPG_BINS {BINS} /* of 1 BPM each */
#define PPG_LOWEST {LOWEST} /* BPM */

/* Logits of one filtered window whose mean is 0 and whose standard deviation is 1. Not to be called twice at once. */
void ppg_logits(const float window[PPG_SAMPLES], float logits[PPG_BINS]);

#endif
"""
    acle = "\n#if defined(__ARM_FEATURE_DSP)\n#include <arm_acle.h>\n#endif" if quantized else ""
    element = "float" if quantized is None else "int8_t"
    source = f"""#include <stdint.h>
#include <string.h>{acle}

#include "ppg_network.h"

#define PPG_COLUMN {column}

{(PARTS / f"{kind}.c").read_text()}
{chr(10).join(constants)}

void ppg_logits(const float window[PPG_SAMPLES], float logits[PPG_BINS])
{{
    static {element} arena[{size}];
{chr(10).join(f"    {call};" for call in calls)}
}}
"""
    return {"ppg_network.h": header, "ppg_network.c": source}


def arena(ops: list[Op], given: dict[str, int]) -> tuple[dict[str, int], int]:
    """Where each map begins in one array, and its length in numbers: the first gap among those that live meanwhile.

    given: maps that are there before the first operation, and their lengths. The output lies outside."""
    sizes = given | {op.output: op.shape[0] * op.shape[1] for op in ops[:-1]}
    born = {op.output: i for i, op in enumerate(ops)}
    last = {name: i for i, op in enumerate(ops) for name in op.inputs}
    same = {op.output: op.inputs[0] for op in ops if op.kind == "add"}  # in place
    last |= {before: last[after] for after, before in same.items()}
    place: dict[str, int] = {}
    for name, size in sizes.items():
        if name in same:
            place[name] = place[same[name]]
            continue
        at = 0
        for begin, end in sorted((place[o], place[o] + sizes[o]) for o in place if last[o] >= born.get(name, -1)):
            if at + size <= begin:
                break
            at = max(at, end)
        place[name] = at
    return place, max(place[name] + sizes[name] for name in place)


def number(value: float) -> str:
    """As C: the shortest text that float32 reads back to the same number."""
    text = np.format_float_positional(np.float32(value), trim="0") if 1e-4 < abs(value) < 1e6 else f"{np.float32(value):.9g}"
    return text + ("f" if "." in text or "e" in text else ".0f")


def _float32(ops: list[Op]) -> tuple[list[str], list[str], int]:
    """Calls, constants, and numbers in the arena."""
    at, size = arena(ops, {})
    name_of = {name: f"arena + {begin}" for name, begin in at.items()} | {INPUT: "window", OUTPUT: "logits"}
    calls, constants = [], []
    for op, (x, length, inputs), y, (moments, outputs) in _walk(ops, name_of):
        name = op.output
        if op.kind in ("conv", "linear"):
            by_four = np.pad(_rows(op.weight), ((0, -outputs % 4), (0, 0))).reshape(-1, 4, _rows(op.weight).shape[1])
            constants += [_array("float", f"{name}_weight", by_four.transpose(0, 2, 1))]
            constants += [_array("float", f"{name}_bias", np.pad(op.bias, (0, -outputs % 4)))]
            how = f"{name}_weight, {name}_bias, {op.weight.shape[2]}, {op.stride}, {op.dilation}, {int(op.relu)}"
            calls.append(f"conv({x}, {length}, {inputs}, {y}, {moments}, {outputs}, {how})")
        elif op.kind == "scale":
            constants += [_array("float", f"{name}_weight", op.weight), _array("float", f"{name}_bias", op.bias)]
            calls.append(f"scale({x}, {y}, {moments}, {outputs}, {name}_weight, {name}_bias)")
        elif op.kind == "add":
            calls.append(f"add({x}, {length}, {inputs}, {y}, {moments}, {outputs}, {op.stride}, {op.before})")
        else:
            calls.append(f"mean({x}, {length}, {inputs}, {y})")
    return calls, constants, size


def _int8(ops: list[Op], quantized: Quantized) -> tuple[list[str], list[str], int]:
    at, size = arena(ops, {INPUT: LENGTH})
    name_of = {name: f"arena + {begin}" for name, begin in at.items()} | {OUTPUT: "logits"}
    step, zero = ({name: pair[i] for name, pair in quantized.maps.items()} for i in (0, 1))
    calls, constants = [f"quantize(window, {LENGTH}, {number(step[INPUT])}, {zero[INPUT]}, {name_of[INPUT]})"], []
    for op, (x, length, inputs), y, (moments, outputs) in _walk(ops, name_of):
        name, source = op.output, op.inputs[-1]
        if op.kind in ("conv", "scale"):
            scale = step[source] * quantized.steps[name].astype(np.float64)  # of the sums
            bias, even = np.rint(op.bias / scale).astype(np.int64), -outputs % 2 if op.kind != "scale" else 0
            constants.append(_array("int32_t", f"{name}_bias", np.pad(bias, (0, even))))
            weight = quantized.weights[name].reshape(op.weight.shape)
            weight = weight if op.kind == "scale" else _by_four(np.pad(_rows(weight), ((0, even), (0, 0))))
            constants.append(_array("int8_t", f"{name}_weight", weight))
            multiplier, shift = _fixed(name, scale / step[name])
            constants += [_array("int32_t", f"{name}_multiplier", multiplier), _array("int8_t", f"{name}_shift", shift)]
        if op.relu and zero[name] != -128:
            raise InputError(f"The zero of {name}, which a ReLU ends, is {zero[name]} and not -128: quantize by this library.")
        arrays = f"{name}_weight, {name}_bias, {name}_multiplier, {name}_shift"
        if op.kind == "conv":
            how = f"{zero[name]}, {arrays}, {op.weight.shape[2]}, {op.stride}, {op.dilation}"
            calls.append(f"conv({x}, {length}, {inputs}, {zero[source]}, {y}, {moments}, {outputs}, {how})")
        elif op.kind == "scale":
            calls.append(f"scale({x}, {zero[source]}, {y}, {zero[name]}, {moments}, {outputs}, {arrays})")
        elif op.kind == "add":
            other, own = (round(step[s] / step[name] * 2**FACTOR) for s in (source, op.inputs[0]))
            if max(other, own) > 4 * 2**FACTOR:
                raise InputError(f"What is added to {name} is much coarser than the sum: calibrate on other windows.")
            summand = f"{y}, {moments}, {outputs}, {zero[op.inputs[0]]}, {own}, {zero[name]}"
            how = f"{summand}, {op.stride}, {op.before}"
            calls.append(f"add({x}, {length}, {inputs}, {zero[source]}, {other}, {how})")
        elif op.kind == "mean":
            (multiplier,), (shift,) = _fixed(name, np.array([step[source] / length / step[name] / 64]))
            calls.append(f"mean({x}, {length}, {inputs}, {zero[source]}, {y}, {zero[name]}, {multiplier}, {shift})")
        else:
            row = np.abs(op.weight).max(axis=(1, 2)).astype(np.float64) / HEAD
            constants.append(_array("int16_t", f"{name}_weight", np.rint(op.weight / row[:, None, None])))
            constants.append(_array("float", f"{name}_scale", step[source] * row))
            constants.append(_array("float", f"{name}_bias", op.bias))
            calls.append(f"linear({x}, {inputs}, {zero[source]}, {y}, {outputs}, {name}_weight, {name}_bias, {name}_scale)")
    return calls, constants, size


def _walk(ops: list[Op], name_of: dict[str, str]) -> Iterator[tuple]:
    """Each operation, its input as C, with moments and channels, its output as C, and its shape."""
    shapes = {INPUT: (LENGTH, 1)} | {op.output: op.shape for op in ops}
    for op in ops:
        source = op.inputs[-1]
        yield op, (name_of[source], *shapes[source]), name_of[op.output], op.shape


def _rows(weight: np.ndarray) -> np.ndarray:
    """(O, I, K) -> (O, K x I), as a column of a map lies."""
    return weight.transpose(0, 2, 1).reshape(len(weight), -1)


def _by_four(rows: np.ndarray) -> np.ndarray:
    """Rows as int8.c wants them: filled up to fours, in each of which second and third change places."""
    fours = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).reshape(len(rows), -1, 4)
    return fours[..., [0, 2, 1, 3]]


def _fixed(name: str, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """multiplier in [2^30, 2^31) and shift >= 1, so that factor = multiplier / 2^(32 + shift); 0 for next to nothing."""
    if factors.max() >= 0.2499:
        raise InputError(f"The numbers of {name} are finer than the sums that they are made of: calibrate on other windows.")
    mantissa, exponent = np.frexp(factors)
    multiplier = np.minimum(np.rint(mantissa * 2.0**31), 2**31 - 1).astype(np.int64)
    shift = -1 - exponent
    return np.where(shift > 30, 0, multiplier), np.clip(shift, 1, 30)


def _array(kind: str, name: str, values: np.ndarray) -> str:
    texts = [number(v) if kind == "float" else str(int(v)) for v in np.ravel(values)]
    lines = [", ".join(texts[i : i + 12]) for i in range(0, len(texts), 12)]
    return f"static const {kind} {name}[{len(texts)}] = {{\n    " + ",\n    ".join(lines) + "};"
