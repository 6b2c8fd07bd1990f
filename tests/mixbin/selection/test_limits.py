"""The limits of several budgets, and the layers that are worth a thought under all of them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.costs.transitions import Transition
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.mixbin.selection.limits import considered, limits_of, none_keeps, refuse_impossible
from tests.support.mixbin.selections import SEEDS, shared_instance, subsets

TIME = AdditiveCost("ms", 1, {"a": 4, "b": 2}, {"a": 1, "b": 3}, {"stem": 1})
SIZE = AdditiveCost("bytes", 0, {"a": 10, "b": 10}, {"a": 10, "b": 1})


def test_budgets_and_numbers_become_limits_in_the_unit_of_their_cost() -> None:
    first, second = limits_of([(TIME, Budget(50, "ms", relative=True)), (SIZE, 11)])
    assert (first.value, str(first)) == (Fraction(7, 2), "3.5 ms")
    assert (second.value, str(second)) == (11, "11 bytes")
    assert second.keeps(["b"]) and not second.keeps(["a"])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ((SIZE, Budget(3, "flops")), "in flops, but the cost model counts bytes"),
        ((SIZE, -1), "the budget is -1 bytes; expected a number above zero"),
        ((AdditiveCost("bytes", 0, {"a": 1}, {"a": 1}), 5), "different layers; expected both for b"),
    ],
)
def test_what_cannot_be_kept_together_is_refused(other: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        limits_of([(TIME, 3), other])


def test_the_budget_that_cannot_be_kept_is_named() -> None:
    with pytest.raises(BudgetError, match="at most 10 bytes: .* costs 11 bytes .* a .10 bytes"):
        refuse_impossible(limits_of([(TIME, 4), (SIZE, 10)]))
    with pytest.raises(BudgetError, match="at most 3 ms: .* costs 4 ms .* because of layers that stay float: b"):
        refuse_impossible(limits_of([(TIME, 3), (SIZE, 11)]))
    refuse_impossible(limits_of([(TIME, 4), (SIZE, 11)]))
    assert "budgets 4 ms and 11 bytes can be kept alone" in str(none_keeps(limits_of([(TIME, 4), (SIZE, 11)])))


def test_a_layer_that_saves_under_any_of_the_budgets_is_considered() -> None:
    assert considered([TIME]) == TIME.worthwhile == ("a",)
    assert considered([SIZE]) == ("b",)
    assert considered([TIME, SIZE]) == considered([SIZE, TIME]) == ("a", "b")


def test_a_layer_that_pays_only_once_another_budget_asks_for_its_partner_is_considered() -> None:
    """Bytes ask for a; with a binary, b would spare the float copy that both read, and with it milliseconds."""
    copy = Transition(("a", "b"), "float", 3, "float copy")
    time = AdditiveCost("ms", 1, {"a": 1, "b": 1}, {"a": 4, "b": 3}, transitions=(copy,))
    size = AdditiveCost("bytes", 0, {"a": 10, "b": 1}, {"a": 1, "b": 1})
    assert time.worthwhile == () and size.worthwhile == ("a",)
    assert considered([time, size]) == ("a", "b")


@pytest.mark.parametrize("seed", SEEDS)
def test_no_cost_rises_without_the_layers_that_are_not_considered(seed: int) -> None:
    costs = [shared_instance(seed, 7)[1], shared_instance(seed + 50, 7)[1]]
    names = considered(costs)
    for chosen in subsets(costs[0].names):
        kept = [name for name in chosen if name in names]
        assert all(cost.total(kept) <= cost.total(chosen) for cost in costs)
