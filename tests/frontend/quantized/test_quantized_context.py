from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.quantized.quantized_context import QuantizedContext


def context(constants, shape=(1, 4, 6, 5)):
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    types = {"x": helper.make_tensor_type_proto(TensorProto.FLOAT, list(shape)).tensor_type}
    tensors = {name: numpy_helper.from_array(value, name) for name, value in constants.items()}
    return QuantizedContext(node, types, {"x", "s", "z", "y"}, tensors, {})


def value_of(found, name):
    (node,) = (node for node in found.before if node.output[0] == name)
    return numpy_helper.to_array(node.attribute[0].t)


@pytest.mark.parametrize(
    ("scale", "axis", "shape"), [(np.ones(4), 1, (4, 1, 1)), (np.ones(5), -1, (5,)), (np.ones(1), 1, ())]
)
def test_scales_stand_along_their_axis(scale, axis, shape):
    found = context({"s": scale.astype(np.float32)})
    assert value_of(found, found.scale("s", "x", axis)).shape == shape


def test_zero_points_are_subtracted_from_constants_at_once():
    found = context({"s": np.array([[1, 2], [3, 4]], np.uint8), "z": np.array([1, 2], np.uint8)})
    np.testing.assert_array_equal(value_of(found, found.centred("s", "z", 0)), [[0, 1], [1, 2]])


def test_the_type_is_that_of_the_zero_point():
    found = context({"z": np.int8(0)})
    assert (found.element_type("z"), found.element_type("x")) == (TensorProto.INT8, TensorProto.FLOAT)


def test_a_scale_of_two_dimensions_is_refused():
    found = context({"z": np.ones((2, 2), np.uint8)})
    with pytest.raises(InputError, match="one number, or one for each channel, not of shape"):
        found.round_to("x", "z", TensorProto.UINT8, "y", axis=1, like="x")


def test_a_computed_scale_of_unknown_shape_is_refused():
    with pytest.raises(UnsupportedError, match="not known; store them in the file"):
        context({}).scale("s", "x", 1)
