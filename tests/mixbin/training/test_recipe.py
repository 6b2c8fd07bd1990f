"""A recipe has numbers above zero."""

from __future__ import annotations

import math

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.recipe import Recipe
from b2nn_tvm.mixbin.training.train import train
from tests.support.mixbin.training import network

GOOD = {"stage": "float", "epochs": 2, "lr": 0.1, "decay": 0.0, "batch": 8, "seed": 0}


def test_nonsense_is_refused(data):
    with pytest.raises(InputError, match="learning rate is 0"):
        train(network(), data, epochs=1, lr=0)
    with pytest.raises(InputError, match="number of epochs is -1"):
        train(network(), data, epochs=-1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": math.nan}, "the learning rate is nan; expected a number above zero"),
        ({"lr": math.inf}, "the learning rate is inf"),
        ({"batch": 0}, "the batch size is 0"),
        ({"epochs": 0}, "the number of epochs is 0"),
    ],
)
def test_each_number_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        Recipe(**{**GOOD, **changes})


def test_no_decay_and_seed_zero_are_fine_and_all_is_decayed_unless_said():
    recipe = Recipe(**GOOD)
    assert (recipe.decay, recipe.seed, recipe.undecayed) == (0.0, 0, frozenset())
