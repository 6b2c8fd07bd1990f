"""Costs that layers share: the cheapest choice against brute force over all subsets."""

from __future__ import annotations

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.options import precisions_of
from b2nn_tvm.costs.transitions import Transition, cheapest_choice
from b2nn_tvm.errors import InputError
from tests.support.mixbin.selections import SEEDS, shared_instance, subsets

PACK = Transition(("a", "b"), "binary", 3, "the signs of x")
COPY = Transition(("a", "b"), "float", 2, "the float copy of x")


def test_a_shared_cost_is_paid_once_and_by_whoever_causes_it() -> None:
    choices = [precisions_of(chosen) for chosen in ((), ("a",), ("b",), ("a", "b"), ("c",), ("a", "b@int8"))]
    assert [PACK.is_paid(chosen) for chosen in choices] == [0, 1, 1, 1, 0, 1]
    assert [COPY.is_paid(chosen) for chosen in choices] == [1, 1, 1, 0, 1, 0]
    codes = Transition(("a", "b"), "int8", 3, "the codes of x")
    assert [codes.is_paid(chosen) for chosen in choices] == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": ()}, "'signs' names no layer"),
        ({"when": "ternary"}, "is 'ternary'; expected float, binary, int8"),
        ({"cost": -1}, "is -1; expected a finite number"),
        ({"cost": float("nan")}, "is nan; expected a finite number"),
    ],
)
def test_what_is_no_shared_cost_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Transition(**{"layers": ("a",), "when": "binary", "cost": 1, "reason": "signs"} | changes)


@pytest.mark.parametrize("kind", ["int", "fraction", "float"])
@pytest.mark.parametrize("seed", range(20))
def test_the_cheapest_of_all_subsets(seed: int, kind: str) -> None:
    _, cost = shared_instance(seed, 7, kind=kind)
    everything = list(subsets(cost.names))
    least = min(cost.total(chosen) for chosen in everything)
    assert cost.minimum() == least
    if kind != "float":  # rounded sums have ties that exact ones do not have
        cheapest = [set(chosen) for chosen in everything if cost.total(chosen) == least]
        assert set(cost.worthwhile) == set.intersection(*cheapest) in cheapest


@pytest.mark.parametrize("seed", range(10))
def test_the_cheapest_choice_that_includes_given_layers(seed: int) -> None:
    _, cost = shared_instance(seed, 7)
    for given in (cost.names[:1], cost.names[2:4], cost.names):
        found = cost.worthwhile_with(given)
        wanted = [chosen for chosen in subsets(cost.names) if set(given) <= set(chosen)]
        assert set(given) <= set(found) and cost.total(found) == min(map(cost.total, wanted))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_choice_becomes_dearer_without_the_layers_that_are_not_worthwhile(seed: int) -> None:
    _, cost = shared_instance(seed)
    for chosen in subsets(cost.names):
        assert cost.total([name for name in chosen if name in cost.worthwhile]) <= cost.total(chosen)


def test_a_pack_pays_only_for_enough_readers() -> None:
    """Each layer saves 2, and the signs that both read cost 3: neither pays alone, but both together do."""
    float_cost, binary_cost = {"a": 3, "b": 3}, {"a": 1, "b": 1}
    assert cheapest_choice(float_cost, binary_cost, [PACK]) == ("a", "b")
    assert cheapest_choice(float_cost, {**binary_cost, "b@int8": 1}, [PACK, COPY]) == ("a", "b")
    dear = Transition(("a", "b"), "binary", 4, "dear signs")
    assert cheapest_choice(float_cost, {"a@int8": 2, **binary_cost, "b@int8": 2}, [dear]) == ("a@int8", "b@int8")
    cost = AdditiveCost("ms", 0, float_cost, binary_cost, transitions=(PACK,))
    assert [cost.total(chosen) for chosen in ((), ("a",), ("b",), ("a", "b"))] == [6, 7, 7, 5]
