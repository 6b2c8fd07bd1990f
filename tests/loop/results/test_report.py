"""The table, the lines, report.json and report.html of a search."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from b2nn_tvm.loop.choose_by_flops import FlopsChoice
from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.front import FrontPoint
from b2nn_tvm.loop.measuring.measure_costs import UnprofitableLayer
from b2nn_tvm.loop.results import report
from b2nn_tvm.loop.results.report_lines import lines
from b2nn_tvm.loop.results.result import AchievedBudget, SearchResult
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.mixbin.progressive.driver import Step
from b2nn_tvm.plan import Certificate


def test_table_has_a_row_per_network_and_the_mean(result: SearchResult) -> None:
    table = report.table(result)
    assert table.title == "<net> on A CPU, 1 thread, avx2"
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


def test_lines_say_whether_the_budget_was_kept(result: SearchResult) -> None:
    text = "\n".join(lines(result))
    assert "achieved 1.9 ms (kept, 5.0% to spare)" in text
    assert "the prediction was 5.3% too low" in text
    assert "3 networks predicted before they were measured: median error 5.3%, worst 7.7%" in text
    assert "359 of them" in text and "seeds 7, 9" in text
    assert "mixed 95.00 % is above the mean 91.00 ± 12.70 %" in text
    assert "exceeded by 5.0%" in "\n".join(lines(replace(result, achieved=2.1)))


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


def test_every_budget_has_a_line_and_all_of_them_have_to_be_kept(result: SearchResult) -> None:
    both = replace(result, further=(AchievedBudget("bytes", 4096, 3072),))
    assert lines(both)[:2] == [
        "budget 2 ms: achieved 1.9 ms (kept, 5.0% to spare)",
        "budget 4.0 KiB: achieved 3.0 KiB (kept, 25.0% to spare)",
    ]
    assert report.document(both)["within_budget"] is True
    assert report.document(replace(both, further=(AchievedBudget("bytes", 2048, 3072),)))["within_budget"] is False


def test_without_comparison_nothing_is_compared(result: SearchResult) -> None:
    alone = replace(result, rows=result.rows[:2], random_accuracy=None, random_ms=None)
    assert len(report.table(alone).rows) == 2
    assert "random" not in "\n".join(lines(alone))


def test_json_is_a_document_with_relative_paths(result: SearchResult) -> None:
    path, _ = report.write(replace(result, random_ms=Interval(1.9, math.inf, 1)))
    document = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert document["kind"] == "report" and document["within_budget"] is True
    assert document["libraries"] == {"native": "native", "arm": "arm"}
    assert document["plan"]["binary"] == ["block.conv1"]
    assert document["random_ms"]["half_width"] is None


def test_html_is_self_contained_and_escaped(result: SearchResult) -> None:
    _, path = report.write(result)
    text = path.read_text(encoding="utf-8")
    assert "&lt;net&gt;" in text and "<net>" not in text
    assert not any(word in text for word in ("http:", "https:", "<script", "<link", "src="))
    closed = Balance()
    closed.feed(text)
    assert closed.open == []
    assert text.count("<circle") == 3 and 'class="mixed"' in text


class Balance(HTMLParser):
    """Fails where tags do not close in order."""

    VOID = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        """<circle/> closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_both_times_of_the_delivered_library_are_said(result: SearchResult) -> None:
    (line,) = (line for line in lines(result) if "when nothing disturbs it" in line)
    assert "1.9 ms" in line and "interval 1.88 to 1.92, 9 of 12 bursts undisturbed" in line
    assert line.endswith("observed in 900 runs: median 1.95 ms, p90 2.4, p99 3.1")
    assert report.document(result)["time"]["p90_ms"] == 2.4


def test_what_flops_would_have_chosen_is_measured(result: SearchResult) -> None:
    over = FlopsChoice(("block.conv2",), 2.5e6, 2.2, 0.5, keeps=False)
    (line,) = (line for line in lines(replace(result, by_flops=over)) if "FLOPs in place of milliseconds" in line)
    assert "1 layers would have become binary (2.50 MFLOPs): measured 2.2 ms, 10.0% over the budget of 2 ms" in line
    near = "\n".join(lines(replace(result, by_flops=replace(over, measured_ms=1.99))))
    assert "measured 1.99 ms, and the interval of this time reaches over the budget of 2 ms" in near
    within = replace(over, measured_ms=1.7, keeps=True)
    text = "\n".join(lines(replace(result, by_flops=within)))
    assert "measured 1.7 ms, within the budget, with a summed harm of 0.5 in place of 0.1" in text


def test_layers_that_do_not_pay_are_named_with_both_times(result: SearchResult) -> None:
    slow = replace(result, unprofitable=(UnprofitableLayer("block.conv2", 0.1, 0.12),))
    assert any(
        "no faster when they are binary" in line and "block.conv2 (0.1 ms float, 0.12 binary)" in line
        for line in lines(slow)
    )


def test_the_front_is_a_line_a_picture_and_a_table(result: SearchResult) -> None:
    points = (
        FrontPoint(("block.conv1", "block.conv2"), 0.6, 1.1, 1.09, 1.12),
        FrontPoint(("block.conv1",), 0.1, 1.9, 1.88, 1.92, accuracy=0.95, knee=True),
        FrontPoint((), 0.0, 3.1, math.nan, math.nan),
    )
    found = replace(result, front=points)
    assert any(
        line.startswith("front of 3 measured choices: 1.1 ms") and "1.9 ms with harm 0.1 (the knee)" in line
        for line in lines(found)
    )
    report.write(found)
    html = (result.folder / "report.html").read_text()
    assert html.count("<circle") == 3 + len(result.attempts) + 2 and "1.8800 to 1.9200" in html and "95.00" in html
    assert json.loads((result.folder / "report.json").read_text())["front"][1]["knee"] is True
