"""The int8 form of a float ONNX file as onnxruntime makes it, to compare libraries with; OpenVINO reads it, too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np


def quantize_int8(path: Path, output: Path, samples: Iterable[dict[str, np.ndarray]]) -> Path:
    """Write the static int8 form (QDQ) of the float ONNX file ``path``: signed weights per channel, unsigned
    activations, whose ranges are those on the ``samples``.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Samples(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._samples = iter(samples)

        def get_next(self) -> dict[str, np.ndarray] | None:
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
