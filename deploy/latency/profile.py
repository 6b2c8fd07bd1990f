"""Measure a compiled network on a device so that no measurement is lost: bursts go to disk as they come, and rows go to
a cost table.
"""

from __future__ import annotations

from pathlib import Path

from b2nn_tvm.costs.table import CostRow, CostTable, NetworkRow
from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.deploy.latency.measure import Measurement, measure_with, record_of, summarize
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.errors import DeviceError
from b2nn_tvm.progress import Note, Progress, as_progress
from b2nn_tvm.storage.try_to_write import try_to_write_file


def profile(
    artifact: Artifact,
    *,
    device: Device,
    threads: int,
    effort: Effort = Effort(),
    costs: Path | None = None,
    resume: bool = False,
    note: Note | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Measure whole inferences, and inferences with every kernel timed, and add the rows to the table ``costs``.

    The bursts are kept beside the table, in ``<costs>.samples``. With ``resume`` the bursts of an earlier run on the
    same kind of device count, and only the missing ones are taken. Where the device is lost, the table gets rows from
    the bursts that came; a tracker's lost board is replaced by another, which ``note`` is told. ``progress`` counts
    rounds. Raises the errors of the device, and DeviceError for an emulated device.
    """
    if costs:  # so that a table that cannot be read, or not be written, is an error before the work
        try_to_write_file(costs)
        if costs.exists():
            CostTable.load(costs)
    artifact, described = device.as_run_here(artifact), device.describe()
    samples = costs and costs.with_name(f"{costs.name}.samples")
    if samples and not resume and (path := record_of(artifact, described, threads, samples).path):
        path.unlink(missing_ok=True)
    try:
        found = measure_with(
            artifact,
            device=device,
            threads=threads,
            effort=effort,
            samples=samples,
            note=note,
            progress=as_progress(progress),
        )
    except BaseException as error:
        if costs is None:
            raise
        record = record_of(artifact, described, threads, samples)
        kept = record.inferences(record.reference)
        if kept and record.inferences(record.reference, profiled=True):
            _add_rows(costs, summarize(record, artifact=artifact, device=described, threads=threads), artifact)
        if isinstance(error, DeviceError) and kept:
            raise _with_remedy(error, kept) from None
        raise
    if costs:
        _add_rows(costs, found, artifact)
    return found


def rows(found: Measurement, artifact: Artifact) -> list[CostRow | NetworkRow]:
    """The rows of a measurement in a cost table: one row per timed layer, and one row of the whole network.

    A network with layers of other precisions than binary and float gets no row of the whole.
    """
    layers = {row.name: row for row in artifact.layers}
    times: list[CostRow | NetworkRow] = [
        CostRow(
            layer=each.name,
            workload=layers[each.name].workload if each.name in layers else "",
            precision=layers[each.name].precision if each.name in layers else "float",
            ms=each.undisturbed_ms,
            runs=found.profiles,
            spread=found.spread,
            target=found.target,
            device=found.device.label,
            threads=found.threads,
            emulated=found.device.emulated,
            fingerprint=found.device.fingerprint,
        )
        for each in found.per_layer
    ]
    binary = tuple(row.name for row in artifact.layers if row.precision == "binary")
    if any(row.precision not in ("binary", "float") for row in artifact.layers):
        return times  # the row of a whole network can name binary and float layers only
    network = NetworkRow(
        model=artifact.manifest.build.model,
        binary=binary,
        ms=found.undisturbed_ms,
        runs=found.runs,
        spread=found.spread,
        target=found.target,
        device=found.device.label,
        threads=found.threads,
        emulated=found.device.emulated,
        low_ms=found.low_ms,
        high_ms=found.high_ms,
        fingerprint=found.device.fingerprint,
    )
    return [*times, network]


def _add_rows(costs: Path, found: Measurement, artifact: Artifact) -> None:
    table = CostTable.load(costs) if costs.exists() else CostTable()
    table.add(rows(found, artifact)).save(costs)


def _with_remedy(error: DeviceError, kept: int) -> DeviceError:
    return type(error)(
        f"{error}; {kept} timed inferences are kept: run the same command with --resume to go on from there"
    )
