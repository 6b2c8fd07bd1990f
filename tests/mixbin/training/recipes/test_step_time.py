"""The time of an image is measured without a trace in the network."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm.mixbin.training.recipes.step_time import duration, seconds_per_image
from tests.support.mixbin.training import few_digits, network


def test_measuring_leaves_the_network_as_it_was() -> None:
    model, threads = network().eval(), torch.get_num_threads()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert 0 < seconds_per_image(model, few_digits(), threads=1) < 0.1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training and torch.get_num_threads() == threads
    assert all(each.grad is None for each in model.parameters())


@pytest.mark.parametrize(("seconds", "words"), [(20.0, "20 seconds"), (600.0, "10 minutes"), (9000.0, "2.5 hours")])
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
