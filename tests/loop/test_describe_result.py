"""What the phases found is in the result and on disk; nothing is compiled, so the library is a manifest alone."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from b2nn_tvm.costs.budget import parse_budget
from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.deploy.library.manifest import BuildInfo, LibraryInfo, Manifest, Memory, Sizes
from b2nn_tvm.deploy.library.verification import not_checked
from b2nn_tvm.loop.budget_goal import exact_goal
from b2nn_tvm.loop.choose_plan import choose
from b2nn_tvm.loop.delivery import Delivery
from b2nn_tvm.loop.describe_result import Findings, describe_result
from b2nn_tvm.loop.result_rows import result_rows
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.loop.training import Trained
from b2nn_tvm.plan import Plan
from b2nn_tvm.targets.target import get
from tests.support.loop.small_job import NAMES, Device, made_up_cost, small_job

SCORES = dict(zip(NAMES, (0.3, 0.1, 0.4, 0.2), strict=True))


def manifest() -> Manifest:
    return Manifest(
        library=LibraryInfo("network.so", "0" * 64, 1, "0", ""),
        target=get("native"),
        build=BuildInfo("net", "", "0", "none", ""),
        verification=not_checked("nothing is compiled"),
        inputs=(),
        outputs=(),
        layers=(),
        steps=(),
        rewrites=(),
        sizes=Sizes(*[0] * 11),
        memory=Memory(0, 0, 0),
        labels=("a", "b", "c"),
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    tmp_path = tmp_path_factory.mktemp("result")
    (tmp_path / "native").mkdir()
    manifest().save(tmp_path / "native")
    job, device = small_job(tmp_path / "state"), Device()
    goal, measured = exact_goal(job, [parse_budget("60%flops"), parse_budget("80%bytes")]), made_up_cost(job, device)
    choice = choose(job, goal, SCORES, measured, goal.limit)
    network_time = device(job, choice.binary)
    delivery = Delivery({"native": tmp_path / "native"}, network_time, 1000, 0.5, (), 8, "made up", "none", (0,) * 8)
    trained = Trained(job.model, 0.4, 0.5)
    rows, drawn = result_rows(job, goal, choice, measured, trained, replace(trained, accuracy=0.375), delivery, count=0)
    findings = Findings(measured, measured, SCORES, choice, delivery, (), rows, drawn, None, (), (), None)
    return describe_result(
        job,
        goal,
        findings,
        tmp_path,
        imported_plan=None,
        plan_file=None,
        started=time.monotonic() - 75,
        command="typed",
    )


def test_the_result_has_what_was_found(found: SearchResult) -> None:
    assert found.scores == SCORES and found.labels == ("a", "b", "c") and found.plan.binary == found.row.binary
    assert (found.accuracy, found.float_row.accuracy, found.library_accuracy) == (0.375, 0.5, 0.5)
    assert [budget.unit for budget in found.budgets] == ["flops", "bytes"] and found.within_budget
    assert [end.binary for end in found.ends] == [(), NAMES] and not any(end.layers for end in found.ends)
    assert found.random_accuracy is None and found.random_ms is None
    assert found.origin.command == "typed" and 75 <= found.origin.seconds < 135


def test_it_is_on_disk(found: SearchResult) -> None:
    assert Plan.load(found.folder / "plan.json") == found.plan
    assert [row.binary for row in CostTable.load(found.folder / "costs.json").networks] == [(), NAMES]
    assert json.loads((found.folder / "report.json").read_text())["within_budget"] is True
    assert (found.folder / "report.html").is_file()
