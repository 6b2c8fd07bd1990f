"""A right library that decides ties otherwise is told from one that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.ties import agree_at_ties
from b2nn_tvm.verification.ties.agree_at_ties import TooManyOpen, agrees
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network

SHAPE = "float[1,4,5,5]"
CHAIN = Network(
    "a = Mul (input, third) p = Greater (a, t) s = Where (p, one, minus) c = Conv (s, w) q = Greater (c, zero)"
    " r = Where (q, one, minus) d = Concat <axis = 1> (c, r) e = Conv (d, v) output = GlobalAveragePool (e)",
    {
        "third": np.float32(1 / 3),
        "t": np.float32(1) * np.float32(1 / 3),
        "zero": np.float32(0),
        "one": np.float32(1),
        "minus": np.float32(-1),
        "w": (5, 4, 3, 3),
        "v": (6, 10, 1, 1),
    },
    f"{SHAPE} input",
)


@pytest.fixture
def oracle(tmp_path):
    return Oracle(save(tmp_path, CHAIN.build())).forced


def inputs(ties: int) -> dict[str, np.ndarray]:
    """An image with this number of pixels that meet the first threshold."""
    x = np.random.default_rng(3).choice(np.float32([0.5, 2, -1]), (1, 4, 5, 5))
    x.flat[: 7 * ties : 7] = 1
    return {"input": x}


def decided(oracle, x, turned: list[int]) -> dict[str, np.ndarray]:
    """The outputs of a library that turns these comparisons of the first sign."""
    first = oracle.decisions[0]
    result = oracle.run(x, {}, {}).values[first.result]
    return oracle.run(
        x, {first.result: {place: ~result.flat[place] for place in turned}}, {first.result: result.shape}
    ).outputs


@pytest.mark.parametrize("turned", [[], [0], [7, 14], [0, 7, 14, 21, 28]])
def test_any_ties_may_be_turned(oracle, turned):
    got = decided(oracle, inputs(5), turned)
    assert np.array_equal(got["output"], decided(oracle, inputs(5), [])["output"]) == (turned == [])
    assert agrees(oracle, inputs(5), got) is True


def test_what_is_no_tie_may_not(oracle):
    """The first nine pixels are far from their threshold, and there are no ties: that is wrong for certain."""
    got = decided(oracle, inputs(0), list(range(9)))
    assert not np.array_equal(got["output"], decided(oracle, inputs(0), [])["output"])
    assert agrees(oracle, inputs(0), got) is False


def test_other_values_are_wrong_without_ties(tmp_path):
    oracle = Oracle(save(tmp_path, Network("output = Sigmoid (input)").build())).forced
    x = {"input": np.zeros((1, 4, 9, 7), np.float32)}
    right = oracle.run(x, {}, {}).outputs["output"]
    assert agrees(oracle, x, {"output": right * (1 + 1e-6)}) is True
    assert agrees(oracle, x, {"output": right * (1 + 1e-3)}) is False
    assert agrees(oracle, x, {"output": right * (1 + 1e-3)}, half=True) is True
    assert agrees(oracle, x, {"output": right[:, :2]}) is False
    assert agrees(oracle, x, {"output": right * np.nan}) is False


def test_where_more_is_open_than_can_be_tried_nothing_is_said(oracle, monkeypatch):
    monkeypatch.setattr(agree_at_ties, "RUNS", 3)
    x = inputs(10)
    other = {name: value + 1 for name, value in decided(oracle, x, []).items()}
    with pytest.raises(TooManyOpen):
        agrees(oracle, x, other)
    assert agrees(oracle, x, other, shown={}) is None


def test_ties_of_one_node_that_are_turned_alike_are_one_choice(oracle, monkeypatch):
    """A sum that is 0 but for rounding is 0 at all places in a library that computes the scale apart."""
    monkeypatch.setattr(agree_at_ties, "RUNS", 8)
    x, every = inputs(15), list(range(0, 100, 7))
    assert not np.array_equal(decided(oracle, x, every)["output"], decided(oracle, x, [])["output"])
    assert agrees(oracle, x, decided(oracle, x, every)) is True


def test_a_choice_that_was_turned_with_others_may_turn_back(oracle):
    x, most = inputs(15), [place for place in range(0, 100, 7) if place != 49]
    assert agrees(oracle, x, decided(oracle, x, most)) is True


def test_sides_that_are_shown_are_tried_and_not_believed(oracle, monkeypatch):
    """More ties than can be tried, turned at random; of what is no tie, what is shown says nothing."""
    monkeypatch.setattr(agree_at_ties, "RUNS", 4)
    x, turned = inputs(15), [0, 14, 21, 35, 56, 70, 84]
    got = decided(oracle, x, turned)
    signs = np.where(x["input"] > 1, 1, -1).astype(np.float32)
    signs.flat[turned] *= -1
    assert agrees(oracle, x, got, shown={}) is None
    assert oracle.decisions[0].shown == "s"
    assert agrees(oracle, x, got, shown={"s": signs}) is True
    far = [place for place in range(20) if place % 7]
    signs.flat[far] *= -1
    assert agrees(oracle, inputs(0), decided(oracle, inputs(0), far), shown={"s": signs}) is False
