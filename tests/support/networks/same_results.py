"""A model before and after a step of the frontend computes the same in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime


def run(built: onnx.ModelProto, *inputs: np.ndarray) -> list[np.ndarray]:
    """The outputs in onnxruntime, without its optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(built.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {spec.name: x for spec, x in zip(session.get_inputs(), inputs, strict=True)})


def image(shape: tuple[int, ...] = (1, 4, 6, 5), seed: int = 0) -> np.ndarray:
    """Normal random numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_same(
    before: onnx.ModelProto, step: Callable[[onnx.ModelProto], None], *inputs: np.ndarray, tolerance: float = 1e-6
) -> onnx.ModelProto:
    """Apply the step to a copy, check it, and compare both in onnxruntime; returns the copy."""
    after = onnx.ModelProto.FromString(before.SerializeToString())
    step(after)
    onnx.checker.check_model(after)
    for got, expected in zip(run(after, *inputs), run(before, *inputs), strict=True):
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
        assert got.dtype == expected.dtype
    return after
