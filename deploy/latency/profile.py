"""Measure a compiled network on a device so that no measurement is lost: samples go to disk as they come, and rows go
to a cost table.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

from b2nn_tvm.costs.table import CostRow, CostTable, NetworkRow
from b2nn_tvm.deploy.devices.device import BOARDS, Device
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Sample, Samples
from b2nn_tvm.deploy.devices.system_facts import DeviceDescription
from b2nn_tvm.deploy.latency.measure import Measurement, step_layers, summarize
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.errors import DeviceError, DeviceLost
from b2nn_tvm.progress import Note, Progress, as_progress

_FLUSH_S = 0.25  # seconds between writings; each writing disturbs a measurement on this very machine


def profile(
    artifact: Artifact,
    *,
    device: Device,
    threads: int,
    runs: int,
    costs: Path | None = None,
    resume: bool = False,
    note: Note | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Measure ``runs`` whole inferences, and as many with every kernel timed, and add the rows to the table ``costs``.

    The samples are kept beside the table, in ``<costs>.samples``. With ``resume`` the samples of an earlier run on the
    same kind of device count, and only the missing ones are taken. Where the device is lost, the table gets rows from
    the samples that came; a tracker's lost board is replaced by another, which ``note`` is told. ``progress`` counts
    runs some times in a second. Raises the errors of the device, and DeviceError for an emulated device.
    """
    if costs and costs.exists():
        CostTable.load(costs)  # so that a table that cannot be read is an error before the work
    progress = as_progress(progress)
    described = device.describe()
    journal = Journal(costs and _journal_path(costs, artifact, described, threads), keep=resume)
    lost = 0
    try:
        while (missing := runs - journal.complete) > 0:
            try:
                for sample in device.sample(artifact, threads=threads, effort=MeasurementSettings(runs=missing)):
                    if journal.add(sample):
                        progress(f"measure on {device.address}", len(journal.samples), 2 * runs)
            except DeviceLost as error:
                lost += 1
                if not device.has_replacements or lost == BOARDS:
                    raise _with_remedy(error, journal, costs) from None
                if note:
                    note(f"{error}; another board goes on")
    finally:
        journal.close()
        if costs and journal.samples:
            found = summarize(
                Samples.of(journal.samples), layers=step_layers(artifact), artifact=artifact, device=described
            )
            table = CostTable.load(costs) if costs.exists() else CostTable()
            table.add(rows(found, artifact)).save(costs)
    samples = Samples.of(journal.samples)
    return summarize(
        samples, layers=step_layers(artifact), artifact=artifact, device=described, conditions=device.conditions()
    )


def rows(found: Measurement, artifact: Artifact) -> list[CostRow | NetworkRow]:
    """The rows of a measurement in a cost table: one row per timed layer, and one row of the whole network.

    A network with weight-binary layers gets no row of the whole.
    """
    layers = {row.name: row for row in artifact.layers}
    times: list[CostRow | NetworkRow] = [
        CostRow(
            layer=each.name,
            workload=layers[each.name].workload if each.name in layers else "",
            precision=layers[each.name].precision if each.name in layers else "float",
            ms=each.median_ms,
            runs=found.profiles,
            spread=found.spread,
            target=found.target,
            device=found.device.label,
            threads=found.threads,
            emulated=found.device.emulated,
        )
        for each in found.per_layer
    ]
    binary = tuple(row.name for row in artifact.layers if row.precision == "binary")
    if any(row.precision == "weight-binary" for row in artifact.layers):
        return times  # the row of a whole network can name binary and float layers only
    model = artifact.manifest.build.model
    network = NetworkRow(
        model=model,
        binary=binary,
        ms=found.median_ms,
        runs=found.runs,
        spread=found.spread,
        target=found.target,
        device=found.device.label,
        threads=found.threads,
        emulated=found.device.emulated,
    )
    return [*times, network]


class Journal:
    """Samples, and the file to which they are appended, if there is one.

    With ``keep`` the journal begins with the samples that the file holds.
    """

    def __init__(self, path: Path | None, *, keep: bool) -> None:
        self.samples: list[Sample] = []
        self._pending: list[Sample] = []
        self._path = path
        self._written = time.monotonic()
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if keep and path.exists():
            self.samples = [
                _parse(line)
                for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
                if line.endswith("\n")
            ]
        self._pending = list(self.samples)
        path.write_bytes(b"")  # the file begins anew, as an earlier run may have left half of a line
        self._write()

    @property
    def complete(self) -> int:
        """The number of runs that have both kinds of samples: of the whole inference, and of every kernel."""
        whole = sum(sample.run_ms is not None for sample in self.samples)
        return min(whole, len(self.samples) - whole)

    def add(self, sample: Sample) -> bool:
        """Keep a sample, and return whether it has been written to the file, together with all samples before it."""
        self.samples.append(sample)
        self._pending.append(sample)
        if time.monotonic() - self._written <= _FLUSH_S:
            return False
        self._write()
        return True

    def close(self) -> None:
        """Write the samples that are not written yet."""
        self._write()

    def _write(self) -> None:
        if self._path and self._pending:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(map(_line, self._pending)))
        self._pending.clear()
        self._written = time.monotonic()


def _line(sample: Sample) -> str:
    return json.dumps({"threads": sample.threads, "run_ms": sample.run_ms, "step_ms": sample.step_ms}) + "\n"


def _parse(line: str) -> Sample:
    row = json.loads(line)
    return Sample(row["threads"], row["run_ms"], tuple(row["step_ms"]))


def _journal_path(costs: Path, artifact: Artifact, device: DeviceDescription, threads: int) -> Path:
    """The path of the journal: one file per library, kind of device and number of threads."""
    parts = (artifact.manifest.library.sha256, device.label, device.arch, str(device.cpus), str(threads))
    return costs.with_name(f"{costs.name}.samples") / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}.jsonl"


def _with_remedy(error: DeviceLost, journal: Journal, costs: Path | None) -> DeviceError:
    if costs is None:
        return error
    return DeviceLost(
        f"{error}; {len(journal.samples)} samples are kept: run the same command with --resume to go on from there"
    )
