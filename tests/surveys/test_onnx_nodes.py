"""The survey of ONNX's node tests: what it counts as what, a sample of it, and that its table has nothing wrong."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.backend.test.case.test_case import TestCase as NodeTest

from tests.support.surveys.registry import find_survey
from tests.support.surveys.run_survey import FOLDER, read_rows

onnx_nodes = import_module("tests.surveys.onnx_nodes")  # a survey is no test, but stands among them
X = np.arange(6, dtype=np.float32).reshape(2, 3)
SAMPLE = (
    *("test_tile", "test_spacetodepth_crd_mode_example", "test_layer_normalization_4d_axis1", "test_isinf_negative"),
    *("test_resize_downsample_scales_cubic", "test_convtranspose_output_shape", "test_reduce_max_bool_inputs"),
    *("test_mod_float_edge_cases_fmod_0_float32", "test_bitshift_left_int32_shift_ge_width"),
)


def node_test(op: str, expected: np.ndarray) -> NodeTest:
    inputs = [X, np.array([1, 0])]
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "i"], ["y"])],
        "test",
        [helper.make_tensor_value_info("x", 1, X.shape), helper.make_tensor_value_info("i", 7, [2])],
        [helper.make_tensor_value_info("y", 1, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return NodeTest("test", "test", "", "", model, [(inputs, [expected])], "node", 1e-3, 1e-7)


@pytest.mark.parametrize(
    ("op", "expected", "outcome", "reason"),
    [
        ("Gather", X[[1, 0]], "passed", ""),
        ("Gather", X, "wrong", "Mismatched"),
        ("Det", X, "refused", "Det"),
    ],
)
def test_outcomes(op, expected, outcome, reason, monkeypatch):
    monkeypatch.setattr(onnx_nodes, "node_tests", lambda: {"test": node_test(op, expected)})
    row = onnx_nodes.row("test")
    assert row["outcome"] == outcome == row["as it is"] == row["with constants"]
    assert reason in str(row["reason"])


def test_constants_take_the_place_of_all_inputs_but_the_first():
    model, [(inputs, _)] = onnx_nodes.with_constants(node_test("Gather", X))
    assert [value.name for value in model.graph.input] == ["x"] and len(inputs) == 1
    np.testing.assert_array_equal(numpy_helper.to_array(model.graph.initializer[0]), [1, 0])
    assert isinstance(model, onnx.ModelProto)


def test_nothing_in_the_table_is_wrong_or_crashed():
    rows = read_rows(find_survey("onnx_nodes"), FOLDER / "onnx_nodes.csv")
    assert len(rows) > 400
    assert {name: row["reason"] for name, row in rows.items() if row["outcome"] not in ("passed", "refused")} == {}


@pytest.mark.sweep
@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_passes(name):
    assert onnx_nodes.row(name)["outcome"] == "passed"
