from __future__ import annotations

import numpy as np

from b2nn_tvm.frontend.graph.without_weights import without_weights
from tests.support.networks.onnx_models import model


def test_large_constants_become_inputs_of_their_type_and_shape():
    constants = {"w": np.zeros((64, 4, 3, 3), np.float16), "s": np.arange(4)}
    small = without_weights(model("output = Reshape (input, s)", constants))
    assert [tensor.name for tensor in small.graph.initializer] == ["s"]
    (_, weights) = small.graph.input
    dims = [dim.dim_value for dim in weights.type.tensor_type.shape.dim]
    assert (weights.name, weights.type.tensor_type.elem_type, dims) == ("w", 10, [64, 4, 3, 3])
    assert small.ByteSize() < 1000


def test_constants_that_are_inputs_already_stay_one_input():
    built = model("output = Conv (input, w)", {"w": np.zeros((64, 4, 3, 3), np.float32)})
    built.graph.input.append(without_weights(built).graph.input[1])
    assert [value.name for value in without_weights(built).graph.input] == ["input", "w"]
