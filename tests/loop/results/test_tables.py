"""The tables of a result as text."""

from __future__ import annotations

import math
from dataclasses import replace

from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.results import tables
from b2nn_tvm.loop.results.result import SearchResult


def test_networks_have_a_row_each_and_one_for_the_mean(result: SearchResult) -> None:
    table = tables.networks(result)
    assert table.title == "<net> on A CPU, 1 thread, avx2" and table.marked == {1}
    assert table.rows[0] == ("all float", "0 of 2", "97.00", "-", "3.0000", "3.1000", "4")
    assert table.rows[1] == ("mixed", "1 of 2", "95.00", "2 ms", "1.8000", "1.9000", "2")
    assert table.rows[3][0] == "random (seed 7)"
    assert table.rows[-1][:1] + table.rows[-1][2:] == (
        "mean of 2 random",
        "91.00 ± 12.70",
        "2 ms",
        "-",
        "1.9000 ± 0.6000",
        "2",
    )


def test_observed_times_are_named_with_their_quantile(result: SearchResult) -> None:
    table = tables.networks(replace(result, quantile=0.9, budget="2.5ms@p90", limit=2.5))
    assert table.columns[4:6] == ("predicted p90 ms", "observed p90 ms") and table.rows[1][3] == "2.5 ms at p90"


def test_without_comparison_nothing_is_compared(result: SearchResult) -> None:
    alone = replace(result, rows=result.rows[:2], random_accuracy=None, random_ms=None)
    assert len(tables.networks(alone).rows) == 2


def test_every_round_has_a_row_with_what_it_delivered(result: SearchResult) -> None:
    (last,) = result.rounds
    first = replace(last, binary=(), harm=0.0, time=replace(last.time, ms=2.2, low_ms=2.1, high_ms=2.3), status="over")
    table = tables.rounds(replace(result, rounds=(first, replace(last, bound=1.7))))
    assert table.rows == (
        ("round 1", "2 ms", "1", "0 of 2", "0", "1.8 ms", "2.2 ms (2.1 to 2.3)", "over"),
        ("round 2", "1.7 ms", "1", "1 of 2", "0.1", "1.8 ms", "1.9 ms (1.88 to 1.92)", "kept"),
    )
    assert table.marked == {1}
    planned = tables.rounds(replace(result, rounds=(replace(last, harm=math.nan),), quantile=0.9))
    assert planned.rows[0][4] == "-" and planned.rows[0][6] == "2.4 ms"


def test_every_candidate_has_a_row(result: SearchResult) -> None:
    assert tables.candidates(result).rows == (("1", "1 of 2", "0.1", "1.8000", "1.9000"),)


def test_the_front_names_its_knee_and_leaves_open_what_is_not_known(result: SearchResult) -> None:
    points = (
        FrontPoint(("block.conv1",), 0.1, 1.9, 1.88, 1.92, accuracy=0.95, knee=True),
        FrontPoint((), 0.0, 3.1, math.nan, math.nan),
    )
    table = tables.front(replace(result, front=points))
    assert table.rows[0] == ("1 of 2 (the knee)", "0.1", "1.9000", "1.8800 to 1.9200", "95.00")
    assert table.rows[1] == ("0 of 2", "0", "3.1000", "-", "-") and table.marked == {0}
    bare = tables.front(replace(result, front=(points[1],)))
    assert bare.columns == ("binary", "harm", "measured ms") and bare.rows == (("0 of 2", "0", "3.1000"),)


def test_fronts_of_precisions_stand_beside_one_another(beside: SearchResult) -> None:
    table = tables.fronts(beside)
    assert table.columns == (
        "within ms",
        "harm, all precisions",
        "harm, binary alone",
        "harm, int8 alone",
        "layers, all precisions",
    )
    assert table.rows == (
        ("1.1000", "0.6", "0.6", "-", "2 binary"),
        ("1.6000", "0.12", "0.6", "-", "1 binary, 1 int8"),
        ("1.9000", "0.12", "0.1", "-", "1 binary, 1 int8"),
        ("2.1000", "0.03", "0.1", "0.03", "2 int8"),
        ("3.1000", "0", "0", "0", "all float"),
    )
    first, *others = beside.fronts
    fastest, *slower = first.points
    close = replace(first, points=(fastest, replace(fastest, ms=fastest.ms + 1e-6), *slower))
    assert tables.fronts(replace(beside, fronts=(close, *others))).rows == table.rows  # what looks the same is one
    assert tables.fronts(replace(beside, quantile=0.9)).columns[0] == "within p90 ms"


def test_columns_of_numbers_are_known() -> None:
    assert tables.is_numeric(["1.2", "-0.1", "-", ""]) and not tables.is_numeric(["1.2", "all float"])
