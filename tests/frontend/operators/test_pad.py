"""Padding of all kinds behind a convolution equals onnxruntime's."""

import numpy as np
from onnx import helper

from tests.support.networks.operators import assert_agree, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((1, 3, 6, 5))
CONSTANTS = {
    "c": random_input((4, 3, 1, 1), 1),
    "pads": np.array([0, 0, 1, 2, 0, 0, 2, 1]),
    "on_axes": np.array([1, 2, 0, 3]),
    "axes": np.array([-1, 2]),
    "crop": np.array([0, 0, -1, 0, 0, 0, -1, 1]),
    "channels": np.array([0, 1, 0, 0, 0, 2, 0, 0]),
    "high": np.float32(0.75),
}


def test_equals_onnxruntime(tmp_path):
    nodes = {
        "plain": ("Pad", ["h", "pads"], {}),
        "by_value": ("Pad", ["h", "pads", "high"], {}),
        "along_axes": ("Pad", ["h", "on_axes", "high", "axes"], {}),
        "of_channels": ("Pad", ["h", "channels"], {}),
        "cropped": ("Pad", ["h", "crop"], {}),
        "reflected": ("Pad", ["h", "pads"], {"mode": "reflect"}),
        "edge": ("Pad", ["h", "pads"], {"mode": "edge"}),
        "wrapped": ("Pad", ["h", "pads"], {"mode": "wrap"}),
    }
    before = [helper.make_node("Conv", ["x", "c"], ["h"])]
    assert_agree(tmp_path, operators_model(nodes, {"x": X}, CONSTANTS, opset=19, before=before), {"x": X})
