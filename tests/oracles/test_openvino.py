"""The definition in reference.py against a second, independent engine: OpenVINO's BinaryConvolution.

OpenVINO is right for channels in eights only, and its sign of 0 is -1: inputs here are never 0.
"""

import itertools

import numpy as np
import pytest

from b2nn_tvm.targets.target import get
from tests.support.oracles.cases import cases

openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install 'b2nn-tvm[bench]'")


@pytest.mark.parametrize(
    ("channels", "step"),
    [
        (96, 1),
        *(pytest.param(*each, marks=pytest.mark.sweep) for each in ((8, 1), (24, 1), (32, 1), (128, 1), (3072, 5))),
    ],
)
def test_the_definition_agrees_with_openvino(channels, step):
    most = 2 if get("x86-avx512").missing else 4  # its kernels refuse more padding than they hold pixels
    for case in itertools.islice(cases(channels, (0, 1, -1), zeros=False, same=False, most=most), 0, None, step):
        np.testing.assert_array_equal(case.expected(), binary_convolution(case), err_msg=case.name)


def binary_convolution(case):
    from openvino import opset1

    w, (top, left, bottom, right) = case.workload, case.workload.padding
    bits = np.packbits(
        (case.weight > 0).reshape(-1), bitorder="little"
    )  # OpenVINO refers to this memory: it outlives the call
    data = opset1.parameter(list(case.x.shape), np.float32)
    low, high = np.float32(-1), np.float32(1)
    signs = opset1.fake_quantize(data, low, high, low, high, 2)
    filters = openvino.op.Constant(openvino.Tensor(bits, openvino.Shape(list(case.weight.shape)), openvino.Type.u1))
    node = opset1.binary_convolution(
        signs,
        filters,
        list(w.stride),
        [top, left],
        [bottom, right],
        list(w.dilation),
        "xnor-popcount",
        float(case.pad_value),
    )
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    compiled = openvino.Core().compile_model(openvino.Model([node], [data]), "CPU", options)
    return compiled([case.x])[0].astype(np.int64)
