"""A search that found something, made up; and real ones that look at the machine for a moment only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.find_within_budget import Attempt
from b2nn_tvm.loop.front.by_precision import PrecisionFront
from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.results.answers import answers_of
from b2nn_tvm.loop.results.layer_outcome import LayerOutcome
from b2nn_tvm.loop.results.origin import Origin
from b2nn_tvm.loop.results.result import CostQuality, ResultRow, Round, SearchResult
from b2nn_tvm.plan import Plan, Precision
from tests.support.mixbin import noise

TIME = NetworkTime(
    ("block.conv1",), 1.9, 0.1, 900, 2048, "A CPU", "avx2", (), 1.88, 1.92, 1.95, 2.4, 3.1, bursts=12, quiet=9
)
ENDS = (
    NetworkTime((), 3.1, 0.1, 900, 4096, "A CPU", "avx2", (), 3.0, 3.2),
    NetworkTime(("block.conv1", "block.conv2"), 1.1, 0.1, 900, 1024, "A CPU", "avx2", (), 1.0, 1.2),
)
LAYERS = (
    LayerOutcome("conv1", "Conv2d", "conv2d_n1", "float", "first convolution", float("nan"), {"float": 0.5}, {}),
    LayerOutcome(
        "block.conv1",
        "Conv2d",
        "conv2d_n1",
        "binary",
        "",
        0.1,
        {"float": 1.3, "binary": 0.1},
        {"float": 900, "binary": 60},
    ),
    LayerOutcome("block.conv2", "Conv2d", "", "float", "not needed", 0.5, {"float": 1.2, "binary": 0.2}, {}),
)
LABELS = (0, 0, 0, 1, 1, 1, 2, 2)


@pytest.fixture(autouse=True, scope="module")
def _short(short_measurements: None) -> None:
    """Nobody asks here whether a time is the true one."""


@pytest.fixture
def result(tmp_path: Path) -> SearchResult:
    layers = {"conv1": Precision.FLOAT, "block.conv1": Precision.BINARY, "block.conv2": Precision.FLOAT}
    attempt = Attempt(("block.conv1",), 1.8, 1.9, 0.1)
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
        rounds=(Round(2.0, (attempt,), ("block.conv1",), 0.1, 1.8, TIME, "kept"),),
        quality=CostQuality(0.02, 0.05, 0.1, 7),
        scores={"block.conv1": 0.1, "block.conv2": 0.5},
        libraries={"native": tmp_path / "native", "arm": tmp_path / "arm"},
        device="A CPU",
        isa="avx2",
        threads=1,
        layers=LAYERS,
        rest_ms=0.1,
        ends=ENDS,
        answers=answers_of(noise.images(), LABELS, LABELS, (0, 0, 1, 1, 1, 1, 2, 0)),
        origin=Origin(
            data="noise",
            images={"train": 48, "val": 32, "test": 8},
            classes=3,
            input_shape=(1, 8, 8),
            epochs=2,
            float_epochs=3,
            seed=0,
            target="native",
            command="b2nn-search --model net",
            versions={"torch": "2"},
            seconds=75.0,
            finished="2026-01-02T03:04:05+00:00",
            reused=1,
        ),
    )


@pytest.fixture
def beside(result: SearchResult) -> SearchResult:
    """The result of a search over binary and int8 layers, with the fronts of its precisions beside one another."""
    one, two = "block.conv1", "block.conv2"
    scores = {one: 0.1, f"{one}@int8": 0.01, two: 0.5, f"{two}@int8": 0.02}
    point = lambda ms, *choice: FrontPoint(choice, sum(scores[each] for each in choice), ms, ms - 0.01, ms + 0.01)
    binary = (point(1.1, one, two), point(1.9, one), point(3.1))
    int8 = (point(2.1, f"{one}@int8", f"{two}@int8"), point(3.1))
    every = (point(1.1, one, two), point(1.6, one, f"{two}@int8"), point(2.1, *int8[0].binary), point(3.1))
    fronts = (
        PrecisionFront(("binary", "int8", "float"), every),
        PrecisionFront(("binary", "float"), binary),
        PrecisionFront(("int8", "float"), int8),
    )
    return replace(result, scores=scores, fronts=fronts)
