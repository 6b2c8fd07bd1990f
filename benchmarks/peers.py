"""The engines, as calls that can be timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import b2nn_tvm
from b2nn_tvm.deploy.library import aligned_empty


def onnxruntime_call(path: Path, inputs: dict[str, np.ndarray], *, threads: int) -> Callable[[], object]:
    """One inference of an ONNX file in onnxruntime's CPU engine, float32, all its graph optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)


def b2nn_call(folder: Path, inputs: dict[str, np.ndarray], *, threads: int) -> Callable[[], object]:
    """One inference of a compiled library, from and to arrays that it uses in place."""
    artifact = b2nn_tvm.load(folder)
    given = []
    for spec in artifact.inputs:
        array = aligned_empty(spec.shape, spec.dtype)
        array[...] = inputs[spec.name]
        given.append(array)
    results = [aligned_empty(spec.shape, spec.dtype) for spec in artifact.outputs]
    instance = artifact.instance(threads=threads)
    return lambda: instance.run(given, results)
