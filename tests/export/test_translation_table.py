"""What breaks with the next torch: an export makes its table elsewhere, or the tables of two exports differ."""

from __future__ import annotations

import pytest
import torch
from torch.onnx._internal.exporter import _registration

from b2nn_tvm.export.translation_table import kept_translation_table
from b2nn_tvm.mixbin.network.silence import quiet


def relu():
    """The nodes of an exported network of one operator."""
    with quiet():  # torch warns of what it does itself
        exported = torch.export.export(torch.nn.ReLU(), (torch.zeros(1, 3),))
        graph = torch.onnx.export(exported, (), dynamo=True, opset_version=18, verbose=False).model_proto.graph
    return [(node.op_type, node.domain, list(node.input), list(node.output)) for node in graph.node]


@pytest.mark.sweep
def test_torch_makes_a_table_for_each_export_but_none_within_the_context(monkeypatch):
    made = []
    ask = _registration.onnxscript_apis.get_torchlib_ops
    monkeypatch.setattr(_registration.onnxscript_apis, "get_torchlib_ops", lambda: made.append(1) or ask())
    expected = [relu() for _ in range(2)]
    assert len(made) == 2
    with kept_translation_table():
        relu()  # makes the table, unless a test before this one has made it
        del made[:]
        found = [relu() for _ in range(2)]
    assert not made
    assert found == expected == [[("Relu", "", ["input"], ["relu"])]] * 2
    relu()
    assert len(made) == 1  # torch has its own function back


def test_the_kept_table_is_that_of_torch():
    expected = _registration.ONNXRegistry.from_torchlib(opset_version=18)
    with kept_translation_table():
        found = _registration.ONNXRegistry.from_torchlib(opset_version=18)
    assert found.opset_version == expected.opset_version
    assert found.functions.keys() == expected.functions.keys()
    for target, translations in expected.functions.items():
        assert [each.onnx_function for each in found.functions[target]] == [e.onnx_function for e in translations]
        assert [str(each.signature) for each in found.functions[target]] == [str(e.signature) for e in translations]


def test_an_export_may_extend_its_table_and_the_next_one_does_not_see_it():
    with kept_translation_table():
        table = _registration.ONNXRegistry.from_torchlib(opset_version=18)
        relu_op = torch.ops.aten.relu.default
        before = len(table.get_decomps(relu_op))
        table.register_op(relu_op, lambda x: x)
        assert len(table.get_decomps(relu_op)) == before + 1
        assert len(_registration.ONNXRegistry.from_torchlib(opset_version=18).get_decomps(relu_op)) == before
