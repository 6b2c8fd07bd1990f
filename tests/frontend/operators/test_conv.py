"""Convolutions with every kind of padding equal onnxruntime's."""

import numpy as np

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


def test_a_bias_that_is_computed(tmp_path):
    inputs = {"x": X, "bias": np.array([1, 2, 3], np.float32)}
    model = operators_model({"y": ("Conv", ["x", "w", "bias"], {})}, inputs, {"w": CONSTANTS["w"]})
    assert_agree(tmp_path, model, inputs)
