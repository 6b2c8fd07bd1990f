"""The Taylor expansion, from the explicit Hessian of a tiny network."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binarizers import binarize
from b2nn_tvm.mixbin.modules.weight_quantizer import WeightQuantizer
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.adaptive_mbq import AdaptiveMbq
from tests.support.mixbin.explicit_hessian import LAYERS, part


@pytest.mark.parametrize("order", [1, 2])
def test_adaptive_mbq_is_the_taylor_expansion(tiny, tiny_batches, derivatives, order, tmp_path):
    gradient, hessian = derivatives
    path = tmp_path / "scores.json"
    found = methods.score(AdaptiveMbq(order), tiny, tiny_batches, layers=LAYERS, path=path)
    for name in LAYERS:
        weight = tiny.get_submodule(name).weight.detach()
        change = (binarize(weight).dense - weight).flatten()
        slope = float(gradient[part(name)] @ change)
        bend = float(change @ hessian[part(name), part(name)] @ change) / 2
        assert found.scores[name] == pytest.approx(abs(slope) if order == 1 else slope + bend, rel=1e-9)
    assert methods.score(AdaptiveMbq(order), tiny, tiny_batches, layers=LAYERS, path=path).scores == found.scores


def test_options_out_of_range_are_refused():
    with pytest.raises(InputError, match="order 1 or 2, not 3"):
        AdaptiveMbq(3)


def test_every_precision_changes_the_weights_in_its_own_way(tiny, tiny_batches, derivatives):
    gradient, _ = derivatives
    found = methods.score("mbq-first-order", tiny, tiny_batches, layers=LAYERS, precision="w2a2").scores
    for name in LAYERS:
        weight = tiny.get_submodule(name).weight.detach()
        change = (WeightQuantizer(2, weight)(weight) - weight).flatten().detach()
        assert found[name] == pytest.approx(abs(float(gradient[part(name)] @ change)), rel=1e-6)
