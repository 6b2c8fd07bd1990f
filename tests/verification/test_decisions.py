"""Comparisons and roundings in a network can be seen and forced."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from b2nn_tvm.verification.decisions import Decision, make_forceable, seen
from b2nn_tvm.verification.exact_values import EXACT, SIGNED
from b2nn_tvm.verification.oracle_model import element_types
from tests.support.networks.onnx_networks import Network

X = np.float32([[-1.5, 0, 0.25, 2.75]])
FLOAT, NUMBERS = "float[1,4] input", "float[1,4] output"


def forceable(nodes: str, outputs: str = NUMBERS, **constants) -> tuple[onnx.ModelProto, list[Decision]]:
    model = Network(nodes, constants, FLOAT, outputs).build()
    return model, make_forceable(model, element_types(model), {})


def run(model: onnx.ModelProto, decision: Decision, free: np.ndarray, forced: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    fed = {"input": X, decision.free: free, decision.forced: forced}
    return dict(zip(names, session.run(names, fed), strict=True))


@pytest.mark.parametrize("op", ["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"])
def test_a_comparison_is_forced_where_it_is_not_free(op):
    model, (decision,) = forceable(
        f"p = {op} (input, t) output = Cast <to = 1> (p)", t=np.float32([[0.25, 0.0, 0.25, 3.0]])
    )
    as_it_is = run(model, decision, np.array(True), np.array(False))
    result = as_it_is[seen(decision.result)]
    np.testing.assert_array_equal(as_it_is["output"], result)
    np.testing.assert_array_equal(as_it_is[seen("input")], X)
    other = run(
        model, decision, np.array([[True, True, False, True]]), np.array([[False, False, not result[0, 2], False]])
    )
    np.testing.assert_array_equal(other["output"], np.where([True, True, False, True], result, ~result))


@pytest.mark.parametrize(
    ("op", "expected"),
    [("Floor", [-2, 0, 0, 2]), ("Ceil", [-1, 0, 1, 3]), ("Round", [-2, 0, 0, 3]), ("Sign", [-1, 0, 1, 1])],
)
def test_a_rounding_is_forced_to_a_number(op, expected):
    model, (decision,) = forceable(f"output = {op} (input)")
    assert decision.element == TensorProto.FLOAT
    free = np.array([[True, True, True, False]])
    found = run(model, decision, free, np.full((1, 4), 7, np.float32))["output"]
    np.testing.assert_array_equal(found, [[*expected[:3], 7]])


def test_a_conversion_to_integers_is_a_rounding_and_others_are_none():
    model, decisions = forceable("a = Cast <to = 7> (input) b = Cast <to = 11> (input) output = Cast <to = 1> (a)")
    assert [(decision.op, decision.element) for decision in decisions] == [("Cast", TensorProto.INT64)]
    found = run(model, decisions[0], np.array(False), np.full((1, 4), 9, np.int64))["output"]
    np.testing.assert_array_equal(found, np.full((1, 4), 9))


def decision(op: str = "Greater", *, exact: bool = False, exact_at_zero: bool = False) -> Decision:
    threshold = "t" if op == "Greater" else ""
    return Decision(op, "x", threshold, "r", TensorProto.FLOAT, exact, exact_at_zero)


def test_what_is_open_within_a_margin():
    x = np.float32([0.999, 1, 1.0005, 2, -1])
    one = np.float32([1])
    assert decision().uncertain(x, one, 0.002) == {0: True, 1: True, 2: False}
    assert decision().uncertain(x, one, 0.0) == {}
    assert decision(exact=True).uncertain(x, one, 0.002) == {}
    assert decision("Round").uncertain(np.float32([0.499, 1.4]), None, 0.01) == {0: 1.0}
    assert decision().uncertain(np.array([1, 2]), np.array([1]), 1.0) == {}
    assert decision().uncertain(np.float32([np.nan, np.inf]), one, 1.0) == {}


def test_zero_is_no_tie_where_signs_are_exact():
    x, thresholds = np.float32([0, 0]), np.float32([0, 1e-9])
    assert decision().uncertain(x, thresholds, 1e-6) == {0: True, 1: True}
    assert decision(exact_at_zero=True).uncertain(x, thresholds, 1e-6) == {1: True}
    assert decision("Sign", exact_at_zero=True).uncertain(x, None, 1e-6) == {}


def test_the_exactness_of_the_operands_is_that_of_the_decision():
    model = Network("p = Greater (input, t) output = Cast <to = 1> (p)", {"t": np.float32(0)}, FLOAT, NUMBERS).build()
    types = element_types(model)

    def made(x, t):
        copy = onnx.ModelProto.FromString(model.SerializeToString())
        (found,) = make_forceable(copy, types, {"input": x, "t": t})
        return found.exact, found.exact_at_zero

    assert made(EXACT, EXACT) == (True, True)
    assert made(SIGNED, EXACT) == (False, True)
    assert made(SIGNED, SIGNED) == (False, False)
