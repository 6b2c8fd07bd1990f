import numpy as np
import pytest

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.reference.quantizers.known_values import KnownValues
from b2nn_tvm.reference.quantizers.node_builder import NodeBuilder
from tests.support.networks.onnx_models import model

BUILT = model('output = a.Any <word = "w", number = 3> (input, two, input)', {"two": np.float32(2)})


def builder(opset: int) -> NodeBuilder:
    return NodeBuilder(BUILT.graph.node[0], KnownValues(BUILT, ["Any"]), opset=opset)


def test_it_reads_attributes_and_constants():
    build = builder(18)
    assert (build.attribute("word", ""), build.attribute("number", 1), build.attribute("other", 2.5)) == ("w", 3, 2.5)
    assert build.whole(1, "factor") == 2 and build.known(2) is None
    with pytest.raises(UnsupportedError, match="its factor is computed at run time"):
        build.required(2, "factor")


def test_names_are_those_of_the_node():
    build = builder(18)
    build.finish("Mul", [build.put("Abs", ["input"]), 2.0])
    assert [node.op_type for node in build.nodes] == ["Abs", "Constant", "Mul"]
    assert build.nodes[-1].output[0] == "output" and build.nodes[-1].name == BUILT.graph.node[0].name
    assert all(node.output[0].startswith("output/") for node in build.nodes[:-1])


@pytest.mark.parametrize(("opset", "op"), [(9, "Greater"), (11, "Greater"), (12, "GreaterOrEqual")])
def test_a_comparison_in_the_operators_of_an_opset(opset, op):
    build = builder(opset)
    build.at_least("input", 0.0)
    assert build.nodes[-1].op_type == op


def test_older_opsets_are_refused():
    with pytest.raises(UnsupportedError, match="needs opset 9 or newer, but the file has 8"):
        builder(8)
