"""The rise of the loss by each layer alone: by hand on three layers, and on a toy whose mixtures are all known."""

from __future__ import annotations

import pytest

from b2nn_tvm.mixbin.selectors import registry as methods
from tests.support.mixbin import toy
from tests.support.mixbin.three_layers import NAMES, by_hand


def test_mixbin_loss_is_the_rise_of_the_loss(small, small_batches):
    found = methods.score("mixbin-loss", small, small_batches)
    _, reference = by_hand(small, small_batches)
    assert list(found.scores) == NAMES and found.method == "mixbin-loss"
    assert found.reference_loss == pytest.approx(reference, abs=1e-6)
    for name in NAMES:
        _, loss = by_hand(small, small_batches, name)
        assert found.deltas[name] == pytest.approx(loss - reference, abs=1e-6)
    assert found.scores == found.deltas
    assert max(found.scores.values()) > 0.01  # binarizing a layer harms, and the harmful ones have the high scores


def test_mixbin_loss_is_the_true_rise_for_every_layer(model, batches, truth):
    found = methods.score("mixbin-loss", model, batches)
    assert tuple(found.scores) == toy.NAMES
    assert found.reference_loss == pytest.approx(truth[()], abs=1e-9)
    for name in toy.NAMES:
        assert found.scores[name] == pytest.approx(truth[[name]] - truth[()], abs=1e-9)


def test_the_printed_order_takes_the_most_harmful_layers_first(small, small_batches):
    names = ("mixbin-loss", "mixbin-loss-printed-order")
    right, printed = (methods.score(name, small, small_batches) for name in names)
    assert printed.deltas == pytest.approx(right.deltas)
    assert min(right.deltas.values()) > 0  # else the printed product with the norm would not be the reverse
    assert printed.order == right.order[::-1]


@pytest.mark.sweep
def test_the_corrected_order_finds_good_mixtures_and_the_printed_one_bad_ones(model, batches, truth):
    names = ("mixbin-loss", "mixbin-loss-printed-order")
    corrected, printed = (methods.score(name, model, batches).order for name in names)
    for count in range(2, 9):
        assert truth.rank(corrected[:count]) <= 0.1
        assert truth.rank(printed[:count]) >= 0.7
