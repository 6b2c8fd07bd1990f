"""The rise of the loss times the gradient, by hand on three layers, and on a toy whose mixtures are all known."""

from __future__ import annotations

import pytest
from torch.nn import functional as F

from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.mixbin_grad import EPS
from tests.support.mixbin.three_layers import NAMES, by_hand


def test_mixbin_grad_weighs_the_rise_by_the_gradient(small, small_batches):
    found = methods.score("mixbin-grad", small, small_batches)
    assert found.deltas == pytest.approx(methods.score("mixbin-loss", small, small_batches).deltas)
    for name in NAMES:
        net, _ = by_hand(small, small_batches, name)
        inputs = []

        def keep_gradient(_, arguments, inputs=inputs):
            arguments[0].retain_grad()
            inputs.append(arguments[0])

        getattr(net, name).register_forward_pre_hook(keep_gradient)
        sum(F.cross_entropy(net(x), y, reduction="sum") for x, y in small_batches).div(19).backward()
        norm = getattr(net, name).weight.grad.abs().sum() + sum(x.grad.abs().sum() for x in inputs)
        assert found.scores[name] == pytest.approx(max(found.deltas[name], EPS) * norm.item(), rel=1e-4)


def test_where_binarizing_helps_the_gradient_keeps_its_meaning(small, small_batches):
    """With a loss that binarizing lowers, Delta is negative and every score stays above zero."""
    inverted = lambda outputs, labels: -F.cross_entropy(outputs, labels)
    found = methods.score("mixbin-grad", small, small_batches, loss=inverted)
    assert min(found.deltas.values()) < 0
    assert all(score > 0 for score in found.scores.values())


def test_the_printed_order_takes_the_most_harmful_layers_first(small, small_batches):
    names = ("mixbin-grad", "mixbin-grad-printed-order")
    right, printed = (methods.score(name, small, small_batches) for name in names)
    assert printed.deltas == pytest.approx(right.deltas)
    assert min(right.deltas.values()) > 0  # else the printed product with the norm would not be the reverse
    assert printed.order == right.order[::-1]


@pytest.mark.sweep
def test_the_corrected_order_finds_good_mixtures_and_the_printed_one_bad_ones(model, batches, truth):
    names = ("mixbin-grad", "mixbin-grad-printed-order")
    corrected, printed = (methods.score(name, model, batches).order for name in names)
    for count in range(2, 9):
        assert truth.rank(corrected[:count]) <= 0.1
        assert truth.rank(printed[:count]) >= 0.7
