"""8-bit layers compiled for ARM, run under QEMU as the CPU of the board, give the integers of the reference."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.reference.int8 import int8_conv2d, quantize
from b2nn_tvm.targets.target import get
from tests.support.networks.onnx_models import model, save

pytestmark = pytest.mark.emulated

# in channels, out channels, kernel, stride, pads (top, left, bottom, right), dilation, groups, zero point
CASES = {
    "3x3 of an image": (3, 20, 3, 1, (1, 1, 1, 1), 1, 1, 0),
    "lopsided, with a zero point": (18, 33, 3, 2, (0, 1, 2, 0), 1, 1, 131),
    "dilated": (20, 16, 3, 1, (2, 2, 2, 2), 2, 1, 7),
    "7x7 of stride 2": (3, 12, 7, 2, (3, 3, 3, 3), 1, 1, 3),
    "weights of -128": (36, 12, 3, 1, (1, 1, 1, 1), 1, 1, 0),
    "1x1": (65, 40, 1, 1, (0, 0, 0, 0), 1, 1, 0),
    "depthwise": (24, 24, 3, 1, (1, 1, 1, 1), 1, 24, 9),
    "depthwise, weights of -128": (16, 16, 3, 2, (1, 1, 1, 1), 1, 16, 0),
    "wide groups": (16, 24, 3, 1, (1, 1, 1, 1), 1, 2, 5),
    "groups": (12, 16, 3, 1, (1, 1, 1, 1), 1, 4, 0),
    "groups of whole vectors": (16, 24, 3, 2, (1, 0, 1, 1), 1, 2, 5),
}


@pytest.mark.sweep
@pytest.mark.parametrize("target", ["rpi5", "arm", "armv7"])
def test_convolutions_are_exact(tmp_path, run_emulated, target):
    """All cases side by side in one network, with scales of 1: the results are the sums, whole numbers below 2^24."""
    rng, nodes, constants, inputs, outputs, expected, images = np.random.default_rng(0), [], {}, [], [], [], {}
    constants["one"] = np.float32(1)
    for index, (name, case) in enumerate(CASES.items()):
        channels, filters, kernel, stride, pads, dilation, groups, zero = case
        weight = rng.integers(-127, 128, (filters, channels // groups, kernel, kernel)).astype(np.int8)
        if "-128" in name:  # which meet neighbouring codes of 0, the least ones
            weight[rng.random(weight.shape) < 0.5] = -128
        x = rng.integers(-40, 300, (1, channels, 9, 10)).astype(np.float32) - zero
        constants |= {f"w{index}": weight, f"z{index}": np.uint8(zero), f"s{index}": np.ones(filters, np.float32)}
        attributes = (
            f"strides = [{stride}, {stride}], pads = {list(pads)}, dilations = [{dilation}, {dilation}], "
            f"group = {groups}"
        )
        nodes.append(f"""q{index} = QuantizeLinear (x{index}, one, z{index})
            d{index} = DequantizeLinear (q{index}, one, z{index})
            f{index} = DequantizeLinear <axis = 0> (w{index}, s{index})
            y{index} = Conv <{attributes}> (d{index}, f{index})""")
        inputs.append(f"float[1,{channels},9,10] x{index}")
        geometry = {"stride": (stride, stride), "padding": pads, "dilation": (dilation, dilation), "groups": groups}
        codes = quantize(x, 1, zero).astype(np.uint8)
        expected.append(int8_conv2d(codes, weight, zero=zero, **geometry))
        outputs.append(f"float y{index}")
        images[f"x{index}"] = x
    built = model("\n".join(nodes), constants, inputs=", ".join(inputs), outputs=", ".join(outputs))
    artifact = compile_model(save(tmp_path, built), target=target, output=tmp_path / "net", verify=False)
    assert [row.precision for row in artifact.layers if row.op == "conv2d"] == ["int8"] * len(CASES)
    artifact.close()
    results = run_emulated(tmp_path / "net", images, cpu=get(target).emulator, threads=2)
    for index, sums in enumerate(expected):
        np.testing.assert_array_equal(results[f"y{index}"], sums)
