"""report.json is a document that JSON can hold, and beside it stands report.html."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.results import report
from b2nn_tvm.loop.results.result import SearchResult


def test_json_is_a_document_with_relative_paths(result: SearchResult) -> None:
    path, page = report.write(replace(result, random_ms=Interval(1.9, math.inf, 1)))
    document = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert document["kind"] == "report" and document["within_budget"] is True
    assert document["libraries"] == {"native": "native", "arm": "arm"}
    assert document["plan"]["binary"] == ["block.conv1"]
    assert document["random_ms"]["half_width"] is None
    assert document["attempts"] == document["rounds"][0]["attempts"] != []
    assert page == result.folder / "report.html" and page.is_file()


def test_what_is_observed_has_no_interval(result: SearchResult) -> None:
    point = FrontPoint(("block.conv1",), 0.1, 2.4, math.nan, math.nan)
    document = report.document(replace(result, quantile=0.9, budget="2.5ms@p90", limit=2.5, front=(point,)))
    assert document["quantile"] == 0.9 and document["front"][0]["low_ms"] is None
