"""Training, choosing layers and fine-tuning end to end: a narrow trunk, judged on sequences that it has not seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.loss import evaluate, mean_loss
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.tracking.embedding import torch_embedding
from b2nn_tvm.tracking.metrics import tracking_score
from b2nn_tvm.tracking.scoring import score
from b2nn_tvm.tracking.siamese import LogisticLoss
from b2nn_tvm.tracking.tracker import Tracker, track
from b2nn_tvm.tracking.train import finetune, train
from tests.tracking.conftest import narrow_net

LOSS = LogisticLoss(5)


def average_overlap(net, videos):
    tracker = Tracker(torch_embedding(net.trunk), net.sizes)
    return tracking_score((video, track(tracker, video)) for video in videos).ao


def test_a_trained_tracker_beats_an_untrained_one_and_a_box_that_rests(trained):
    resting = tracking_score((video, np.repeat(video.boxes[:1], len(video), axis=0)) for video in trained.held_out).ao
    untrained = average_overlap(narrow_net(), trained.held_out)
    found = average_overlap(trained.net, trained.held_out)
    assert resting < 0.35 and untrained < 0.35
    assert found > max(resting, untrained) + 0.1


def test_the_loss_falls_and_responses_peak_where_the_target_is(trained):
    before, after = (mean_loss(net, trained.data.test_loader(), loss=LOSS) for net in (narrow_net(), trained.net))
    assert after < 0.8 * before
    assert evaluate(trained.net, trained.data.test_loader()) > 3 / 25  # of 25 cells, 9 of which occur


def test_the_same_seed_gives_the_same_weights(trained):
    small = replace(trained.data, train=replace(trained.data.train, pairs=16))
    first, second = narrow_net(), narrow_net()
    results = [train(net, small, epochs=1, batch=8) for net in (first, second)]
    assert results[0] == results[1] and results[0].history[0].stage == "float"
    assert all(torch.equal(one, other) for one, other in zip(first.state_dict().values(), second.state_dict().values()))


@pytest.fixture(scope="module")
def sensitivity(trained):
    return score("mixbin-loss", trained.net, trained.data.calibration(32, batch=32))


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
    "method", ["front", "bnas-relative", "mixbin-grad", "mbq-first-order", "greedy", "pseudo-random"]
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


def test_a_mixed_tracker_is_fine_tuned_in_two_stages_and_learns_from_its_teacher(trained, sensitivity):
    chosen = sensitivity.order[:6]
    mixed = trained.net.convert(chosen)
    small = replace(trained.data, train=replace(trained.data.train, pairs=64))
    before = mean_loss(mixed, trained.data.test_loader(), loss=LOSS)
    result = finetune(mixed, trained.net, small, epochs=2, lr=5e-3, batch=8, hardware=Hardware(threads=1))
    assert [record.stage for record in result.history] == ["binary-activations", "binary-weights"]
    assert mean_loss(mixed, trained.data.test_loader(), loss=LOSS) < before
    binary = {name for name, module in mixed.trunk.named_modules() if isinstance(module, BinaryConv2d)}
    assert binary == set(chosen) and all(
        module.weight_binary for module in mixed.modules() if isinstance(module, BinaryConv2d)
    )
    assert average_overlap(mixed, trained.held_out[:4]) > average_overlap(narrow_net(), trained.held_out[:4]) + 0.05
