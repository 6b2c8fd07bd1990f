"""Columns become images again as in onnxruntime, in torch's ``fold`` as well."""

import numpy as np
import pytest

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import model, save
from tests.support.networks.operators import assert_agree, operators_model
from tests.support.passes.relax_functions import random_input

CONSTANTS = {"image": np.array([5, 6]), "two": np.array([2, 2]), "three": np.array([3, 2])}
# columns, block, attributes: 3 channels, and as many blocks as fit into 5x6 pixels
CASES = {
    "side by side": ((2, 12, 6), "two", {"strides": [2, 2]}),
    "overlapping": ((2, 12, 20), "two", {}),
    "padded": ((1, 18, 12), "three", {"pads": [1, 0, 1, 2], "strides": [2, 2]}),
    "dilated": ((1, 12, 15), "two", {"dilations": [2, 1]}),
}


def test_equals_onnxruntime(tmp_path):
    inputs = {f"x{number}": random_input(shape, number) for number, (shape, *_) in enumerate(CASES.values())}
    nodes = {
        f"y{number}": ("Col2Im", [f"x{number}", "image", block], attributes)
        for number, (_, block, attributes) in enumerate(CASES.values())
    }
    assert_agree(tmp_path, operators_model(nodes, inputs, CONSTANTS), inputs)


def test_sizes_that_are_not_constant_are_refused(tmp_path):
    built = model(
        "output = Col2Im (input, image, block)",
        {"block": np.array([2, 2])},
        inputs="float[1,12,20] input, int64[2] image",
        outputs="float[1,3,5,6] output",
    )
    with pytest.raises(UnsupportedError, match="two constants each"):
        import_onnx(save(tmp_path, built))
