"""The learning rate of each step, and which parameters have weight decay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.recipes.optimization import PLAIN, Optimization


def test_the_rate_rises_over_the_warm_up_and_then_falls_to_nearly_nothing() -> None:
    cosine = Optimization(schedule="cosine", warmup=0.1)
    rates = [cosine.rate(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == pytest.approx(1.0) and rates[55] == pytest.approx(0.5)
    assert rates[9:] == sorted(rates[9:], reverse=True) and 0 < rates[-1] < 0.001


def test_a_linear_fall_needs_no_warm_up() -> None:
    assert [PLAIN.rate(step, 4) for step in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.25]
    assert [Optimization(warmup=0.5).rate(step, 4) for step in range(4)] == [0.5, 1.0, 1.0, 0.5]


def test_the_average_looks_back_on_a_share_of_the_steps() -> None:
    average = Optimization(average=0.02)
    assert average.decay_of_average(5000) == pytest.approx(0.99)
    assert average.decay_of_average(10) == 0.0  # fewer steps than one: the last weights


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_vectors_and_named_parameters_can_go_without_decay(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1, bias=False))
    network[2].weight.requires_grad_(False)
    decayed = lambda how, undecayed=frozenset(): {
        id(each): group["weight_decay"]
        for group in how.make(network.named_parameters(), lr=0.1, decay=0.5, undecayed=undecayed).param_groups
        for each in group["params"]
    }
    plain = decayed(Optimization(name))
    assert set(plain.values()) == {0.5} and id(network[2].weight) not in plain
    spared = decayed(Optimization(name, decay_vectors=False))
    assert {key for key, decay in spared.items() if decay} == {id(network[0].weight)}
    assert set(decayed(Optimization(name, decay_vectors=False), frozenset({"0.weight"})).values()) == {0.0}
    kind = torch.optim.Adam if name == "adam" else torch.optim.SGD
    assert isinstance(Optimization(name).make(network.named_parameters(), lr=1, decay=0, undecayed=frozenset()), kind)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "lion"}, "unknown optimizer 'lion'; choose one of adam, sgd"),
        ({"schedule": "step"}, "unknown schedule 'step'"),
        ({"warmup": 1.0}, "the warm-up takes a share"),
        ({"average": -0.1}, "the average takes a share"),
    ],
)
def test_nonsense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Optimization(**options)
