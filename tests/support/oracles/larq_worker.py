"""Run binary convolutions in Larq Compute Engine: ``larq_worker.py CASES.npz OUTPUTS.npz``, under an interpreter that
has it.

``import larq_compute_engine`` brings in TensorFlow, for its converter. Here each convolution is written as a TFLite
file directly, with the schema that the package ships, and run by its interpreter, a compiled module; so numpy and
flatbuffers are all that is needed besides. An array of CASES is named "<case>/<field of Case>", one of OUTPUTS
"<case>/<kernel>".
"""

from __future__ import annotations

import importlib.util
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import flatbuffers
import numpy as np
from flatbuffers import flexbuffers

KERNELS = ("optimized", "indirect")
SAME, VALID = 0, 1


@dataclass(frozen=True)
class Case:
    """A convolution of the signs of ``x`` float32 [N, H, W, C] with signs ``weight`` [O, C, kh, kw].

    ``same`` pads as TensorFlow's "SAME" does, with ``pad_value`` 0 or 1. The result is dot * scale [O] + bias [O] or,
    where ``threshold`` int32 [O] is not empty, -1 where more than so many bits differ, else +1.
    """

    x: np.ndarray
    weight: np.ndarray
    stride: np.ndarray
    dilation: np.ndarray
    same: np.ndarray
    pad_value: np.ndarray
    scale: np.ndarray
    bias: np.ndarray
    threshold: np.ndarray


def main(cases: str, outputs: str) -> None:
    fields = defaultdict(dict)
    for name, value in np.load(cases).items():
        case, _, field = name.partition("/")
        fields[case][field] = value
    results = {}
    for name, values in fields.items():
        case = Case(**values)
        file = tflite(case)
        for kernel in KERNELS:
            results[f"{name}/{kernel}"] = run(file, case.x, kernel=kernel)
    np.savez(outputs, **results)


def run(file: bytes, x: np.ndarray, *, kernel: str) -> np.ndarray:
    wrapper = _part("tflite/python/interpreter_wrapper_lite.so")
    interpreter = wrapper.LiteInterpreter(file, 1, False, kernel == "indirect", False)
    return interpreter.predict([x])[0]


def tflite(case: Case) -> bytes:
    """The file: LceQuantize -> LceBconv2d [-> LceDequantize]."""
    outputs, channels, kernel_height, kernel_width = case.weight.shape
    batch, height, width, _ = case.x.shape
    out_height = _extent(height, kernel_height, int(case.stride[0]), int(case.dilation[0]), bool(case.same))
    out_width = _extent(width, kernel_width, int(case.stride[1]), int(case.dilation[1]), bool(case.same))
    graph = _Graph(_part("mlir/python/tflite_schema.py"))
    x = graph.tensor(case.x.shape, "FLOAT32")
    y = graph.tensor((batch, out_height, out_width, outputs), "FLOAT32")
    bits = graph.tensor((batch, height, width, -(-channels // 32)), "INT32")
    weight = graph.constant(pack(case.weight.transpose(0, 2, 3, 1)))
    options = {
        "channels_in": channels,
        "dilation_height_factor": int(case.dilation[0]),
        "dilation_width_factor": int(case.dilation[1]),
        "fused_activation_function": 0,
        "pad_values": int(case.pad_value),
        "padding": SAME if case.same else VALID,
        "stride_height": int(case.stride[0]),
        "stride_width": int(case.stride[1]),
    }
    graph.operator("LceQuantize", [x], [bits])
    if case.threshold.size:
        packed = graph.tensor((batch, out_height, out_width, -(-outputs // 32)), "INT32")
        graph.operator("LceBconv2d", [bits, weight, -1, -1, graph.constant(case.threshold)], [packed], options)
        graph.operator("LceDequantize", [packed], [y])
    else:
        graph.operator(
            "LceBconv2d", [bits, weight, graph.constant(case.scale), graph.constant(case.bias), -1], [y], options
        )
    return graph.file(x, y)


def pack(signs: np.ndarray) -> np.ndarray:
    """int32 words of signs along the last axis: a bit is 1 for -1, the first channel in the lowest bit, unused bits
    are 0.
    """
    full = np.zeros((*signs.shape[:-1], -(-signs.shape[-1] // 32) * 32), bool)
    full[..., : signs.shape[-1]] = signs < 0
    return np.packbits(full, axis=-1, bitorder="little").view("<i4")


def _extent(size: int, kernel: int, stride: int, dilation: int, same: bool) -> int:
    return -(-size // stride) if same else (size - (kernel - 1) * dilation - 1) // stride + 1


class _Graph:
    """A TFLite file in the making."""

    def __init__(self, schema: ModuleType):
        self._schema = schema
        self._tensors, self._operators, self._codes = [], [], []
        self._buffers = [schema.BufferT()]  # the first is the one of tensors without data

    def tensor(self, shape: tuple[int, ...], dtype: str) -> int:
        tensor = self._schema.TensorT()
        tensor.shape, tensor.type = np.array(shape, np.int32), getattr(self._schema.TensorType, dtype)
        tensor.name = f"t{len(self._tensors)}".encode()
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def constant(self, value: np.ndarray) -> int:
        index = self.tensor(value.shape, value.dtype.name.upper())
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        self._tensors[index].buffer = len(self._buffers)
        self._buffers.append(buffer)
        return index

    def operator(self, name: str, inputs: list[int], outputs: list[int], options: dict[str, int] | None = None) -> None:
        code, operator = self._schema.OperatorCodeT(), self._schema.OperatorT()
        code.customCode, code.version = name.encode(), 1
        code.builtinCode = code.deprecatedBuiltinCode = self._schema.BuiltinOperator.CUSTOM
        operator.opcodeIndex = len(self._codes)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        builder = flexbuffers.Builder()
        with builder.Map():
            for key, value in (options or {}).items():
                builder.Key(key)
                builder.Int(value)
        operator.customOptions = np.frombuffer(bytes(builder.Finish()), np.uint8)
        self._codes.append(code)
        self._operators.append(operator)

    def file(self, x: int, y: int) -> bytes:
        model, graph = self._schema.ModelT(), self._schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = np.array([x], np.int32), np.array([y], np.int32)
        model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], self._codes, self._buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


@cache
def _part(path: str) -> ModuleType:
    """A module of the package, loaded without the package around it."""
    package = importlib.util.find_spec("larq_compute_engine")
    place = Path(package.submodule_search_locations[0]) / path
    spec = importlib.util.spec_from_file_location(place.stem, place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(*sys.argv[1:])
