"""Operators that were on trial compute what onnxruntime computes of them."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.versions.convert_opset import convert_opset
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import assert_same, image


@pytest.mark.parametrize(
    "node",
    [
        "Affine <alpha = 0.5, beta = 2.0>",
        "Crop <border = [1, 2, 1, 0]>",
        "Crop <border = [0, 0, 2, 1]>",
        "Crop <border = [1, 2, 0, 0], scale = [3, 2]>",
        "ImageScaler <scale = 0.5, bias = [1.0, -2.0, 0.0, 3.5]>",
        "ParametricSoftplus <alpha = 0.5, beta = 2.0>",
        "Scale <scale = 3.0>",
        "ScaledTanh <alpha = 1.7159, beta = 0.6667>",
    ],
)
def test_equals_onnxruntime(node):
    before = model(f"output = {node} (input)", opset=8, outputs="float output")
    assert_same(before, convert_opset, image())


@pytest.mark.parametrize("node", ["Crop", "Crop <border = [1, 1]>", "ScaledTanh <alpha = 1.0>"])
def test_attributes_of_no_sense(node):
    with pytest.raises(InputError, match="of opset 8: it "):
        convert_opset(model(f"output = {node} (input)", opset=8, outputs="float output"))
