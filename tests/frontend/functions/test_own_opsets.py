"""Nodes of functions remember the opset of their function."""

from __future__ import annotations

import onnx
from onnx import inliner, parser

from b2nn_tvm.frontend.functions.own_opsets import forget_opset, has_other_opsets, mark_opsets, opset_of, own_opset


def model(opset: int, *functions: int) -> onnx.ModelProto:
    """A model that calls functions of these opsets one behind the other."""
    calls = "".join(f"v{place + 1} = own.F{place} (v{place}) " for place, _ in enumerate(functions))
    text = f'<ir_version: 10, opset_import: ["" : {opset}, "own" : 1]> g (float[2] v0) => (float[2] y) {{'
    built = parser.parse_model(f"{text} {calls} y = Relu (v{len(functions)}) }}")
    built.functions.extend(
        parser.parse_function(f'<opset_import: ["" : {own}], domain: "own"> F{place} (x) => (y) {{ y = Neg (x) }}')
        for place, own in enumerate(functions)
    )
    return built


def test_functions_of_other_opsets_are_known():
    assert has_other_opsets(model(18, 18, 11))
    assert not has_other_opsets(model(18, 18))


def test_each_node_keeps_its_own_opset_when_it_is_inlined():
    built = model(18, 11, 21, 18)
    mark_opsets(built)
    assert not has_other_opsets(built)
    inlined = inliner.inline_local_functions(built)
    assert [own_opset(node, 18) for node in inlined.graph.node] == [11, 21, 18, 18]
    for node in inlined.graph.node:
        forget_opset(node)
    assert not any(node.metadata_props for node in inlined.graph.node)


def test_functions_that_are_kept_are_not_marked():
    built = model(18, 11)
    mark_opsets(built, [("own", "F0")])
    assert not has_other_opsets(built)
    assert own_opset(built.functions[0].node[0], 18) == 18


def test_a_model_without_an_opset_gets_that_of_its_functions():
    built = model(18, 11, 17)
    del built.opset_import[0]
    assert opset_of(built) is None
    mark_opsets(built)
    assert opset_of(built) == 17
    assert own_opset(built.functions[0].node[0], 17) == 11


def test_a_mark_that_is_no_number_is_none():
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    node.metadata_props.add(key="b2nn.opset", value="eleven")
    assert own_opset(node, 18) == 18
