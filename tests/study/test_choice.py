"""Choices under one budget come to cost the same, and keep it."""

from __future__ import annotations

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.study.choice import Choice, choose, equalize, top_up

# Two small layers and four large ones, as in cResNet-20: binary layers cost nothing here.
COST = AdditiveCost("flops", 0, {"a": 10, "b": 10, "c": 5, "d": 10, "e": 10, "f": 5}, dict.fromkeys("abcdef", 0))
FRONT = {name: float(index) for index, name in enumerate("abcdef")}
SMALL_FIRST = {name: float(index) for index, name in enumerate("cabdef")}


def test_the_last_layer_gives_way_to_a_smaller_one() -> None:
    # 15 must go: the sort takes a and b, and leaves 30 of 35; a and c leave 35.
    chosen = choose(FRONT, COST, 35)
    assert chosen == Choice(("a", "b"), 30, False)
    assert top_up(chosen, FRONT, COST, 35) == Choice(("a", "c"), 35, True)


def test_layers_return_to_float_where_the_limit_allows_it() -> None:
    # 20 must go: the sort takes c, a and b, and leaves 25 of 30; without c 30 are left.
    chosen = choose(SMALL_FIRST, COST, 30)
    assert chosen == Choice(("a", "b", "c"), 25, False)
    assert top_up(chosen, SMALL_FIRST, COST, 30) == Choice(("a", "b"), 30, True)


def test_a_choice_that_spends_the_budget_stays() -> None:
    chosen = choose(FRONT, COST, 30)
    assert top_up(chosen, FRONT, COST, 30) == chosen == Choice(("a", "b"), 30, False)


@pytest.mark.parametrize(("tolerance", "costs"), [(0.0, [35, 35]), (0.2, [30, 35])])
def test_only_choices_beyond_the_tolerance_are_changed(tolerance: float, costs: list[int]) -> None:
    scores = [FRONT, SMALL_FIRST]
    choices = [choose(each, COST, 35) for each in scores]
    assert [choice.flops for choice in choices] == [30, 35]
    assert [choice.flops for choice in equalize(choices, scores, COST, 35, tolerance=tolerance)] == costs


def test_no_method_no_choice() -> None:
    assert equalize([], [], COST, 35, tolerance=0) == []
