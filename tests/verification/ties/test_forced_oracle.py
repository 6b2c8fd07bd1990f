"""Networks whose decisions are forced, and what rounding at random changes in them."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.ties.forced_oracle import ForcedOracle
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network, binary, binary_constants, constant

X = {"input": constant("x", (1, 4, 9, 7))}
TWO_SIGNS = Network(
    "p = Greater (input, a) s = Where (p, one, minus) c = Conv (s, w) q = Less (c, b) output = Where (q, one, minus)",
    {
        "a": np.float32([[[0.25]], [[0.0]], [[0.5]], [[1.0]]]),
        "b": np.float32(0.125),
        "one": np.float32(1),
        "minus": np.float32(-1),
        "w": (3, 4, 3, 3),
    },
)


@pytest.fixture
def forced(tmp_path):
    def forced(network: Network) -> ForcedOracle:
        return Oracle(save(tmp_path, network.build())).forced

    return forced


def test_without_choices_nothing_is_changed(forced, tmp_path):
    oracle = forced(TWO_SIGNS)
    assert [decision.op for decision in oracle.decisions] == ["Greater", "Less"]
    np.testing.assert_array_equal(oracle.thresholds, [0.25, 0, 0.5, 1, 0.125])
    expected = Oracle(save(tmp_path, TWO_SIGNS.build(), "other.onnx")).run(X)["output"]
    np.testing.assert_array_equal(oracle.run(X, {}, {}).outputs["output"], expected)


def test_one_place_of_one_decision_is_forced(forced):
    oracle = forced(TWO_SIGNS)
    last = oracle.decisions[1]
    before = oracle.run(X, {}, {})
    was = before.values[last.result]
    after = oracle.run(X, {last.result: {5: ~was.flat[5]}}, {last.result: was.shape})
    changed = np.flatnonzero(after.outputs["output"] != before.outputs["output"])
    np.testing.assert_array_equal(changed, [5])
    first = oracle.decisions[0]
    x, threshold = before.at(first)
    np.testing.assert_array_equal(x > threshold, before.values[first.result])


def test_rounding_at_random_changes_what_is_rounded_and_nothing_else(forced):
    oracle = forced(TWO_SIGNS)
    computed = oracle.run(X, {}, {})
    noise = oracle.noise(X, computed, oracle.results(computed, {}))
    assert noise.outputs["output"].max() < 1e-5  # the signs are those of before
    sums = oracle.decisions[1].x
    scale = np.abs(computed.values[sums]).max()
    assert 1e-8 * scale < noise.values[sums].max() < 1e-5 * scale
    assert not noise.values["input"].any()
    first = oracle.decisions[0]
    was = computed.values[first.result]
    turned = {first.result: dict(enumerate(~was.flat[:50]))}
    other = oracle.run(X, turned, {first.result: was.shape})
    assert np.abs(other.outputs["output"] - computed.outputs["output"]).max() > 0.1
    kept = oracle.results(other, turned)
    assert oracle.noise(X, other, kept).outputs["output"].max() < 1e-5  # no turned sign turns back


def test_the_noise_of_a_difference_is_that_of_its_operands(forced):
    oracle = forced(
        Network("a = Mul (input, c) b = Add (a, d) output = Sub (b, d)", {"c": np.float32(1e-4), "d": (4, 1, 1)})
    )
    computed = oracle.run(X, {}, {})
    relative = oracle.noise(X, computed, {}).outputs["output"].max() / np.abs(computed.outputs["output"]).max()
    assert relative > 1e-4
    assert oracle.decisions == []


def test_whole_results_are_forced_at_once(forced):
    oracle = forced(TWO_SIGNS)
    first, last = (decision.result for decision in oracle.decisions)
    computed = oracle.run(X, {}, {})
    turned = oracle.run_with(X, {first: ~computed.values[first]})
    np.testing.assert_array_equal(turned.values[oracle.decisions[1].x], -computed.values[oracle.decisions[1].x])
    np.testing.assert_array_equal(
        oracle.run_with(X, {last: computed.values[last]}).outputs["output"], computed.outputs["output"]
    )
    assert (oracle.run_with(X, {last: np.ones_like(computed.values[last])}).outputs["output"] == 1).all()
    results = oracle.results(computed, {last: {3: ~computed.values[last].flat[3]}})
    np.testing.assert_array_equal(np.flatnonzero(results[last] != computed.values[last]), [3])
    np.testing.assert_array_equal(results[first], computed.values[first])


def test_rounding_turns_what_is_free(forced):
    """All of 0.1 * 10 - 1 is 0 but for rounding."""
    oracle = forced(
        Network(
            "a = Mul (input, tenth) b = Sub (a, one) p = Greater (b, zero) output = Where (p, one, minus)",
            {"tenth": np.float32(0.1), "zero": np.float32(0), "one": np.float32(1), "minus": np.float32(-1)},
        )
    )
    tens = {"input": np.full((1, 4, 9, 7), 10, np.float32)}
    computed = oracle.run(tens, {}, {})
    assert oracle.noise(tens, computed, {}).outputs["output"].max() == pytest.approx(2)
    assert oracle.noise(tens, computed, oracle.results(computed, {})).outputs["output"].max() < 1e-5


def test_functions_of_the_file_are_looked_into(forced):
    oracle = forced(Network(binary("input", "output", "u", 4), binary_constants("u", 6, 4)))
    (decision,) = oracle.decisions
    assert decision.op == "GreaterOrEqual" and decision.exact
    np.testing.assert_array_equal(oracle.thresholds, binary_constants("u", 6, 4)["u_t"])


def test_the_largest_magnitude_is_that_of_any_value_inside(forced):
    inside = Network("a = Mul (input, big) b = Div (a, big) output = Sqrt (b)", {"big": np.float32(1e12)})
    x = {"input": np.full((1, 4, 9, 7), -2, np.float32)}  # whose root is no number
    assert forced(inside).largest(x) == pytest.approx(2e12)
    assert forced(Network("output = Sqrt (input)")).largest(x) == 2
