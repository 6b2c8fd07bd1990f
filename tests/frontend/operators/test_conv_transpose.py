"""Transposed convolutions equal onnxruntime's, with every attribute, and are layers with names."""

import pytest
from onnx import helper

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import assert_agree, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((2, 6, 5, 4))
LINE = random_input((2, 6, 7), 1)
CONSTANTS = {
    "w3": random_input((6, 4, 3, 3), 2),
    "w2": random_input((6, 4, 2, 2), 3),
    "w43": random_input((6, 5, 4, 3), 4),
    "grouped": random_input((6, 2, 3, 3), 5),
    "depthwise": random_input((6, 1, 4, 4), 6),
    "line": random_input((6, 3, 4), 7),
    "bias": random_input((4,), 8),
    "bias3": random_input((3,), 9),
    "c": random_input((6, 6, 1, 1), 10),
}


def over(weight: str, bias: str = "", **attributes: object) -> tuple:
    return "ConvTranspose", ["h", weight, bias] if bias else ["h", weight], attributes


NODES = {
    "plain": over("w3"),
    "doubling": over("w2", "bias", strides=[2, 2]),
    "decoder": over("w3", "bias", strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    "text_detector": over("w2", "bias", strides=[2, 2], group=1),
    "uneven": over("w43", strides=[3, 2], pads=[2, 0, 1, 1], output_padding=[2, 1]),
    "dilated": over("w3", strides=[2, 3], dilations=[2, 2], pads=[1, 2, 0, 1]),
    "gaps": over("w2", strides=[3, 3]),
    "groups": over("grouped", "bias", strides=[2, 2], group=2),
    "depthwise_doubling": over("depthwise", strides=[2, 2], pads=[1, 1, 1, 1], group=6),
    "same_upper": over("w3", auto_pad="SAME_UPPER", strides=[2, 2]),
    "same_lower": over("w43", auto_pad="SAME_LOWER", strides=[2, 2]),
    "valid": over("w3", auto_pad="VALID", strides=[2, 2]),
    "output_shape": over("w3", strides=[2, 2], output_shape=[10, 8]),
    "larger_output_shape": over("w3", strides=[3, 3], output_shape=[13, 11]),
    "output_shape_same_upper": over("w3", strides=[2, 2], output_shape=[10, 9], auto_pad="SAME_UPPER"),
    "lines": ("ConvTranspose", ["lines", "line", "bias3"], {"strides": [2], "pads": [1, 1]}),
}


def test_equals_onnxruntime(tmp_path):
    inputs = {"x": X, "lines": LINE}
    nodes = {f"y_{name}": node for name, node in NODES.items()}
    before = [helper.make_node("Conv", ["x", "c"], ["h"])]  # so that the layout is that of convolutions
    assert_agree(tmp_path, operators_model(nodes, inputs, CONSTANTS, before=before), inputs)


def test_is_a_layer_of_its_name(tmp_path):
    model = operators_model({"y": ("ConvTranspose", ["x", "w2"], {"strides": [2, 2]})}, {"x": X}, CONSTANTS)
    model.graph.node[0].name = "upsample"
    (layer,) = import_onnx(save(tmp_path, model)).layers
    assert layer.name == "upsample" and layer.kind == "conv2d" and layer.digest


@pytest.mark.parametrize(
    ("attributes", "error", "match"),
    [
        ({"pads": [9, 9, 9, 9]}, InputError, "its result would be of the size"),
        ({"output_shape": [11, 9]}, UnsupportedError, "output_shape is supported for constant weights"),
    ],
)
def test_what_is_refused(attributes, error, match, tmp_path):
    weights = {"x": X, **({"w3": CONSTANTS["w3"]} if error is UnsupportedError else {})}
    node = {"y": ("ConvTranspose", ["x", "w3"], attributes)}
    constants = {} if error is UnsupportedError else CONSTANTS
    model = operators_model(node, weights, constants)
    with pytest.raises(error, match=match):
        import_onnx(save(tmp_path, model))
