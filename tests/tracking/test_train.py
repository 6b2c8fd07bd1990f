"""Training and fine-tuning end to end: a narrow trunk, judged on sequences that it has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.loss import evaluate, mean_loss
from b2nn_tvm.tracking.metrics import tracking_score
from b2nn_tvm.tracking.siamese import LogisticLoss
from b2nn_tvm.tracking.train import finetune, train
from tests.support.tracking.narrow import average_overlap, narrow_net

LOSS = LogisticLoss(5)


@pytest.mark.sweep
def test_a_trained_tracker_beats_an_untrained_one_and_a_box_that_rests(trained):
    resting = tracking_score((video, np.repeat(video.boxes[:1], len(video), axis=0)) for video in trained.held_out).ao
    untrained = average_overlap(narrow_net(), trained.held_out)
    found = average_overlap(trained.net, trained.held_out)
    assert resting < 0.35 and untrained < 0.35
    assert found > max(resting, untrained) + 0.1


@pytest.mark.sweep
def test_the_loss_falls_and_responses_peak_where_the_target_is(trained):
    before, after = (mean_loss(net, trained.data.test_loader(), loss=LOSS) for net in (narrow_net(), trained.net))
    assert after < 0.8 * before
    assert evaluate(trained.net, trained.data.test_loader()) > 3 / 25  # of 25 cells, 9 of which occur


@pytest.mark.sweep
def test_the_same_seed_gives_the_same_weights(trained):
    small = replace(trained.data, train=replace(trained.data.train, pairs=16))
    first, second = narrow_net(), narrow_net()
    results = [train(net, small, epochs=1, batch=8) for net in (first, second)]
    assert results[0] == results[1] and results[0].history[0].stage == "float"
    assert all(torch.equal(one, other) for one, other in zip(first.state_dict().values(), second.state_dict().values()))


@pytest.mark.sweep
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
