"""A plan is delivered without training, and what cannot be is refused; tests/end_to_end/test_search.py trains."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import b2nn_tvm
from b2nn_tvm.costs.options import option
from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.errors import BudgetError, DeviceError, InputError
from b2nn_tvm.loop import delivery
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.results.report_lines import lines
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.targets.target import get, names
from tests.support.mixbin import noise

HALF = noise.LAYERS[2:]
QUICK = {"epochs": 0, "masks": 0, "precision": 0.1}


def saved_plan(folder: Path, precision: Precision = Precision.BINARY) -> Path:
    rows = list(trace(noise.network(), (1, 8, 8)))
    layers = {row.name: precision if row.name in HALF else Precision.FLOAT for row in rows}
    workloads = {row.name: row.workload.key for row in rows}
    Plan(layers, workloads, "net", "by hand", "1ms", 1.0, "ms").save(folder / "mine.json")
    return folder / "mine.json"


def search(folder: Path, **options) -> SearchResult:
    given = {"data": noise.images(), "output": folder, "budget": "90%bytes", **QUICK, **options}
    return b2nn_tvm.search(given.pop("model", None) or noise.network(), **given)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_plan(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def found(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    return search(tmp_path_factory.mktemp("search"), plan=plan)


def test_the_plans_layers_are_delivered_and_nothing_is_scored(found: SearchResult, plan: Path) -> None:
    assert found.plan.binary == HALF and found.method == f"by hand, the plan {plan}"
    assert all(math.isnan(score) for score in found.scores.values()) and set(found.scores) == set(noise.LAYERS)
    assert found.achieved == found.predicted <= found.limit and found.unit == "bytes"
    assert [row.role for row in found.rows] == ["float", "mixed"] and found.random_ms is None
    assert [each.binary for each in found.rounds] == [HALF] and math.isnan(found.rounds[0].harm)
    assert found.images == 8 and found.library_accuracy == pytest.approx(found.accuracy, abs=1 / 8)


def test_all_is_on_disk(found: SearchResult) -> None:
    files = {
        "plan.json",
        "costs.json",
        "costs.json.samples",
        "model.onnx",
        "report.json",
        "report.html",
        "native",
        "state",
    }
    assert {path.name for path in found.folder.iterdir()} == files
    assert Plan.load(found.folder / "plan.json") == found.plan
    table = CostTable.load(found.folder / "costs.json")
    assert [row.binary for row in table.networks] == [(), noise.LAYERS]
    assert json.loads((found.folder / "report.json").read_text())["within_budget"] is True
    assert not (found.folder / "state" / "scores").exists()


def test_a_second_search_measures_nothing_again(found: SearchResult, plan: Path) -> None:
    """On a busy machine the reference may be settled anew, and what was measured against it is measured once more."""
    again, notes = found, list[str]()
    for _ in range(4):
        before, stamps = again, _stamps(found.folder)
        again = search(found.folder, plan=plan, note=notes.append)
        if _stamps(found.folder) == stamps:
            break
    assert any(text.startswith("the float network is right on ") and "guessing" in text for text in notes)
    assert stamps and _stamps(found.folder) == stamps
    assert again.rows == before.rows and again.measured_ms == before.measured_ms


def _stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (folder / "state").rglob("phase.json")}


def test_several_budgets_are_kept_and_the_choice_is_proven(found: SearchResult, tmp_path: Path) -> None:
    """The networks have been measured already; what is new is scored, chosen and delivered."""
    shutil.copytree(found.folder / "state", tmp_path / "state")
    both = search(tmp_path, budget=["90%flops", "80%bytes"])
    assert both.budget == both.plan.budget == "90%flops and 80%bytes"
    assert [budget.unit for budget in both.budgets] == ["flops", "bytes"] and both.within_budget
    assert both.further[0].achieved <= both.further[0].limit
    loaded = Plan.load(tmp_path / "plan.json")
    assert loaded == both.plan and loaded.certificate.solver == "exact" and loaded.certificate.gap == 0
    assert loaded.certificate.objective == pytest.approx(sum(both.scores[name] for name in loaded.binary))
    assert json.loads((tmp_path / "report.json").read_text())["plan"]["certificate"]["gap"] == 0
    assert sum("proven to be the least" in line for line in lines(both)) == 1
    assert "proven to be the least" in (tmp_path / "report.html").read_text()


@pytest.mark.sweep
def test_libraries_over_the_budget_end_in_what_they_need(
    found: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every delivered library takes too long; the budget in FLOPs allows five choices."""
    for name in ("state", "costs.json.samples"):
        shutil.copytree(found.folder / name, tmp_path / name)
    late, measure = [], delivery._measure

    def measure_late(job, artifact, limit_ms) -> NetworkTime:
        late.append(measure(job, artifact, limit_ms))
        return replace(late[-1], ms=1002.0, low_ms=1001.0, high_ms=1003.0, p90_ms=1004.0)

    monkeypatch.setattr(delivery, "_measure", measure_late)
    for budget, text in (
        ("1s", r"needs 1002 ms \(95 % interval 1001 to 1003 ms\), over the budget of 1000 ms: allow at least 1003 ms"),
        (
            "1s@p90",
            r"took 1004 ms at p90 of \d+ observed .*: allow at least 1004ms@p90, or measure anew",
        ),
    ):
        late.clear()
        with pytest.raises(BudgetError, match=f"^the fastest of 3 delivered libraries {text}"):
            search(tmp_path, budget=[budget, "45%flops"])
        assert len({time.binary for time in late}) == len(late) == 3 and not (tmp_path / "plan.json").exists()


@pytest.mark.sweep
def test_a_fresh_search_measures_anew(found: SearchResult, tmp_path: Path, plan: Path) -> None:
    shutil.copytree(found.folder, tmp_path / "out")
    (old,) = (tmp_path / "out" / "costs.json.samples").iterdir()
    head, bursts = old.read_bytes().split(b"\n", 1)
    before = _stamps(tmp_path / "out")
    with pytest.raises(BudgetError):
        search(tmp_path / "out", budget="1%bytes", fresh=True)
    assert before and _stamps(tmp_path / "out") == before and old.exists()  # what is refused removes nothing
    search(tmp_path / "out", plan=plan, fresh=True)
    (new,) = (tmp_path / "out" / "costs.json.samples").iterdir()
    assert new.name == old.name and new.read_bytes().startswith(head) and bursts not in new.read_bytes()


def test_float_epochs_are_those_of_the_command_line(tmp_path: Path) -> None:
    """A network by name whose head is new is trained for 12 epochs where none are given, so the checkpoint is next."""
    options = {"model": "cresnet20", "checkpoint": tmp_path / "absent.pt", "ignore_head": True}
    with pytest.raises(InputError, match="absent.pt: no such file"):
        search(tmp_path, **options)
    with pytest.raises(InputError, match="a head that starts anew needs training"):
        search(tmp_path, **options, float_epochs=0)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_and_a_progressive_order_contradict_each_other(tmp_path: Path, plan: Path) -> None:
    with pytest.raises(InputError, match="a plan says which layers become binary, and so does a progressive order"):
        search(tmp_path, plan=plan, progressive="rear")


def test_a_plan_of_binary_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a plan of float and binary layers"):
        search(tmp_path / "out", plan=saved_plan(tmp_path, Precision.WEIGHT_BINARY))
    assert not (tmp_path / "out" / "state").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weights": "even"}, "class weights 'even': expected balanced, or a JSON file"),
        ({"augment": "mixup"}, "unknown augmentation 'mixup'"),
        ({"labels": "nowhere.txt"}, "nowhere.txt: expected a file with the name of a class in each line"),
    ],
)
def test_what_is_asked_of_the_data_is_tried_first(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        search(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_times_of_another_machine_are_not_measured_here(tmp_path: Path) -> None:
    other = next(name for name in names() if not get(name).runs_here)
    with pytest.raises(DeviceError, match=f"local, which cannot run code for target {other}.*native.*--also {other}"):
        search(tmp_path, target=other)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.sweep
def test_layers_of_every_precision_are_measured_chosen_and_delivered(tmp_path: Path) -> None:
    """All of it in a budget of bytes, which asks for fewer than int8 alone has: some layer is of one or two bits."""
    found = search(tmp_path, precisions="1,2,8,32", budget="15%bytes")
    chosen = {layer: word for layer, word in found.plan.layers.items() if word != Precision.FLOAT}
    assert {"int8"} < set(chosen.values()) <= {"int8", "w1a2", "w2a2", "binary"} and found.within_budget
    assert found.plan.certificate.solver == "exact" and found.plan.certificate.gap == 0
    assert found.rounds[0].time.binary == tuple(option(layer, word) for layer, word in chosen.items())
    assert found.library_accuracy == pytest.approx(found.accuracy, abs=1 / 8) and found.agreeing >= 7
    precisions = {row.precision for row in CostTable.load(tmp_path / "costs.json").layers}
    assert precisions == {"float", "binary", "int8", "w1a2", "w2a2"}
    assert found.plan == Plan.load(tmp_path / "plan.json") and len(found.ends) == 5
    assert any(line.startswith("layers of each precision: ") for line in lines(found))
    page = (tmp_path / "report.html").read_text()
    assert "int8 ms" in page and "layers in fewer bits" in page
