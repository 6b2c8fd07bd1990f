from fractions import Fraction

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.transitions import Transition
from b2nn_tvm.errors import InputError


def test_totals_bounds_and_layers_that_do_not_pay():
    cost = AdditiveCost("ms", 1.0, {"a": 4.0, "b": 1.0, "c": 2.0}, {"a": 1.0, "b": 1.5, "c": 2.0})
    assert cost.full == 8.0
    assert cost.worthwhile == ("a",)
    assert cost.minimum() == 5.0
    assert cost.total(["a", "b"]) == 5.5


def test_whole_totals_are_integers():
    cost = AdditiveCost("flops", 1, {"a": 64}, {"a": Fraction(1)})
    assert isinstance(cost.total(["a"]), int)


def test_shared_costs_are_part_of_every_total():
    """Each of b and c alone saves 1 and costs a pack of 1.5; a float copy of 4 is kept until both are binary."""
    pack = Transition(("b", "c"), "binary", Fraction(3, 2), "signs")
    copy = Transition(("b", "c"), "float", 4, "float copy")
    cost = AdditiveCost("ms", 1, {"a": 4, "b": 2, "c": 2}, {"a": 5, "b": 1, "c": 1}, transitions=(pack, copy))
    assert cost.full == 1 + 8 + 4
    assert cost.total(["b"]) == 1 + 7 + 4 + Fraction(3, 2)
    assert cost.worthwhile == ("b", "c") and cost.minimum() == 1 + 6 + Fraction(3, 2)
    assert cost.saving("b") == 1


def test_wrong_costs_are_refused():
    with pytest.raises(InputError, match="no cost is known for z; the layers are a"):
        AdditiveCost("ms", 0, {"a": 1}, {"a": 1}, transitions=(Transition(("a", "z"), "float", 1, "copy"),))
    with pytest.raises(InputError, match="missing for b"):
        AdditiveCost("ms", 0, {"a": 1, "b": 1}, {"a": 1})
    with pytest.raises(InputError, match="of a is nan"):
        AdditiveCost("ms", 0, {"a": float("nan")}, {"a": 1})
    with pytest.raises(InputError, match="fixed part is -1"):
        AdditiveCost("ms", -1, {}, {})
    with pytest.raises(InputError, match="no cost is known for z; the layers are a"):
        AdditiveCost("ms", 0, {"a": 1}, {"a": 1}).total(["z"])


def options(**changes):
    given = {
        "unit": "bytes",
        "fixed": 5,
        "float_cost": {"a": 40, "b": 20, "c": 8},
        "binary_cost": {"b@int8": 6, "a": 2, "a@int8": 11, "c@int8": 9, "b@w1a2": 4},
    }
    return AdditiveCost(**(given | changes))


def test_layers_of_several_options_cost_what_is_chosen():
    cost = options()
    assert cost.names == ("a", "a@int8", "b@int8", "b@w1a2", "c@int8") and cost.has_alternatives
    assert (cost.full, cost.total(("a", "b@w1a2")), cost.total(("a@int8", "c@int8"))) == (73, 19, 45)
    assert cost.cheapest == cost.fewest_bits == ("a", "b@w1a2") and cost.minimum() == 19
    assert cost.worthwhile == ("a", "a@int8", "b@int8", "b@w1a2")
    assert cost.saving("c@int8") == -1
    with pytest.raises(InputError, match="a is to be"):
        cost.total(("a", "a@int8"))
    with pytest.raises(InputError, match="no cost is known for b"):
        cost.total(("b",))


def test_layers_of_one_option_have_no_alternatives():
    cost = options(binary_cost={"a@int8": 11, "b@int8": 6, "c@int8": 9})
    assert not cost.has_alternatives and cost.fewest_bits == cost.names == ("a@int8", "b@int8", "c@int8")
    assert cost.worthwhile == cost.cheapest == ("a@int8", "b@int8") and cost.minimum() == 5 + 11 + 6 + 8


def test_alternatives_share_costs_by_their_precision():
    shared = (Transition(("a", "b"), "float", 10, "a float copy"), Transition(("a", "c"), "int8", 3, "codes"))
    cost = options(transitions=shared)
    assert [cost.total(choice) for choice in ((), ("a", "b@w1a2"), ("a@int8", "c@int8"))] == [83, 19, 45 + 10 + 3]
    assert cost.minimum() == 19 and set(cost.worthwhile) == {"a", "a@int8", "b@int8", "b@w1a2"}
    with pytest.raises(InputError, match="no cost is known for z"):
        options(transitions=(Transition(("z",), "binary", 1, "packing"),))
