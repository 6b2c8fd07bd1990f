"""The error says what the delivered libraries need, and what to do about it."""

from __future__ import annotations

import pytest

from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.over_budget import over_budget


def time(ms: float, low_ms: float, high_ms: float, *, p90_ms: float = 9.0) -> NetworkTime:
    return NetworkTime(("conv",), ms, 0.1, 900, 1, "A CPU", "avx2", (), low_ms, high_ms, 2 * ms, p90_ms, 10.0)


def test_the_fastest_of_several_is_given_with_its_interval() -> None:
    assert over_budget([time(2.05, 2.03, 2.0701), time(2.4, 2.3, 2.5)], 2.0) == (
        "the fastest of 2 delivered libraries needs 2.05 ms (95 % interval 2.03 to 2.07 ms), over the budget of 2 ms:"
        " allow at least 2.071 ms, or leave room with a budget of 1.96 ms"
    )


def test_where_the_interval_alone_is_over_a_finer_precision_is_named() -> None:
    assert over_budget([time(1.98, 1.95, 2.01)], 2.0) == (
        "the delivered library needs 1.98 ms, within the budget of 2 ms, but the 95 % interval of this time, 1.95 to"
        " 2.01 ms, reaches over it: measure with --precision 1%, or allow at least 2.01 ms"
    )


def test_no_precision_is_named_that_cannot_be_had() -> None:
    text = over_budget([time(1.999, 1.95, 2.01)], 2.0)
    assert text.endswith("1.95 to 2.01 ms, reaches over it: allow at least 2.01 ms")


def test_an_observed_time_is_given_beside_the_undisturbed_one() -> None:
    common = (
        "the delivered library took 2.4 ms at p90 of 900 observed runs, over the budget of 2 ms at p90 (undisturbed it"
        " needs {} ms): allow at least 2.4ms@p90, or measure anew with --fresh while nothing else runs there"
    )
    assert over_budget([time(2.1, 2.09, 2.11, p90_ms=2.4)], 2.0, quantile=0.9) == common.format(2.1)
    assert over_budget([time(1.9, 1.88, 1.92, p90_ms=2.4)], 2.0, quantile=0.9) == (
        f"{common.format(1.9)}, or give the budget as 2ms, which it keeps when nothing disturbs it"
    )


@pytest.mark.parametrize("ms", [0.0331249, 0.1, 2.07001, 9.9999, 12345.6])
def test_the_budget_that_it_names_is_kept(ms: float) -> None:
    words = over_budget([time(ms, ms, ms)], ms / 2)
    named = float(words.partition("allow at least ")[2].partition(" ms")[0])
    assert ms <= named <= 1.001 * ms
