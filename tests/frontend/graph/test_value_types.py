from __future__ import annotations

import numpy as np
from onnx import TensorProto

from b2nn_tvm.frontend.graph.value_types import inferred_values, value_types
from tests.support.networks.onnx_models import model


def test_types_of_inputs_constants_and_what_is_computed():
    built = model("h = Cast <to = 10> (input) output = Conv (input, w)", {"w": np.zeros((64, 4, 3, 3), np.float32)})
    types = value_types(built)
    assert {name: found.elem_type for name, found in types.items()} == {
        "input": TensorProto.FLOAT,
        "h": TensorProto.FLOAT16,
        "output": TensorProto.FLOAT,
        "w": TensorProto.FLOAT,
    }
    assert [dim.dim_value for dim in types["output"].shape.dim] == [1, 64, 4, 3]


def test_values_that_are_no_tensors():
    built = model("s = SequenceConstruct (input, input) i = Constant <value_int = 0> () output = SequenceAt (s, i)")
    kinds = {value.name: value.type.WhichOneof("value") for value in inferred_values(built)}
    assert (kinds["s"], kinds["output"]) == ("sequence_type", "tensor_type")


def test_a_graph_that_inference_refuses_has_the_types_that_it_declares():
    built = model("a = Concat <axis = 9> (input, input) output = Relu (a)")
    assert value_types(built)["input"].elem_type == TensorProto.FLOAT
