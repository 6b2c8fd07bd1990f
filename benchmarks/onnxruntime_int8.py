"""The int8 form of a float ONNX file as onnxruntime makes it from random inputs, which OpenVINO reads, too."""

from __future__ import annotations

from pathlib import Path

from inputs import random_input

from b2nn_tvm.verification.quantize_int8 import quantize_int8

CALIBRATION_SAMPLES = 8


def quantize(path: Path, output: Path) -> Path:
    """Write the static int8 form, with ranges from sample inputs."""
    from onnxruntime import InferenceSession

    spec = InferenceSession(str(path), providers=["CPUExecutionProvider"]).get_inputs()[0]
    samples = ({spec.name: random_input(spec.shape, seed=s)} for s in range(1, 1 + CALIBRATION_SAMPLES))
    return quantize_int8(path, output, samples)
