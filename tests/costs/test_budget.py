from fractions import Fraction

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget, parse_budget
from b2nn_tvm.errors import InputError


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
        ("2GiB", 2**31, "bytes", False),
        ("300\N{MICRO SIGN}s", Fraction(3, 10), "ms", False),
        ("300\N{GREEK SMALL LETTER MU}s", Fraction(3, 10), "ms", False),
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
        ("200%ms", "more than the float network needs; give at most 100"),
        ("", "positive"),
        ("ms", "positive"),
        ("1e3ms", "positive"),
        ("nanms", "positive"),
        ("12ms@p95", "unknown quantile '@p95'; write one of @p50, @p90, @p99"),
        ("12ms@", "unknown quantile '@'"),
        ("40%flops@p90", "milliseconds such as 12ms@p90, not one in flops"),
        ("300KiB@p50", "not one in bytes"),
        ("12ms,300KiB", "one budget without a comma"),
        ("12,5ms", "decimals with a point"),
        ("300K", r"unknown unit 'k'; did you mean 300KiB\?"),
        ("12 msec", r"did you mean 12ms\?"),
        ("1.5 mflop", r"did you mean 1.5MFLOPs\?"),
        ("30 fps", "the time of one frame, which is 33.33ms"),
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


@pytest.mark.parametrize(
    "text", ["12ms", "40%flops", "0.8ms", "307200bytes", "12ms@p90", "40%ms@p99", "300KiB", "0.3s"]
)
def test_a_budget_prints_as_it_is_read(text):
    assert parse_budget(str(parse_budget(text))) == parse_budget(text)
    assert str(parse_budget(text)) == text


def test_a_relative_budget_is_exact():
    cost = AdditiveCost("flops", 1, {"a": 41_408_767}, {"a": 0})
    assert parse_budget("40%flops").limit(cost) == Fraction(41_408_768 * 2, 5)


def test_a_budget_of_another_unit_is_refused():
    with pytest.raises(InputError, match="ms.*flops"):
        parse_budget("3ms").limit(AdditiveCost("flops", 1, {}, {}))
