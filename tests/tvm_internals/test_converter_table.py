"""TVM's ONNX importer takes its converters from the table that we put in place of its own."""

from __future__ import annotations

import onnx
import pytest
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx

from b2nn_tvm.relax_query import calls, op_name
from b2nn_tvm.tvm_internals.converter_table import replaced_converters, stock_converters

BREAKS = (
    "TVM's ONNX importer no longer takes its converters from onnx_frontend._get_convert_map(): BinaryConv2d cannot be"
    " imported, and errors do not name the node; see b2nn_tvm/tvm_internals/converter_table.py"
)


def operators(**converters) -> list[str]:
    """What a network of one Relu becomes where these converters stand in for TVM's."""
    graph = "agraph (float[2,3] x) => (float[2,3] y) { y = Relu (x) }"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]> {graph}')
    with replaced_converters(lambda stock: {**stock, **converters}):
        module = from_onnx(model)
    return [op_name(call) for _, call in calls(module["main"])]


class Negate:
    @staticmethod
    def get_converter(opset):
        assert opset == 18
        return lambda builder, inputs, attributes, parameters: relax.op.negative(inputs[0])


def test_the_importer_uses_the_table():
    assert operators() == ["relax.nn.relu"]
    assert operators(Relu=Negate) == ["relax.negative"], BREAKS


def test_the_table_is_tvms_again_afterwards():
    class Fails:
        @staticmethod
        def get_converter(opset):
            raise LookupError("no converter")

    with pytest.raises(LookupError, match="no converter"):
        operators(Relu=Fails)
    assert operators() == ["relax.nn.relu"]


def test_tvms_table_has_a_converter_for_each_operator():
    stock = stock_converters()
    assert {"Conv", "Gemm", "MaxPool", "Relu"} <= set(stock), BREAKS
    assert callable(stock["Conv"].get_converter(18)), BREAKS
