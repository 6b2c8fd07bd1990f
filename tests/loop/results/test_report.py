"""The table, the lines, report.json and report.html of a search."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.front import FrontPoint
from b2nn_tvm.loop.results import report
from b2nn_tvm.loop.results.report_lines import lines
from b2nn_tvm.loop.results.result import SearchResult


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


def test_observed_times_are_named_with_their_quantile(result: SearchResult) -> None:
    point = FrontPoint(("block.conv1",), 0.1, 2.4, math.nan, math.nan)
    late = replace(result, quantile=0.9, budget="2.5ms@p90", limit=2.5, front=(point, replace(point, ms=3.0)))
    table = report.table(late)
    assert table.columns[4:6] == ("predicted p90 ms", "observed p90 ms") and table.rows[1][3] == "2.5 ms at p90"
    written, page = report.write(late)
    document, text = json.loads(written.read_text()), page.read_text(encoding="utf-8")
    assert document["quantile"] == 0.9 and document["front"][0]["low_ms"] is None
    assert "within 2.5ms@p90" in text and "nan" not in text
    assert text.count("in milliseconds at p90") == 2 and "95 % interval of the time" not in text


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
    assert text.count("<circle") == 4 and 'class="mixed"' in text


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
    predicted = len(result.attempts) + 2 + 1  # two random choices, and the delivered library
    assert html.count("<circle") == 3 + predicted and "1.8800 to 1.9200" in html and "95.00" in html
    assert json.loads((result.folder / "report.json").read_text())["front"][1]["knee"] is True
