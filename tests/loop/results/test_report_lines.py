"""The findings of a search in sentences."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from b2nn_tvm.loop.choose_by_flops import FlopsChoice
from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.delivery import OtherAnswer
from b2nn_tvm.loop.measuring.int8_beside import Int8Beside
from b2nn_tvm.loop.measuring.measure_costs import UnprofitableLayer
from b2nn_tvm.loop.results import report
from b2nn_tvm.loop.results.report_lines import lines
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.mixbin.progressive.driver import Step
from b2nn_tvm.plan import Certificate


def test_lines_say_whether_the_budget_was_kept(result: SearchResult) -> None:
    text = "\n".join(lines(result))
    assert "achieved 1.9 ms (kept, 5.0% to spare)" in text
    assert "the prediction was 5.3% too low" in text
    assert "4 networks predicted before they were measured: median error 5.3%, worst 7.7%" in text
    assert "359 of them" in text and "seeds 7, 9" in text
    assert "mixed 95.00 % is not told apart from the mean 91.00 ± 12.70 %" in text
    assert "exceeded by 5.0%" in "\n".join(lines(replace(result, achieved=2.1)))


def test_images_on_which_the_library_names_another_class_than_torch_are_named(result: SearchResult) -> None:
    others = tuple(OtherAnswer(index, 1, 2, 0.0004) for index in (3, 17, 40, 41))
    text = "\n".join(lines(replace(result, labels=("cat", "dog", "hen"), agreeing=356, other_answers=others)))
    assert "356 of them; another one on image 3 (hen, in torch dog, scores 0.04% apart)" in text
    assert text.count("in torch dog") == 3 and "and 1 more, in report.json" in text
    assert "in torch class 1" in "\n".join(lines(replace(result, labels=None, other_answers=others[:1])))


def test_a_prediction_that_is_right_is_neither_high_nor_low(result: SearchResult) -> None:
    right = replace(result, predicted=1.9001, measured_ms=1.9, achieved=1.9)
    assert "the prediction was right to 0.1%" in "\n".join(lines(right))


def test_an_accuracy_outside_of_the_interval_is_above_or_below_it(result: SearchResult) -> None:
    close = replace(result, random_accuracy=Interval(0.91, 0.03, 2))
    assert "mixed 95.00 % is above the mean 91.00 ± 3.00 %" in "\n".join(lines(close))
    single = replace(result, random_accuracy=Interval(0.91, math.inf, 1))
    assert "is not told apart from the mean 91.00 %" in "\n".join(lines(single))


def test_one_definition_of_the_error_of_a_prediction(result: SearchResult) -> None:
    """The delivered network is among those whose worst error is said; its own error is never larger."""
    text = "\n".join(lines(replace(result, predicted=1.33, measured_ms=1.9, achieved=1.9)))
    assert "the prediction was 30.0% too low" in text and "worst 30.0%" in text


def test_int8_beside_the_library_is_said_where_it_was_measured(result: SearchResult) -> None:
    assert "onnxruntime" not in "\n".join(lines(result))
    text = "\n".join(lines(replace(result, int8=Int8Beside(0.3, 0.2, 0.955, 2048, "1.2"))))
    assert "onnxruntime 1.2 runs the float network in int8 in 0.3 ms" in text
    assert "takes 0.2 ms in the same turns and is 1.50 times as fast" in text and "95.50 %, its file has 2 KiB" in text


def test_the_fronts_are_compared_within_the_budget(beside: SearchResult) -> None:
    (line,) = (line for line in lines(beside) if line.startswith("the least harm measured"))
    assert line == (
        "the least harm measured within 2 ms: all precisions 0.12 (1 binary, 1 int8); binary alone 0.1 (1 binary);"
        " int8 alone no choice as fast"
    )
    in_bytes = replace(beside, unit="bytes", limit=1000.0)
    assert any("measured within 1.9 ms: all precisions 0.12" in line for line in lines(in_bytes))


def test_rounds_before_the_last_one_are_told(result: SearchResult) -> None:
    assert "did not keep the budget for certain came first" not in "\n".join(lines(result))
    (last,) = result.rounds
    first = replace(last, time=replace(last.time, ms=2.2), status="over")
    text = "\n".join(lines(replace(result, rounds=(first, last))))
    assert "2 rounds" in text and "1 binary layer at 2.2 ms (over)" in text


def test_random_choices_of_another_time_are_said_to_be(result: SearchResult) -> None:
    assert "away from the chosen" not in "\n".join(lines(result))
    rows = [replace(row, measured_ms=2.09) if row.seed == 7 else row for row in result.rows]
    text = "\n".join(lines(replace(result, rows=tuple(rows))))
    assert "1 of their times is more than 3% away from the chosen network's, at most 10.0%" in text


def test_lines_say_what_binary_layers_are_and_how_they_became_it(result: SearchResult) -> None:
    steps = (Step("block.conv1", 0.3, 0.951),)
    text = "\n".join(
        lines(replace(result, conversion=ConversionOptions("distribution-aware", "prelu", -1, True), steps=steps))
    )
    assert "binary layers have distribution-aware weights, prelu in front, borders of -1, learned thresholds" in text
    assert "one after the other, with this validation accuracy after each: block.conv1 95.1 %" in text
    assert "one after the other" not in "\n".join(lines(result))


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (Certificate(0.25, 0.25, 0.0, "exact"), "is 0.25, proven to be the least of all choices within the bound"),
        (
            Certificate(0.25, 0.2, 0.05, "exact"),
            "no choice within the bound has less than 0.2, which leaves a gap of 0.05",
        ),
        (Certificate(0.25, None, None, "sort"), "is 0.25; the solver sort proves nothing of it"),
    ],
)
def test_what_is_proven_of_the_choice_is_said_in_a_line_and_in_json(result: SearchResult, certificate, words) -> None:
    proven = replace(result, plan=replace(result.plan, certificate=certificate))
    assert sum(words in line for line in lines(proven)) == 1
    found = report.document(proven)["plan"]["certificate"]
    assert found == {
        "objective": 0.25,
        "bound": certificate.bound,
        "gap": certificate.gap,
        "solver": certificate.solver,
    }
    assert report.document(result)["plan"]["certificate"] is None
    assert not any("summed harm" in line for line in lines(result))


def test_a_budget_on_observed_times_is_named_with_its_quantile(result: SearchResult) -> None:
    over = FlopsChoice(("block.conv2",), 2.5e6, 2.75, 0.5, keeps=False)
    late = replace(result, quantile=0.9, limit=2.5, achieved=2.4, measured_ms=2.4, by_flops=over)
    text = "\n".join(lines(late))
    assert "budget 2.5 ms at p90: achieved 2.4 ms (kept, 4.0% to spare)" in text
    assert "predicted 1.8 ms, measured 2.4 ms at p90: " in text
    assert "measured 2.75 ms at p90, 10.0% over the budget of 2.5 ms at p90" in text


def test_both_times_of_the_delivered_library_are_said(result: SearchResult) -> None:
    (line,) = (line for line in lines(result) if "when nothing disturbs it" in line)
    assert "1.9 ms" in line and "interval 1.88 to 1.92, 9 of 12 bursts undisturbed" in line
    assert line.endswith("observed in 900 runs: median 1.95 ms, p90 2.4, p99 3.1")
    assert report.document(result)["time"]["p90_ms"] == 2.4


def test_what_flops_would_have_chosen_is_measured(result: SearchResult) -> None:
    over = FlopsChoice(("block.conv2",), 2.5e6, 2.2, 0.5, keeps=False)
    (line,) = (line for line in lines(replace(result, by_flops=over)) if "FLOPs in place of milliseconds" in line)
    assert "1 layer would have become binary (2.50 MFLOPs): measured 2.2 ms, 10.0% over the budget of 2 ms" in line
    near = "\n".join(lines(replace(result, by_flops=replace(over, measured_ms=1.99))))
    assert "measured 1.99 ms, and the interval of this time reaches over the budget of 2 ms" in near
    same = "\n".join(lines(replace(result, by_flops=replace(over, binary=result.row.binary))))
    assert "FLOPs in place of milliseconds would have chosen the same layers" in same and "MFLOPs" not in same
    within = replace(over, measured_ms=1.7, keeps=True)
    text = "\n".join(lines(replace(result, by_flops=within)))
    assert "measured 1.7 ms, within the budget, with a summed harm of 0.5 in place of 0.1" in text


def test_layers_that_do_not_pay_are_named_with_both_times(result: SearchResult) -> None:
    slow = replace(result, unprofitable=(UnprofitableLayer("block.conv2", 0.1, 0.12),))
    assert any(
        "no faster when they are binary" in line and "block.conv2 (0.1 ms float, 0.12 binary)" in line
        for line in lines(slow)
    )
