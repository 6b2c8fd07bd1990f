"""Fused operators of transformers give what onnxruntime gives."""

from __future__ import annotations

import pytest
from onnx import helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.quantized.expand_quantized import expand_quantized
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import assert_same, image

CONSTANTS = {"g": image((8,), 1), "b": image((8,), 2), "c": image((8,), 3)}
TOKENS = image((1, 6, 8))


def skip(nodes, outputs="float[1,6,8] output"):
    used = {name: value for name, value in CONSTANTS.items() if f", {name}" in nodes}
    built = model(nodes, used, inputs="float[1,6,8] input", outputs=outputs)
    built.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return built


@pytest.mark.parametrize("parameters", ["g", "g, b", "g, b, c"])
def test_normalized_sums(parameters):
    nodes = f"r = Relu (input) output = com.microsoft.SkipLayerNormalization <epsilon = 0.001> (input, r, {parameters})"
    assert_same(skip(nodes), expand_quantized, TOKENS, tolerance=1e-5)


def test_the_sum_is_an_output_of_its_own():
    nodes = "r = Relu (input) output, , , total = com.microsoft.SkipLayerNormalization (input, r, g, b)"
    outputs = "float[1,6,8] output, float[1,6,8] total"
    assert_same(skip(nodes, outputs), expand_quantized, TOKENS, tolerance=1e-5)


def test_its_statistics_are_refused():
    nodes = "output, mean = com.microsoft.SkipLayerNormalization (input, input, g)"
    with pytest.raises(UnsupportedError, match="its mean and deviation are read"):
        expand_quantized(skip(nodes, "float[1,6,8] output, float[1,6,1] mean"))
