"""Times of layers from a table of the same kind of device, by name or by workload; other tables are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.measuring import measure_costs
from b2nn_tvm.loop.measuring.measure_costs import measure_cost
from b2nn_tvm.loop.measuring.shared_costs import REST, shared_rows
from tests.support.loop.small_job import BINARY_MS, FLOAT_MS, NAMES, REST_MS, Device, small_job


def table(tmp_path: Path, **changes) -> str:
    """The rows of an earlier search of the same network on this machine."""
    device, job = Device(), small_job(tmp_path / "earlier")
    rows = [row for choice in ((), NAMES) for row in device(job, choice).layers if row.workload]
    changes = {"fingerprint": LocalDevice().describe().fingerprint, **changes}
    return str(CostTable(tuple(replace(row, **changes) for row in rows)).save(tmp_path / "costs.json"))


def test_the_layers_are_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measure_networks(job, choices, *, layers=False):
        asked.append(layers)
        return [replace(device(job, tuple(choice)), layers=()) for choice in choices]

    device, job = Device(), small_job(tmp_path, costs=table(tmp_path))
    monkeypatch.setattr(measure_costs, "measure_networks", measure_networks)
    measured = measure_cost(job)
    assert asked == [False, False]
    rows = {(row.layer, row.precision): row.ms for row in measured.table.layers}
    assert rows[REST, "float"] == pytest.approx(REST_MS)
    assert all(rows[name, "float"] == FLOAT_MS and rows[name, "binary"] == BINARY_MS for name in NAMES)
    half = NAMES[1:3]
    assert float(measured.fitted.cost.total(half)) == pytest.approx(device(job, half).ms, rel=1e-3)


def test_layers_of_other_names_are_found_by_their_workloads(tmp_path: Path) -> None:
    path = table(tmp_path)
    renamed = tuple(replace(row, layer=f"other.{row.layer}") for row in CostTable.load(path).layers)
    CostTable(renamed).save(path)
    rows = shared_rows(small_job(tmp_path, costs=path))
    assert [(row.layer, row.precision) for row in rows] == [(name, p) for name in NAMES for p in ("float", "binary")]


def test_a_table_without_all_layers_is_no_help(tmp_path: Path) -> None:
    path = table(tmp_path)
    CostTable(CostTable.load(path).layers[:1]).save(path)
    assert shared_rows(small_job(tmp_path, costs=path)) is None
    assert shared_rows(small_job(tmp_path)) is None


def test_a_table_of_another_device_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = table(tmp_path, fingerprint="A Raspberry Pi")
    with pytest.raises(InputError, match="no row holds here: device A Raspberry Pi, not .*leave --costs out"):
        shared_rows(small_job(tmp_path, costs=path))
