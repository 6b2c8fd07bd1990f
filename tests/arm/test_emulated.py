"""Compiled for ARM, run under QEMU as the CPU of the board: the shipped library gives the reference's integers, bit for
bit, and uses no instruction that the board lacks.
"""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.reference import binary_conv2d, pack, sign
from b2nn_tvm.targets.target import get
from tests.support.networks.onnx_models import BINARY_CONV2D, model, onnxruntime_output, save

pytestmark = pytest.mark.emulated

# in channels, out channels, kernel, strides, pads (top, left, bottom, right), dilations, pad value
CASES = {
    "1x1 one channel": (1, 8, 1, 1, (0, 0, 0, 0), 1, 0),
    "3x3 zero padding": (33, 16, 3, 1, (1, 1, 1, 1), 1, 0),
    "strided, padded with one": (64, 32, 3, 2, (1, 1, 1, 1), 1, 1),
    "lopsided, padded with minus one": (65, 7, 3, 1, (0, 1, 2, 0), 1, -1),
    "dilated": (128, 32, 3, 1, (2, 2, 2, 2), 2, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_binary_convolutions_are_exact(tmp_path, run_emulated, case):
    channels, outputs, kernel, stride, pads, dilation, pad_value = CASES[case]
    generator = np.random.default_rng(1)
    x = generator.standard_normal((1, channels, 9, 10)).astype("float32")
    weight = sign(generator.standard_normal((outputs, channels, kernel, kernel)))
    threshold = generator.uniform(-0.5, 0.5, channels).astype("float32")
    attributes = (
        f"kernel_shape = [{kernel}, {kernel}], strides = [{stride}, {stride}], dilations = [{dilation}, {dilation}], "
        f"pads = {list(pads)}, pad_value = {float(pad_value)}, channels = {channels}"
    )
    constants = {
        "w": pack(weight.transpose(0, 2, 3, 1)),
        "s": np.ones(outputs, np.float32),
        "t": threshold,
    }
    nodes = f"output = b2nn.BinaryConv2d <{attributes}> (input, w, s, t)"
    built = model(nodes, constants, inputs=f"float[1,{channels},9,10] input", functions=BINARY_CONV2D)
    compile_model(save(tmp_path, built), target="arm", output=tmp_path / "net", verify=False).close()
    expected = binary_conv2d(
        sign(x, threshold[:, None, None]),
        weight,
        stride=(stride, stride),
        padding=pads,
        dilation=(dilation, dilation),
        pad_value=pad_value,
    )
    for threads in (1, 3):
        (result,) = run_emulated(tmp_path / "net", {"input": x}, threads=threads).values()
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    "target", ["arm", "armv7", *(pytest.param(name, marks=pytest.mark.sweep) for name in ("rpi3", "rpi4", "rpi5"))]
)
def test_a_mixed_network_agrees_with_onnxruntime(tmp_path, run_emulated, target):
    """A float and a binary convolution, pooling and a dense layer, on the oldest CPU of the target."""
    cpu = get(target).emulator
    generator = np.random.default_rng(2)
    normal = lambda *shape: generator.standard_normal(shape).astype("float32")
    nodes = """
        a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (input, w1, b1)
        b = b2nn.BinaryConv2d <kernel_shape = [3, 3], strides = [2, 2], dilations = [1, 1], pads = [1, 1, 1, 1],
            pad_value = 0.0, channels = 48> (a, w2, s2, t2)
        c = Relu (b)
        d = GlobalAveragePool (c)
        e = Flatten (d)
        output = Gemm (e, w3, b3)
    """
    constants = {
        "w1": normal(48, 3, 3, 3),
        "b1": normal(48),
        "w2": pack(sign(normal(32, 3, 3, 48))),
        "s2": np.abs(normal(32)) / 20,
        "t2": normal(48) / 10,
        "w3": normal(32, 10),
        "b3": normal(10),
    }
    inputs, outputs = "float[1,3,16,16] input", "float[1,10] output"
    path = save(tmp_path, model(nodes, constants, inputs=inputs, outputs=outputs, functions=BINARY_CONV2D))
    x = normal(1, 3, 16, 16)
    compile_model(path, target=target, output=tmp_path / "net", verify=False).close()
    (result,) = run_emulated(tmp_path / "net", {"input": x}, cpu=cpu, threads=2).values()
    expected = onnxruntime_output(path, x)
    assert np.abs(result - expected).max() <= 1e-4 * np.abs(expected).max()
