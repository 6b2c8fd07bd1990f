"""The operators of binary networks: their convolutions, and Sign."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm import reference
from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.passes.canonicalize.classify_convs import classify_convs
from b2nn_tvm.passes.pipeline import canonicalize
from b2nn_tvm.provenance.layer_names import weight_digest
from tests.support.networks.imported import SIGNS, imported, names_by_weights
from tests.support.networks.onnx_models import BINARY_CONV2D, model, onnxruntime_output, save
from tests.support.passes.compile_context import apply_stage
from tests.support.passes.relax_functions import random_input, random_signs, run

SIGN_NET = "s = Sign (input) output = Conv (s, w)"


def test_sign_is_zero_at_zero_unless_the_option_says_otherwise(tmp_path):
    x = np.zeros((1, 4, 6, 5), np.float32)
    for option, value in ((None, 0), ("+1", 1), ("-1", -1)):
        found = imported(tmp_path, "output = Sign (input)", import_options={"sign_zero": option})
        for mod in (found.module, apply_stage(canonicalize, found.module)):
            np.testing.assert_array_equal(run(mod, x), np.full_like(x, value))


def test_a_sign_that_stays_float_keeps_nan(tmp_path):
    x = np.full((1, 4, 6, 5), np.nan, np.float32)
    x[0, 0, 0] = [-np.inf, -2, -0.0, 1e-45, np.inf]
    np.testing.assert_array_equal(run(imported(tmp_path, "output = Sign (input)").module, x), np.sign(x))


def test_a_convolution_of_a_ternary_sign_stays_float_and_says_why(tmp_path):
    found = imported(tmp_path, SIGN_NET, {"w": SIGNS})
    (conv,) = classify_convs(apply_stage(canonicalize, found.module), layers=found.layers)
    assert not conv.binary
    assert "its input comes from Sign, and Sign(0) = 0: pass sign_zero='+1' if" in conv.reason


@pytest.mark.parametrize("option", ["+1", "-1"])
def test_with_the_option_the_convolution_is_binary(option, tmp_path):
    found = imported(tmp_path, SIGN_NET, {"w": SIGNS}, import_options={"sign_zero": option})
    (conv,) = classify_convs(apply_stage(canonicalize, found.module), layers=found.layers)
    assert conv.binary


PACKED = np.packbits(SIGNS.transpose(0, 2, 3, 1) > 0, axis=-1, bitorder="little")


GOOD = {"w": PACKED, "s": np.ones(3, np.float32), "t": np.zeros(4, np.float32)}


def binary_node(**attributes):
    given = {
        "kernel_shape": [3, 3],
        "strides": [1, 1],
        "pads": [0, 0, 0, 0],
        "pad_value": 0.0,
        "channels": 4,
        **attributes,
    }
    text = ", ".join(f"{key} = {value}" for key, value in given.items() if value is not None)
    return f"output = b2nn.BinaryConv2d <{text}> (input, w, s, t)"


def test_a_binary_convolution_without_function_body_or_thresholds(tmp_path):
    found = imported(tmp_path, binary_node(dilations=None), GOOD)
    (conv,) = classify_convs(found.module, layers=found.layers)
    assert conv.binary and conv.name == "BinaryConv2d_0"
    assert names_by_weights(found) == {weight_digest(SIGNS): ["BinaryConv2d_0"]}
    assert "R.subtract" not in found.module.script()


@pytest.mark.parametrize(
    ("attributes", "constants", "text"),
    [
        ({"kernel_shape": None}, {}, "kernel_shape is 2 integers of at least 1, but None came"),
        ({"strides": [0, 1]}, {}, "strides is 2 integers of at least 1"),
        ({"pads": [1, 1]}, {}, "pads is 4 integers of at least 0"),
        ({"pads": [1, 1, -1, 0]}, {}, "pads is 4 integers of at least 0"),
        ({"pad_value": 0.5}, {}, "pad_value is 0, 1 or -1, not 0.5"),
        ({"channels": None}, {}, "channels is 1 integers of at least 1"),
        ({"channels": 5}, {}, r"x is float32 \[N, 5, H, W\], but float32 \[1, 4, 6, 5\] came"),
        ({"kernel_shape": [3, 5]}, {}, r"weight is uint8 \[O, 3, 5, 1\], but uint8 \[3, 3, 3, 1\] came"),
        ({}, {"w": PACKED.astype(np.int8)}, r"weight is uint8 \[O, 3, 3, 1\], but int8"),
        ({}, {"w": PACKED | 16}, "the unused bits of weight behind its 4 channels are 0"),
        ({}, {"s": np.ones(4, np.float32)}, r"scale is float32 \[3\] and finite, but float32 \[4\] came"),
        ({}, {"t": np.full(4, np.nan, np.float32)}, r"threshold is float32 \[4\] and finite"),
    ],
)
def test_binary_convolutions_that_are_not_as_agreed(attributes, constants, text, tmp_path):
    with pytest.raises(InputError, match=f"node 'BinaryConv2d_0' .*{text}"):
        imported(tmp_path, binary_node(**attributes), {**GOOD, **constants})


def test_a_binary_convolution_in_groups(tmp_path):
    x = random_input((1, 32, 6, 5))
    signs = random_signs((6, 16, 3, 3))
    packed = np.packbits(signs.transpose(0, 2, 3, 1) > 0, axis=-1, bitorder="little")
    constants = {"w": packed, "s": np.full(6, 0.5, np.float32), "t": np.zeros(32, np.float32)}
    node, inputs = binary_node(channels=16, group=2), "float[1,32,6,5] input"
    found = imported(tmp_path, node, constants, inputs=inputs)
    sums = reference.binary_conv2d(reference.sign(x), signs, groups=2)
    np.testing.assert_array_equal(run(found.module, x), 0.5 * sums)
    with pytest.raises(InputError, match="the same number of filters in each of 4 groups, but 6 came"):
        imported(tmp_path, binary_node(channels=8, group=4), {**constants, "w": packed[..., :1]}, inputs=inputs)


def test_a_binary_convolution_with_computed_weights_or_missing_inputs(tmp_path):
    inputs = "float[1,4,6,5] input, uint8[3,3,3,1] w"
    with pytest.raises(InputError, match="its weight is an initializer or a constant"):
        imported(tmp_path, binary_node(), {"s": GOOD["s"], "t": GOOD["t"]}, inputs=inputs)
    with pytest.raises(InputError, match="has the inputs x, weight, scale and threshold, but 3 came"):
        imported(tmp_path, binary_node().replace(", t)", ")"), GOOD)


def test_a_weight_binary_convolution_is_one_of_its_input(tmp_path):
    """Its border has the padding value of the floats, its scale stands behind it; no threshold, no sign."""
    nodes = (
        binary_node(pad_value=-1.0, pads=[1, 0, 2, 1], dilations=[1, 2])
        .replace("BinaryConv2d", "WeightBinaryConv2d")
        .replace(", t)", ")")
    )
    found = imported(tmp_path, nodes, {name: GOOD[name] for name in "ws"})
    (conv,) = classify_convs(found.module, layers=found.layers)
    assert conv.weight_binary and conv.name == "WeightBinaryConv2d_0"
    x = random_input((1, 4, 6, 5))
    geometry = {"padding": (1, 0, 2, 1), "dilation": (1, 2), "pad_value": -1}
    expected = reference.weight_binary_conv2d(x, SIGNS, GOOD["s"], **geometry)
    np.testing.assert_allclose(run(found.module, x), expected, rtol=1e-6)
    with pytest.raises(InputError, match="has the inputs x, weight and scale, but 4 came"):
        imported(tmp_path, nodes.replace(", s)", ", s, t)"), GOOD)


@pytest.mark.parametrize("channels", [1, 3, 31, 32, 33, 63, 64, 65, 128])
def test_any_number_of_channels(channels, tmp_path):
    signs = random_signs((2, channels, 1, 1))
    constants = {
        "w": np.packbits(signs.transpose(0, 2, 3, 1) > 0, axis=-1, bitorder="little"),
        "s": np.ones(2, np.float32),
        "t": np.zeros(channels, np.float32),
    }
    nodes = binary_node(kernel_shape=[1, 1], dilations=[1, 1], channels=channels)
    path = save(tmp_path, model(nodes, constants, inputs=f"float[1,{channels},3,3] input", functions=BINARY_CONV2D))
    x = random_input((1, channels, 3, 3))
    np.testing.assert_array_equal(run(import_onnx(path).module, x), onnxruntime_output(path, x))
