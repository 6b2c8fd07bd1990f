from __future__ import annotations

import numpy as np
import pytest
from onnx import defs

from b2nn_tvm.frontend.batch import separate_images
from b2nn_tvm.frontend.batch.separate_images import keeps_apart
from tests.support.networks.onnx_models import model

SHAPES = {"input": (1, 4, 6, 5), "other": (1, 4, 6, 5), "w": (4, 5), "flat": (1, 5), "output": (1, 4, 6, 5)}
AXES = {"zero": np.array([0]), "rear": np.array([-1, 2]), "front": np.array([-4])}


def apart(nodes: str, batched: set[str]) -> bool:
    (node,) = model(nodes).graph.node
    return keeps_apart(node, batched, SHAPES, AXES)


@pytest.mark.parametrize(
    ("nodes", "batched", "expected"),
    [
        ("output = Add (input, other)", {"input"}, True),
        ("output = Conv (input, w)", {"input"}, True),
        ("output = Conv (other, input)", {"input"}, False),
        ("output = Softmax (input)", {"input"}, True),
        ("output = Softmax <axis = -4> (input)", {"input"}, False),
        ("output = ReduceSum (input, rear)", {"input"}, True),
        ("output = ReduceSum (input, front)", {"input"}, False),
        ("output = ReduceSum (input)", {"input"}, False),
        ("output = ReduceSum (input, unknown)", {"input"}, False),
        ("output = Gather <axis = 1> (input, zero)", {"input"}, True),
        ("output = Gather <axis = 1> (input, other)", {"input", "other"}, False),
        ("output = Transpose (input)", {"input"}, False),
        ("output = Transpose <perm = [0, 3, 1, 2]> (input)", {"input"}, True),
        ("output = MatMul (input, w)", {"input"}, True),
        ("output = MatMul (input, other)", {"input", "other"}, True),
        ("output = MatMul (other, input)", {"input"}, True),
        ("output = MatMul (w, flat)", {"flat"}, False),
        ("output = Gemm (flat, w)", {"flat"}, True),
        ("output = Gemm <transA = 1> (flat, w)", {"flat"}, False),
        ("output = CumSum (input, rear)", {"input"}, False),
        ("output = Einsum <equation = 'n...->n...'> (input)".replace("'", '"'), {"input"}, False),
    ],
)
def test_what_is_known(nodes, batched, expected):
    assert apart(nodes, batched) is expected


def test_the_table_names_operators_that_there_are():
    known = {schema.name for schema in defs.get_all_schemas()} | {"BinaryConv2d", "WeightBinaryConv2d", "Swish"}
    assert set(separate_images._RULES) - known == set()
