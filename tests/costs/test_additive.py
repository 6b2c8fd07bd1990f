from dataclasses import dataclass
from fractions import Fraction

import pytest

from b2nn_tvm.costs.additive import AdditiveCost, Budget, bytes_cost, flops_cost, parse_budget
from b2nn_tvm.costs.transitions import Transition
from b2nn_tvm.errors import InputError
from b2nn_tvm.workload import ConvWorkload


@dataclass(frozen=True)
class Row:
    name: str
    workload: ConvWorkload | None
    eligible: bool


ROWS = (
    Row("stem", ConvWorkload(1, 3, 8, 8, 16, (3, 3), padding=(1, 1, 1, 1)), False),
    Row("a", ConvWorkload(1, 16, 8, 8, 16, (3, 3), padding=(1, 1, 1, 1)), True),
    Row("b", ConvWorkload(1, 12, 8, 8, 16, (1, 1)), True),
    Row("fc", None, False),
)


@pytest.mark.parametrize(
    ("text", "value", "unit", "relative"),
    [
        ("12ms", 12, "ms", False),
        ("800us", Fraction(4, 5), "ms", False),
        (" 0.5 S ", 500, "ms", False),
        ("40%flops", 40, "flops", True),
        ("12.5 % ms", Fraction(25, 2), "ms", True),
        ("40%bytes", 40, "bytes", True),
        ("300KiB", 307200, "bytes", False),
        ("1.2MB", 1200000, "bytes", False),
        ("100b", 100, "bytes", False),
        ("1.5MFLOPs", 1500000, "flops", False),
        (".1gflops", 10**8, "flops", False),
    ],
)
def test_budgets_are_read(text, value, unit, relative):
    assert parse_budget(text) == Budget(value, unit, relative)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12", "no unit"),
        ("40%", "no unit"),
        ("-3ms", "positive"),
        ("0ms", "above zero"),
        ("12 parsecs", "unknown unit 'parsecs'"),
        ("40%kib", "percentage"),
        ("", "positive"),
        ("ms", "positive"),
        ("1e3ms", "positive"),
        ("nanms", "positive"),
        ("12ms@p95", "unknown quantile '@p95'; write one of @p50, @p90, @p99"),
        ("12ms@", "unknown quantile '@'"),
        ("40%flops@p90", "milliseconds such as 12ms@p90, not one in flops"),
        ("300KiB@p50", "not one in bytes"),
    ],
)
def test_what_is_no_budget_is_refused_with_examples(text, message):
    with pytest.raises(InputError, match=message):
        parse_budget(text)


@pytest.mark.parametrize(
    ("text", "quantile"), [("12ms", None), ("12ms@p50", 0.5), ("800us@P90", 0.9), ("40%ms @p99", 0.99)]
)
def test_a_quantile_of_observed_times_follows_the_amount(text, quantile):
    assert parse_budget(text).quantile == quantile


def test_a_quantile_that_is_none_is_refused():
    with pytest.raises(InputError, match="one of @p50, @p90, @p99, not 0.95"):
        Budget(12, "ms", quantile=0.95)


@pytest.mark.parametrize("text", ["12ms", "40%flops", "0.8ms", "307200bytes", "12ms@p90", "40%ms@p99"])
def test_a_budget_prints_as_it_is_read(text):
    assert parse_budget(str(parse_budget(text))) == parse_budget(text)
    assert str(parse_budget(text)) == text


def test_a_relative_budget_is_exact():
    cost = AdditiveCost("flops", 1, {"a": 41_408_767}, {"a": 0})
    assert parse_budget("40%flops").limit(cost) == Fraction(41_408_768 * 2, 5)


def test_a_budget_of_another_unit_is_refused():
    with pytest.raises(InputError, match="ms.*flops"):
        parse_budget("3ms").limit(AdditiveCost("flops", 1, {}, {}))


def test_flops_count_a_binary_conv_as_macs_over_64():
    total = 1_000_000
    cost = flops_cost(ROWS, total=total)
    macs = 8 * 8 * 16 * 16 * 9
    assert cost.names == ("a", "b")
    assert cost.full == total
    assert cost.total(["a"]) == total - macs + macs // 64
    assert cost.fixed_parts == {"stem": 8 * 8 * 16 * 3 * 9}


def test_resnet20_has_the_printed_counts():
    """MixBin's cResNet-20: 4.14e7 full, 1.93e6 with all 18 convs binary."""
    shapes = (
        [(16, 16, 32, 1)] * 6 + [(16, 32, 32, 2)] + [(32, 32, 16, 1)] * 5 + [(32, 64, 16, 2)] + [(64, 64, 8, 1)] * 5
    )
    rows = [
        Row(f"conv{i}", ConvWorkload(1, c, size, size, o, (3, 3), (s, s), (1, 1, 1, 1)), True)
        for i, (c, o, size, s) in enumerate(shapes)
    ]
    cost = flops_cost(rows, total=41_408_768)
    assert cost.full == 41_408_768
    assert cost.minimum() == 1_927_424


def test_bytes_count_packed_taps_and_scales():
    cost = bytes_cost(ROWS, total=100_000)
    assert cost.float_cost["a"] == 16 * 16 * 9 * 4
    assert cost.binary_cost["a"] == 16 * 16 * 9 // 8 + 16 * 4
    assert cost.binary_cost["b"] == 16 * 2 + 16 * 4  # 12 channels take two bytes
    assert cost.full == 100_000


def test_totals_bounds_and_layers_that_do_not_pay():
    cost = AdditiveCost("ms", 1.0, {"a": 4.0, "b": 1.0, "c": 2.0}, {"a": 1.0, "b": 1.5, "c": 2.0})
    assert cost.full == 8.0
    assert cost.worthwhile == ("a",)
    assert cost.minimum() == 5.0
    assert cost.maximum() == 8.5
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
    assert cost.maximum() == cost.total(["a", "b"]) == Fraction(29, 2)
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
    with pytest.raises(InputError, match="less than the sum"):
        flops_cost(ROWS, total=10)
