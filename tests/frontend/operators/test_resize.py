"""Resize behind a convolution, whose layout changes, as onnxruntime computes it."""

import numpy as np
import pytest
from onnx import helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.relax_query import calls, op_name
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import assert_agree, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((2, 3, 5, 7))
ASYMMETRIC = {"coordinate_transformation_mode": "asymmetric"}
ALIGNED = {"coordinate_transformation_mode": "align_corners"}
CONSTANTS = {
    "c": random_input((6, 3, 1, 1), 1),
    "double": np.array([1, 1, 2, 2], np.float32),
    "uneven": np.array([1, 1, 2.5, 0.6], np.float32),
    "all_axes": np.array([1, 2, 1.5, 1], np.float32),
    "sizes": np.array([2, 6, 12, 11]),
    "two": np.array([3, 11]),
    "roi": np.array([0, 0, 0.1, -0.2, 1, 1, 0.9, 1.3], np.float32),
}
# https://github.com/apache/tvm/issues/19570, 19500 and 18133 are about scales that are not whole.
NODES = {
    "doubled": (
        "Resize",
        ["h", "", "double"],
        {"mode": "nearest", "nearest_mode": "floor", **ASYMMETRIC},
    ),
    "interpolated": ("Resize", ["h", "", "double"], {"mode": "linear"}),
    "uneven": ("Resize", ["h", "", "uneven"], {"mode": "linear", **ASYMMETRIC}),
    "uneven_nearest": ("Resize", ["h", "", "uneven"], {"mode": "nearest"}),
    "cubic": ("Resize", ["h", "", "double"], {"mode": "cubic", **ALIGNED}),
    "uneven_cubic": ("Resize", ["h", "", "uneven"], {"mode": "cubic"}),
    "by_sizes": (
        "Resize",
        ["h", "", "", "sizes"],
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    "channels_too": ("Resize", ["h", "", "all_axes"], {"mode": "nearest"}),
    "named_axes": ("Resize", ["h", "", "", "two"], {"mode": "nearest", "axes": [2, -1]}),
    "not_larger": (
        "Resize",
        ["h", "", "", "two"],
        {"mode": "nearest", "axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"},
    ),
    "cropped": (
        "Resize",
        ["h", "roi", "double"],
        {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 2.5},
    ),
}


def test_equals_onnxruntime(tmp_path):
    nodes = {f"y_{name}": node for name, node in NODES.items()}
    before = [helper.make_node("Conv", ["x", "c"], ["h"])]
    assert_agree(tmp_path, operators_model(nodes, {"x": X}, CONSTANTS, before=before), {"x": X})


def names_of(tmp_path, node) -> list[str]:
    path = save(tmp_path, operators_model({"y": node}, {"h": X}, CONSTANTS))
    return [op_name(call) for _, call in calls(import_onnx(path).module["main"])]


def test_pixels_that_are_repeated_keep_the_operator_of_images(tmp_path):
    assert names_of(tmp_path, NODES["doubled"]) == ["relax.image.resize2d"]
    assert "relax.image.resize2d" not in names_of(tmp_path, NODES["interpolated"])


def test_what_is_refused(tmp_path):
    whole = operators_model(
        {"y": ("Resize", ["h", "", "double"], {"mode": "linear"})}, {"h": X.astype(np.int32)}, CONSTANTS
    )
    with pytest.raises(UnsupportedError, match="interpolation of int32"):
        import_onnx(save(tmp_path, whole))
    sized = operators_model({"y": ("Resize", ["h", "", "", "s"], {})}, {"h": X, "s": np.array([1, 3, 9, 9])})
    with pytest.raises(UnsupportedError, match="no constants"):
        import_onnx(save(tmp_path, sized))
