"""What weights take of the caches: by brute force over all subsets, and in what selection makes of it."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.footprint import KNEE, Footprint
from b2nn_tvm.errors import InputError
from tests.support.mixbin.selections import SEEDS, crowded_instance, instance, subsets


def test_nothing_is_paid_up_to_the_knee_and_all_in_float() -> None:
    footprint = Footprint({"a": 350, "b": 50}, reload=8.0)
    partly = 8 * (0.875 - KNEE) / (1 - KNEE)
    assert footprint.filled(["b"]) == 0.875 and footprint.paid(["b"]) == pytest.approx(partly)
    assert footprint.paid([]) == 8 and footprint.paid(["a"]) == footprint.paid(["a", "b"]) == 0
    cost = AdditiveCost("ms", 1.0, {"a": 6.0, "b": 2.0}, {"a": 1.0, "b": 1.0}, footprint=footprint)
    assert [cost.total(chosen) for chosen in ((), ("a",), ("b",), ("a", "b"))] == pytest.approx(
        [9 + 8, 4, 8 + partly, 3]
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_minimum_is_that_of_all_subsets(seed: int) -> None:
    _, cost = crowded_instance(seed, 8)
    least = min(cost.total(chosen) for chosen in subsets(cost.names))
    assert least <= cost.minimum() <= least * (1 + 1e-12)
    _, mild = instance(seed, 8, kind="float")
    mild = replace(mild, footprint=Footprint(dict.fromkeys(mild.names, 1), 1e-3))
    assert mild.minimum() == min(mild.total(chosen) for chosen in subsets(mild.names))


@pytest.mark.parametrize("seed", [*SEEDS, 9])
def test_no_choice_becomes_dearer_without_the_layers_that_are_not_worthwhile(seed: int) -> None:
    _, cost = crowded_instance(seed)
    for chosen in subsets(cost.names):
        left = [name for name in chosen if name in cost.worthwhile]
        assert cost.total(left) <= cost.total(chosen) * (1 + 1e-12)


def test_a_layer_that_is_no_faster_may_pay_by_the_room_that_it_leaves() -> None:
    footprint = Footprint({"a": 1, "b": 1}, reload=4.0)
    cost = AdditiveCost("ms", 1.0, {"a": 2.0, "b": 5.0}, {"a": 2.1, "b": 5.1}, footprint=footprint)
    assert cost.worthwhile == ("a", "b")
    assert cost.minimum() == cost.total(["a"]) == cost.total(["b"]) < cost.full


def test_weights_of_more_bits_fill_more_room() -> None:
    """Eight bits are between one and 32 by seven of 31 bits."""
    footprint = Footprint({"a": 50, "b": 350}, reload=8.0)
    assert footprint.filled(["a@int8", "b@int8"]) == pytest.approx(7 / 31)
    assert footprint.filled(["a@int8"]) == pytest.approx(0.125 * 7 / 31 + 0.875)
    most = footprint.most_spared(["a", "a@int8", "b"])
    assert most == pytest.approx({"a": 1 / (1 - KNEE), "a@int8": 24 / 31 / (1 - KNEE), "b": 8.0})
    assert all(footprint.reload - footprint.paid([each]) == pytest.approx(spared) for each, spared in most.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reload": -1.0}, "loading weights again: expected a finite number"),
        ({"reload": math.nan}, "loading weights again: expected a finite number"),
        ({"weights": {"a": -3}}, "a: expected a finite number"),
        ({"weights": {}}, "at least one layer with weights"),
    ],
)
def test_what_is_no_footprint_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Footprint(**{"weights": {"a": 1}, "reload": 1.0} | changes)


def test_a_footprint_of_other_layers_is_refused() -> None:
    with pytest.raises(InputError, match="no cost is known for z"):
        AdditiveCost("ms", 1.0, {"a": 1.0}, {"a": 0.5}, footprint=Footprint({"z": 1}, 1.0))


def test_tangents_are_never_above() -> None:
    draw = random.Random(3)
    footprint = Footprint({name: draw.randint(1, 9) for name in "abcdef"}, reload=2.0)
    for chosen in subsets("abcdef"):
        share = footprint.filled(chosen)
        for at in (0.0, 0.3, share, 1.0):
            slopes = [footprint.slope(name, "binary" if name in chosen else "float", at) for name in "abcdef"]
            tangent = sum(slopes) - (footprint.reload * KNEE / (1 - KNEE) if at >= KNEE else 0)
            assert tangent <= footprint.paid(chosen) + 1e-12
            assert at != share or tangent == pytest.approx(footprint.paid(chosen), abs=1e-12)
