"""The engines, as factories of calls that can be timed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np


def random_input(shape: tuple[int, ...]) -> np.ndarray:
    """The input of every measurement: standard normal, always the same."""
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def b2nn_call(folder: Path, *, threads: int) -> Callable[[], object]:
    """One inference of a compiled library, from and to arrays that it uses in place."""
    import b2nn_tvm
    from b2nn_tvm.deploy.library import aligned_empty

    artifact = b2nn_tvm.load(folder)
    given = [aligned_empty(spec.shape, spec.dtype) for spec in artifact.inputs]
    for array in given:
        array[...] = random_input(array.shape)
    results = [aligned_empty(spec.shape, spec.dtype) for spec in artifact.outputs]
    instance = artifact.instance(threads=threads)
    return lambda: instance.run(given, results)


def onnxruntime_call(path: Path, *, threads: int) -> Callable[[], object]:
    """One inference of an ONNX file in onnxruntime's CPU engine with all its graph optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    spec = session.get_inputs()[0]
    inputs = {spec.name: random_input(tuple(spec.shape))}
    return lambda: session.run(None, inputs)


def quantize(path: Path, output: Path) -> Path:
    """The int8 form of a float ONNX file (QDQ, per channel, calibrated on random input), as onnxruntime makes it."""
    from onnxruntime import InferenceSession
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    spec = InferenceSession(str(path), providers=["CPUExecutionProvider"]).get_inputs()[0]

    class Samples(CalibrationDataReader):
        def __init__(self):
            self._samples: Iterable[dict] = iter([{spec.name: random_input(tuple(spec.shape))}] * 2)

        def get_next(self):
            return next(self._samples, None)

    prepared = output.with_suffix(".prepared.onnx")
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared), str(output), Samples(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return output
