"""Times of layers that were measured before, on the same kind of device: in another search, or by b2nn-profile."""

from __future__ import annotations

from dataclasses import replace

from b2nn_tvm.costs.options import layer_of, option, precision_of
from b2nn_tvm.costs.table import CostRow, CostTable
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.network_time import NetworkTime

REST = "(the rest)"


def shared_rows(job: Job) -> tuple[CostRow, ...] | None:
    """A row for each layer with a choice in each of its precisions, from the settings' table; None without a table, or
    where one is missing there.

    Layers are found by their names and workloads, else by their workloads. Raises InputError, with the reasons, where
    no row of the table holds for the device.
    """
    deployment = job.settings.deployment
    if deployment.costs is None:
        return None
    with open_device(deployment.device) as device:
        fingerprint = device.describe().fingerprint
    table, reasons = CostTable.load(deployment.costs).usable(
        fingerprint=fingerprint, target=deployment.target, threads=deployment.threads
    )
    if not table.layers:
        raise InputError(
            f"{deployment.costs}: no row holds here: {'; '.join(reasons) or 'it has no layers'}; measure on this"
            " device, or leave --costs out"
        )
    options: dict[str, list[str]] = {layer: [] for layer in job.choosing}
    for each in job.options:
        options[layer_of(each)].append(precision_of(each))
    wanted = [(layer, word) for layer, words in options.items() for word in ("float", *words)]
    rows = [_row(table, layer, job.workloads[layer], precision) for layer, precision in wanted]
    found = tuple(row for row in rows if row is not None)
    return found if len(found) == len(rows) else None


def with_rows(ends: list[NetworkTime], rows: tuple[CostRow, ...]) -> list[NetworkTime]:
    """The times of the all-float network and of those in which all layers have one other precision, with their rows.

    What the float network needs beyond its layers with a choice is a row of its own.
    """
    first, *others = ends
    floats = tuple(row for row in rows if row.precision == "float")
    rest = max(0.0, first.ms - sum(row.ms for row in floats))
    remaining = replace(rows[0], layer=REST, workload="", precision="float", ms=rest, low_ms=None, high_ms=None)
    options = {option(row.layer, row.precision): row for row in rows if row.precision != "float"}
    return [
        replace(first, layers=(*floats, remaining)),
        *(replace(end, layers=tuple(options[each] for each in end.binary)) for end in others),
    ]


def _row(table: CostTable, layer: str, workload: str, precision: str) -> CostRow | None:
    ms = table.ms(layer=layer, workload=workload, precision=precision)
    alike = next((row for row in table.layers if (row.workload, row.precision) == (workload, precision)), None)
    return None if ms is None or alike is None else replace(alike, layer=layer, ms=ms)
