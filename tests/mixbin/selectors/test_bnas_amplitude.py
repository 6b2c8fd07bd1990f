"""What binarizing loses of the weights, by hand."""

from __future__ import annotations

import pytest

from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.bnas_amplitude import BnasAmplitude
from tests.support.mixbin.toy import NAMES


@pytest.mark.parametrize("norm", BnasAmplitude.NORMS)
def test_the_amplitude_by_hand(model, batches, norm):
    found = methods.score(f"bnas-{norm}", model, batches)
    for name in NAMES:
        weight = model.get_submodule(name).weight.detach().double()
        lost = sum(float((row.abs() - row.abs().mean()).square().sum()) for row in weight)
        by = {"raw": 1, "per-weight": weight.numel(), "relative": float(weight.square().sum())}[norm]
        assert found.scores[name] == pytest.approx(lost / by)
