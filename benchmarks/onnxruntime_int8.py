"""The int8 form of a float ONNX file as onnxruntime makes it, which OpenVINO reads, too."""

from __future__ import annotations

from pathlib import Path

from inputs import random_input

CALIBRATION_SAMPLES = 8


def quantize(path: Path, output: Path) -> Path:
    """Write the static int8 form (QDQ): signed weights per channel, unsigned activations, ranges from sample inputs."""
    from onnxruntime import InferenceSession
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    spec = InferenceSession(str(path), providers=["CPUExecutionProvider"]).get_inputs()[0]

    class Samples(CalibrationDataReader):
        def __init__(self):
            self._samples = iter(
                [{spec.name: random_input(spec.shape, seed=s)} for s in range(1, 1 + CALIBRATION_SAMPLES)]
            )

        def get_next(self):
            return next(self._samples, None)

    prepared = output.with_suffix(".prepared.onnx")
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(output),
        Samples(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return output
