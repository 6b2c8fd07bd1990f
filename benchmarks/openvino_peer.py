"""OpenVINO: its own binary convolution, and float32 and int8 networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from b2nn_tvm.workload import ConvWorkload


def binary_conv_call(workload: ConvWorkload, signs: np.ndarray, x: np.ndarray, *, threads: int) -> Callable[[], np.ndarray]:
    """One binary convolution, float in, float out: FakeQuantize with two levels, BinaryConvolution padded with 0.

    ``signs`` [O, C, kh, kw] are -1 and +1 with C a multiple of 8 (else OpenVINO is silently wrong); x is NCHW.
    """
    import openvino
    from openvino import opset1

    bits = np.packbits((signs > 0).reshape(-1), bitorder="little")
    data = opset1.parameter(list(x.shape), np.float32)
    low, high = np.float32(-1), np.float32(1)
    quantized = opset1.fake_quantize(data, low, high, low, high, 2)
    tensor = openvino.Tensor(bits, openvino.Shape(list(signs.shape)), openvino.Type.u1)
    weights = openvino.op.Constant(tensor)
    top, left, bottom, right = workload.padding
    node = opset1.binary_convolution(
        quantized, weights, list(workload.stride), [top, left], [bottom, right], list(workload.dilation), "xnor-popcount", 0.0
    )
    model = openvino.Model([node], [data])
    call = _call(openvino.Core().compile_model(model, "CPU", _options(threads)), x)
    call.keep = bits  # OpenVINO refers to this memory, it does not copy it
    return call


def model_call(path: Path, x: np.ndarray, *, threads: int, precision: str = "f32") -> Callable[[], np.ndarray]:
    """One inference of an ONNX network; without the precision hint OpenVINO would take bfloat16 where the CPU has it."""
    import openvino

    options = {**_options(threads), "INFERENCE_PRECISION_HINT": precision}
    return _call(openvino.Core().compile_model(str(path), "CPU", options), x)


def _options(threads: int) -> dict[str, str]:
    return {"INFERENCE_NUM_THREADS": str(threads), "NUM_STREAMS": "1", "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}


class _call:
    def __init__(self, compiled, x: np.ndarray):
        self._request = compiled.create_infer_request()
        self._x = x

    def __call__(self) -> np.ndarray:
        results = self._request.infer([self._x], share_inputs=True, share_outputs=True)
        return results[0]
