"""A search that found something, made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.find_within_budget import Attempt
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.results.result import CostQuality, ResultRow, SearchResult
from b2nn_tvm.plan import Plan, Precision

TIME = NetworkTime(
    ("block.conv1",), 1.9, 0.1, 900, 2048, "A CPU", "avx2", (), 1.88, 1.92, 1.95, 2.4, 3.1, bursts=12, quiet=9
)


@pytest.fixture
def result(tmp_path: Path) -> SearchResult:
    layers = {"conv1": Precision.FLOAT, "block.conv1": Precision.BINARY, "block.conv2": Precision.FLOAT}
    return SearchResult(
        folder=tmp_path,
        model="<net>",
        method="mixbin-loss, strict, sort",
        plan=Plan(layers, {"block.conv1": "conv2d_n1"}, "<net>", "mixbin-loss", "2ms", 1.8, "ms"),
        budget="2ms",
        unit="ms",
        limit=2.0,
        predicted=1.8,
        achieved=1.9,
        measured_ms=1.9,
        time=TIME,
        library_accuracy=0.95,
        agreeing=359,
        images=360,
        rows=(
            ResultRow("all float", "float", (), 0.97, 3.0, 3.1, 4096),
            ResultRow("mixed", "mixed", ("block.conv1",), 0.95, 1.8, 1.9, 2048),
            ResultRow("all binary", "binary", ("block.conv1", "block.conv2"), 0.8, 1.0, 1.1, 1024),
            ResultRow("random", "random", ("block.conv2",), 0.9, 1.8, 1.95, 2048, 7),
            ResultRow("random", "random", ("block.conv2",), 0.92, 1.8, 1.85, 2048, 9),
        ),
        random_accuracy=Interval(0.91, 0.127, 2),
        random_ms=Interval(1.9, 0.6, 2),
        attempts=(Attempt(("block.conv1",), 1.8, 1.9, 0.1),),
        quality=CostQuality(0.02, 0.05, 0.1, 7),
        scores={"block.conv1": 0.1, "block.conv2": 0.5},
        libraries={"native": tmp_path / "native", "arm": tmp_path / "arm"},
        device="A CPU",
        isa="avx2",
        threads=1,
    )
