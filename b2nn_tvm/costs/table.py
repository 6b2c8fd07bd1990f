"""Measured milliseconds, per layer and per whole network, and the file that keeps them: costs.json.

The table takes measurements only: it refuses an emulated or modelled number.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.counted import Layer
from b2nn_tvm.costs.options import layer_of, precision_of
from b2nn_tvm.errors import InputError
from b2nn_tvm.storage.document import read_document, write_document
from b2nn_tvm.version import __version__

KIND, VERSION = "costs", 2


@dataclass(frozen=True)
class CostRow:
    """One layer's measured time: the undisturbed ``ms`` of ``runs`` bursts, with its 95 % interval from ``low_ms`` to
    ``high_ms`` (None where it is not known) and its ``spread``.

    ``fingerprint`` says on what kind of device it was measured, and ``version`` with which version of this program.
    ``workload`` is a ConvWorkload key, empty for a layer that is no convolution; ``precision`` is a word of plans.
    """

    layer: str
    workload: str
    precision: str
    ms: float
    runs: int
    spread: float
    target: str
    device: str
    threads: int
    emulated: bool = False
    low_ms: float | None = None
    high_ms: float | None = None
    fingerprint: str = ""
    version: str = __version__

    IDENTITY: ClassVar[tuple[str, ...]] = (
        "layer",
        "workload",
        "precision",
        "target",
        "device",
        "fingerprint",
        "threads",
    )


@dataclass(frozen=True)
class NetworkRow:
    """One whole network's measured time with the layers in ``binary`` binarized and all others float."""

    model: str
    binary: tuple[str, ...]
    ms: float
    runs: int
    spread: float
    target: str
    device: str
    threads: int
    emulated: bool = False
    low_ms: float | None = None
    high_ms: float | None = None
    fingerprint: str = ""
    version: str = __version__

    IDENTITY: ClassVar[tuple[str, ...]] = ("model", "binary", "target", "device", "fingerprint", "threads")


Row = TypeVar("Row", CostRow, NetworkRow)


def _row_schema(kind: type[CostRow] | type[NetworkRow]) -> dict[str, Any]:
    types = {
        "str": "string",
        "float": "number",
        "int": "integer",
        "bool": "boolean",
        "float | None": ["number", "null"],
    }
    names = {field.name: field.type for field in fields(kind)}
    properties: dict[str, Any] = {name: {"type": types[word]} for name, word in names.items() if word in types}
    if "binary" in names:
        properties["binary"] = {"type": "array", "items": {"type": "string"}}
    properties["ms"] = {"type": "number", "minimum": 0}
    return {"type": "object", "required": list(names), "properties": properties, "additionalProperties": False}


SCHEMA = {
    "type": "object",
    "required": ["layers", "networks"],
    "properties": {
        "layers": {"type": "array", "items": _row_schema(CostRow)},
        "networks": {"type": "array", "items": _row_schema(NetworkRow)},
    },
}


@dataclass(frozen=True)
class CostTable:
    """Measured rows. Adding a row with the same identity replaces the old one: the later measurement counts.

    Raises InputError for a row that was emulated, or whose time is below zero or not finite.
    """

    layers: tuple[CostRow, ...] = ()
    networks: tuple[NetworkRow, ...] = ()

    def __post_init__(self) -> None:
        rows: tuple[CostRow | NetworkRow, ...] = (*self.layers, *self.networks)
        for row in rows:
            what = row.layer if isinstance(row, CostRow) else f"{row.model} with {len(row.binary)} binary layers"
            if row.emulated:
                raise InputError(
                    f"the time of {what} on {row.device} was emulated; a cost table takes measurements only: "
                    "measure on the device itself"
                )
            if not 0 <= row.ms < float("inf"):
                raise InputError(
                    f"the time of {what} on {row.device} is {row.ms} ms; expected a number, not below zero"
                )
        object.__setattr__(self, "layers", _latest(self.layers))
        object.__setattr__(self, "networks", _latest(self.networks))

    def add(self, rows: Iterable[CostRow | NetworkRow]) -> CostTable:
        """The table with these rows, too."""
        rows = tuple(rows)
        networks = tuple(row for row in rows if isinstance(row, NetworkRow))
        return CostTable(self.layers + tuple(row for row in rows if isinstance(row, CostRow)), self.networks + networks)

    def usable(self, *, fingerprint: str, target: str, threads: int) -> tuple[CostTable, tuple[str, ...]]:
        """(The rows that hold for the device of this fingerprint, the reasons why the others do not, each once.)"""
        reasons: dict[str, None] = {}

        def holds(row: CostRow | NetworkRow) -> bool:
            found = (row.version, row.fingerprint, row.target, row.threads)
            names = ("version", "device", "target", "threads")
            wanted = (__version__, fingerprint, target, threads)
            for name, mine, theirs in zip(names, wanted, found, strict=True):
                if mine != theirs:
                    reasons[f"{name} {theirs or 'unknown'!s}, not {mine}"] = None
                    return False
            return True

        return CostTable(tuple(filter(holds, self.layers)), tuple(filter(holds, self.networks))), tuple(reasons)

    def only(self, *, target: str, threads: int, device: str | None = None) -> CostTable:
        """The rows of one target and thread count (and of one device, where ``device`` names it)."""
        fits = lambda row: (row.target, row.threads) == (target, threads) and device in (None, row.device)
        return CostTable(tuple(filter(fits, self.layers)), tuple(filter(fits, self.networks)))

    def ms(self, *, layer: str, workload: str, precision: str) -> float | None:
        """The measured time of this layer, else the median over all layers of the same workload, else None."""
        alike = [row for row in self.layers if (row.workload, row.precision) == (workload, precision)]
        own = [row.ms for row in alike if row.layer == layer]
        return statistics.median(own or [row.ms for row in alike]) if alike else None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write costs.json."""
        body = {"layers": [asdict(row) for row in self.layers], "networks": [asdict(row) for row in self.networks]}
        return write_document(path, KIND, VERSION, body)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CostTable:
        """Read costs.json; raises InputError where the file is no cost table, or holds an emulated row."""
        document = read_document(path, KIND, VERSION, SCHEMA)
        networks = [NetworkRow(**{**row, "binary": tuple(row["binary"])}) for row in document["networks"]]
        return cls(tuple(CostRow(**row) for row in document["layers"]), tuple(networks))


def ms_cost(table: CostTable, layers: Sequence[Layer], *, options: Sequence[str] | None = None) -> AdditiveCost:
    """The cost in milliseconds as the plain sum of the table's rows; ``table`` holds one target and thread count.

    The fixed part sums the float rows of all layers that are not eligible. Plain sums are off by up to 1.6 times (Yao
    et al., HAWQ-V3, table of latencies): correct them with costs.fit.fit. ``options`` are those that there are (see
    costs.options), None for all eligible layers as binary ones. Raises InputError where a layer with a choice lacks a
    row.
    """
    workloads = {layer.name: layer.workload.key for layer in layers if layer.workload}
    if options is None:
        options = [layer.name for layer in layers if layer.eligible and layer.workload]

    def ms(layer: str, precision: str) -> float:
        found = table.ms(layer=layer, workload=workloads[layer], precision=precision)
        if found is None:
            raise InputError(
                f"the cost table has no {precision} time of {layer} ({workloads[layer]}); "
                "measure a network in which it is " + precision
            )
        return found

    float_cost = {layer: ms(layer, "float") for layer in dict.fromkeys(map(layer_of, options))}
    option_cost = {each: ms(layer_of(each), precision_of(each)) for each in options}
    rest = {row.layer: row.ms for row in table.layers if row.layer not in float_cost and row.precision == "float"}
    return AdditiveCost("ms", sum(rest.values()), float_cost, option_cost, rest)


def _latest(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows, each replaced by the latest row of the same identity, in the order of first appearance."""
    return tuple({tuple(getattr(row, name) for name in row.IDENTITY): row for row in rows}.values())
