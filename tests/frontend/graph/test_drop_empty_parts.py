"""Parts without elements disappear from Split and Concat; the network computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.frontend.fold_constants import fold_constants
from b2nn_tvm.frontend.graph.drop_empty_parts import drop_empty_parts
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import image, run


@pytest.mark.parametrize(("sizes", "parts"), [((1, 0, 3), 2), ((0, 4, 0), 1)])
def test_the_parts_of_a_split(sizes, parts):
    nodes = "a, b, c = Split <axis = 1> (input, sizes) n = Neg (b) output = Concat <axis = 1> (c, n, a)"
    built = model(nodes, {"sizes": np.array(sizes)})
    expected = run(built, image())[0]
    found = fold_constants(built, {"input": (1, 4, 6, 5)})
    assert next(len(node.output) for node in found.graph.node) == parts
    assert found.graph.node[0].op_type == ("Split" if parts > 1 else "Identity")
    np.testing.assert_array_equal(run(found, image())[0], expected)


def test_what_a_slice_leaves_nothing_of():
    nodes = "a = Slice (input, end, last, axis) n = Neg (input) output = Concat <axis = 1> (a, n)"
    built = model(nodes, {"end": np.array([4]), "last": np.array([9]), "axis": np.array([1])})
    found = fold_constants(built, {"input": (1, 4, 6, 5)})
    assert [node.op_type for node in found.graph.node] == ["Neg", "Concat"]
    np.testing.assert_array_equal(run(found, image())[0], -image())


def test_outputs_of_the_network_stay():
    nodes = "output, b = Split <axis = 1> (input, sizes)"
    graph = model(nodes, outputs="float[1,4,6,5] output, float[1,0,6,5] b").graph
    shapes = {"output": (1, 4, 6, 5), "b": (1, 0, 6, 5)}
    assert not drop_empty_parts(graph, {"sizes": np.array([4, 0])}, shapes)
    assert list(graph.node[0].output) == ["output", "b"]
