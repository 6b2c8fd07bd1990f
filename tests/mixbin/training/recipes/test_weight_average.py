"""The trained network is the average of its weights, also where a training is resumed or found finished."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from b2nn_tvm.mixbin.training.recipes.optimization import Optimization
from b2nn_tvm.mixbin.training.train import train
from tests.support.mixbin.training import StopAfter, few_digits, network, same, stop_after

AVERAGED = Optimization("sgd", "cosine", warmup=0.1, average=0.1)


@pytest.fixture(scope="module")
def data():
    return few_digits()


def test_the_weights_are_the_moving_average_of_the_steps(data, monkeypatch) -> None:
    """Against the recurrence average <- decay * average + (1 - decay) * weights, which begins with the first step's."""
    model, seen = network(), []
    step = torch.optim.SGD.step

    def watched(self, *arguments, **options):
        result = step(self, *arguments, **options)
        seen.append(model[0].weight.detach().clone())
        return result

    monkeypatch.setattr(torch.optim.SGD, "step", watched)
    train(model, data, epochs=2, lr=0.05, batch=32, optimization=AVERAGED)
    decay, average = AVERAGED.decay_of_average(20), seen[0]
    for weights in seen[1:]:
        average = decay * average + (1 - decay) * weights
    assert len(seen) == 20
    torch.testing.assert_close(model[0].weight, average, rtol=1e-5, atol=1e-6)
    assert not torch.equal(model[0].weight, seen[-1])


def test_a_resumed_average_equals_an_uninterrupted_one(data, tmp_path) -> None:
    run = lambda model, **options: train(model, data, epochs=3, batch=32, optimization=AVERAGED, **options)
    whole, broken, resumed, found = (network() for _ in range(4))
    expected = run(whole)
    with pytest.raises(StopAfter):
        run(broken, workdir=tmp_path, progress=stop_after(15))
    assert run(resumed, workdir=tmp_path) == expected
    assert run(found, workdir=tmp_path) == expected  # all its epochs are in the checkpoint
    assert same(whole, resumed) and same(whole, found)


def test_the_validation_is_of_the_average(data) -> None:
    """With a span of one step the average is the weights themselves, and so is its accuracy."""
    narrow = replace(AVERAGED, average=1e-9)
    plain = train(network(), data, epochs=2, optimization=replace(AVERAGED, average=0.0))
    assert train(network(), data, epochs=2, optimization=narrow) == plain
