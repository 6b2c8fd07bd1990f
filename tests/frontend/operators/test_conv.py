"""Convolutions with every kind of padding equal onnxruntime's."""

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import assert_agree, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((1, 4, 6, 5))
LINE = random_input((1, 4, 7), 1)
CONSTANTS = {
    "w": random_input((3, 4, 3, 3), 2),
    "grouped": random_input((2, 2, 3, 3), 3),
    "line": random_input((3, 4, 3), 4),
    "bias": np.array([1, 2, 3], np.float32),
}


def test_equals_onnxruntime(tmp_path):
    nodes = {
        "same_lower": ("Conv", ["x", "w"], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
        "same_upper": ("Conv", ["x", "w", "bias"], {"auto_pad": "SAME_UPPER"}),
        "valid": ("Conv", ["x", "w"], {"auto_pad": "VALID"}),
        "grouped_and_padded": ("Conv", ["x", "grouped"], {"group": 2, "pads": [2, 1, 0, 0]}),
        "dilated": ("Conv", ["x", "w"], {"dilations": [2, 1]}),
        "one_dimensional": ("Conv", ["line_input", "line", "bias"], {"pads": [1, 1]}),
    }
    inputs = {"x": X, "line_input": LINE}
    assert_agree(tmp_path, operators_model(nodes, inputs, CONSTANTS), inputs)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kernel_shape": [5, 5]}, r"its kernel_shape is \[5, 5\], but its weights are for \[3, 3\]"),
        ({"strides": [2]}, r"its strides are \[2\], but its weights have 2 axes of space"),
        ({"pads": [1, 1]}, r"its pads are \[1, 1\], but"),
    ],
)
def test_attributes_for_other_weights_are_refused(attributes, message, tmp_path):
    model = operators_model({"y": ("Conv", ["x", "w"], attributes)}, {"x": X}, {"w": CONSTANTS["w"]})
    with pytest.raises(InputError, match=message):
        import_onnx(save(tmp_path, model))


def test_a_bias_that_is_computed(tmp_path):
    inputs = {"x": X, "bias": np.array([1, 2, 3], np.float32)}
    model = operators_model({"y": ("Conv", ["x", "w", "bias"], {})}, inputs, {"w": CONSTANTS["w"]})
    assert_agree(tmp_path, model, inputs)
