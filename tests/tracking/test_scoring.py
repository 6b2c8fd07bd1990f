"""The methods that score classifiers take a tracker, and its layers by their names in the trunk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.training.loss import mean_loss
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.tracking.scoring import score
from b2nn_tvm.tracking.siamese import LogisticLoss

LOSS = LogisticLoss(5)


@pytest.mark.sweep
def test_mixbin_scores_the_trunks_layers_by_the_trackers_loss(trained, sensitivity):
    """Each Delta is the rise of the logistic loss; a layer scored by hand agrees."""
    layers = trace(trained.net.trunk, (3, 64, 64)).eligible
    assert tuple(sensitivity.scores) == tuple(layers) and sensitivity.deltas == sensitivity.scores
    batches = trained.data.calibration(32, batch=32)
    losses = [
        mean_loss(reestimate(trained.net.convert(names), batches), batches, loss=LOSS) for names in ([], layers[4:5])
    ]
    assert sensitivity.reference_loss == pytest.approx(losses[0], rel=1e-5)
    assert sensitivity.scores[layers[4]] == pytest.approx(losses[1] - losses[0], abs=1e-5)


@pytest.mark.parametrize(
    "method",
    [
        *("bnas-relative", "mixbin-grad", "mbq-first-order", "pseudo-random"),
        *(pytest.param(method, marks=pytest.mark.sweep) for method in ("front", "greedy")),
    ],
)
def test_other_methods_take_a_tracker_too(trained, method):
    """By the names in the trunk, those that need a budget with the trunk's own cost."""
    layers = ("stage1.0.conv1", "stage3.1.conv2")
    cost = AdditiveCost("flops", 0, dict.fromkeys(layers, 64), dict.fromkeys(layers, 1))
    batches = trained.data.calibration(4, batch=4)
    found = score(method, trained.net, batches, layers=layers, cost=cost, limit=65)
    assert set(found.scores) == set(layers) and np.isfinite(list(found.scores.values())).all()
    if method == "bnas-relative":
        alone = methods.score(method, trained.net.trunk, [(torch.zeros(1, 3, 64, 64), None)], layers=layers)
        assert found.scores == pytest.approx(alone.scores)
