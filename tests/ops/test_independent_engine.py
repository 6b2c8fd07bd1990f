"""The definition in reference.py against a second, independent engine: OpenVINO's BinaryConvolution.

OpenVINO is right for channels in eights only, and its sign of 0 is -1: inputs here are never 0.
"""

import itertools

import numpy as np
import pytest

from b2nn_tvm import reference

openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install 'b2nn-tvm[bench]'")

CHANNELS = (8, 16, 32, 64, 96, 128)
VARIANTS = tuple(itertools.product((1, 3, 5), (1, 2), (1, 2), (0, 1, -1)))  # kernel, stride, dilation, pad value


@pytest.mark.parametrize("channels", CHANNELS)
def test_the_definition_agrees_with_openvino(channels):
    for index, (kernel, stride, dilation, pad_value) in enumerate(VARIANTS):
        rng = np.random.default_rng([channels, index])
        outputs = (1, 3, 16, 33)[index % 4]
        pad = dilation * (kernel - 1) // 2
        x = rng.uniform(0.1, 1, (1 + index % 3, channels, 9, 8)).astype(np.float32) * rng.choice([-1, 1])
        x *= rng.choice(np.array([-1, 1], np.float32), x.shape)
        weight = reference.sign(rng.standard_normal((outputs, channels, kernel, kernel)))
        theirs = binary_convolution(x, weight, stride=stride, pad=pad, dilation=dilation, pad_value=pad_value)
        ours = reference.binary_conv2d(
            reference.sign(x), weight, stride=(stride, stride), padding=(pad,) * 4, dilation=(dilation,) * 2, pad_value=pad_value
        )
        np.testing.assert_array_equal(ours, theirs, err_msg=f"{VARIANTS[index]} with {outputs} outputs")


def binary_convolution(x, weight, *, stride, pad, dilation, pad_value):
    from openvino import opset1

    bits = np.packbits((weight > 0).reshape(-1), bitorder="little")  # OpenVINO refers to this memory: it outlives the call
    data = opset1.parameter(list(x.shape), np.float32)
    low, high = np.float32(-1), np.float32(1)
    signs = opset1.fake_quantize(data, low, high, low, high, 2)
    filters = openvino.op.Constant(openvino.Tensor(bits, openvino.Shape(list(weight.shape)), openvino.Type.u1))
    node = opset1.binary_convolution(
        signs, filters, [stride] * 2, [pad] * 2, [pad] * 2, [dilation] * 2, "xnor-popcount", float(pad_value)
    )
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    compiled = openvino.Core().compile_model(openvino.Model([node], [data]), "CPU", options)
    return compiled([x])[0].astype(np.int64)
