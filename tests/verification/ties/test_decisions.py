"""Comparisons and roundings in a network can be seen and forced."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from b2nn_tvm.verification.oracle_model import element_types
from b2nn_tvm.verification.ties.decisions import COMPARISONS, QUANTIZE, Decision, make_forceable, seen
from b2nn_tvm.verification.ties.exact_values import EXACT, SIGNED
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


@pytest.mark.parametrize(("element", "zero"), [(np.uint8, 128), (np.int8, -3)])
def test_a_quantization_is_forced_to_a_number(element, zero):
    model, (decision,) = forceable(
        "q = QuantizeLinear (input, s, z) output = DequantizeLinear (q, s, z)",
        s=np.float32(0.5),
        z=np.array(zero, element),
    )
    free = np.array([[True, True, True, False]])
    found = run(model, decision, free, np.full((1, 4), zero - 2, np.int32))
    np.testing.assert_array_equal(found["output"], [[-1.5, 0, 0, -1]])
    np.testing.assert_array_equal(found[seen(decision.result)], zero + np.array([[-3, 0, 0, 6]]))


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_the_index_of_the_largest_is_forced(op):
    model, (decision,) = forceable(f"i = {op} <axis = 1> (input) output = Cast <to = 1> (i)")
    found = run(model, decision, np.array([[False]]), np.array([[2]]))
    assert found["output"] == 2 and found[seen(decision.result)] == (3 if op == "ArgMax" else 0)


def decision(op: str = "Greater", *, exact: bool = False, exact_at_zero: bool = False, axis: int = 0) -> Decision:
    threshold = "t" if op in (*COMPARISONS, QUANTIZE) else ""
    return Decision(op, "x", threshold, "r", TensorProto.FLOAT, exact, exact_at_zero, axis)


def uncertain(found: Decision, x, threshold, margin: float, result=None) -> dict[int, float]:
    array = np.zeros(np.shape(x)) if result is None else result
    return {place: value.item() for place, value in found.uncertain(x, threshold, array, margin).items()}


def test_what_is_open_within_a_margin():
    x = np.float32([0.999, 1, 1.0005, 2, -1])
    one = np.float32([1])
    assert uncertain(decision(), x, one, 0.002) == {0: True, 1: True, 2: False}
    assert uncertain(decision(), x, one, 0.0) == {}
    assert uncertain(decision(exact=True), x, one, 0.002) == {}
    assert uncertain(decision("Round"), np.float32([0.499, 1.4]), None, 0.01) == {0: 1.0}
    assert uncertain(decision(), np.array([1, 2]), np.array([1]), 1.0) == {}
    assert uncertain(decision(), np.float32([np.nan, np.inf]), one, 1.0) == {}


def test_zero_is_no_tie_where_signs_are_exact():
    x, thresholds = np.float32([0, 0]), np.float32([0, 1e-9])
    assert uncertain(decision(), x, thresholds, 1e-6) == {0: True, 1: True}
    assert uncertain(decision(exact_at_zero=True), x, thresholds, 1e-6) == {1: True}
    assert uncertain(decision("Sign", exact_at_zero=True), x, None, 1e-6) == {}
    assert uncertain(decision("Sign"), x, None, 1e-6) == {0: 1.0, 1: 1.0}  # a binary layer's sign of 0


def test_a_quantization_is_open_by_one_step():
    x, scales = np.float32([[0.2499, 1.3], [1.249, 0.4999]]), np.float32([0.5, 1])
    result = np.array([[10, 11], [12, 10]])
    assert uncertain(decision(QUANTIZE, axis=-1), x, scales, 1e-3, result) == {0: 11, 3: 11}
    assert uncertain(decision(QUANTIZE), x, np.float32(0.5), 1.1e-3, result) == {0: 11, 2: 13}
    # 0.35 / 0.1 is 3.5 in float32, which rounds up, and 3.4999999 in float64
    assert uncertain(decision(QUANTIZE), np.float32([0.35]), np.float32(0.1), 1e-6, np.array([14])) == {0: 13}


def test_the_second_largest_may_be_the_largest():
    x = np.float32([[[1, 5], [3, 4.9999], [2.9999, 0]]])
    assert uncertain(decision("ArgMax", axis=1), x, None, 1e-3) == {0: 2, 1: 1}
    assert uncertain(decision("ArgMin", axis=-1), x, None, 1e-3) == {}
    assert uncertain(decision("ArgMax", axis=0), x, None, 1e-3) == {}


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
