"""Tuning records: the best tile known for a workload, one JSON file per vector unit.

Most records are measured. For CPUs that nobody had at hand there are estimates, which are marked as such: a measurement
takes their place.

A record is keyed by operator, workload and lanes, not by the hash of a function: it holds for any epilogue behind the
convolution, and people can read it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from b2nn_tvm.errors import InputError
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.storage.content_cache import user_cache_folder
from b2nn_tvm.storage.document import read_document, write_document

KIND, VERSION = "b2nn-schedule-records", 1
SHIPPED = Path(__file__).parents[1] / "records"
SCHEMA = {
    "type": "object",
    "required": ["vector_unit", "records"],
    "properties": {
        "vector_unit": {"type": "string"},
        "records": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["op", "workload", "lanes", "tile", "device"],
                "oneOf": [{"required": ["ms"]}, {"required": ["estimate", "unit"]}],
                "properties": {
                    "op": {"type": "string"},
                    "workload": {"type": "string"},
                    "lanes": {"type": "integer"},
                    "tile": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 3, "maxItems": 3},
                    "ms": {"type": "number", "exclusiveMinimum": 0},
                    "estimate": {"type": "number", "exclusiveMinimum": 0},
                    "unit": {"type": "string"},
                    "device": {"type": "string"},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Record:
    """The best tile of a workload: measured with ``ms`` on ``device``; or estimated for ``device``, then ``ms`` is None
    and ``estimate`` is in ``unit``, which names the way of estimating.
    """

    op: str
    workload: str
    lanes: int
    tile: Tile
    ms: float | None
    device: str
    estimate: float | None = None
    unit: str = ""

    @property
    def measured(self) -> bool:
        return self.ms is not None

    @property
    def figures(self) -> dict[str, float | str | None]:
        """The entries of the record in a file beside its key and its tile."""
        if self.measured:
            return {"ms": self.ms, "device": self.device}
        return {"estimate": self.estimate, "unit": self.unit, "device": self.device}


@dataclass(frozen=True)
class Records:
    """The records of one vector unit."""

    vector_unit: str
    rows: dict[tuple[str, str, int], Record] = field(default_factory=dict)

    def tile(self, op: str, workload: str, lanes: int) -> Tile | None:
        record = self.rows.get((op, workload, lanes))
        return record.tile if record else None

    def measured(self, op: str, workload: str, lanes: int) -> bool:
        record = self.rows.get((op, workload, lanes))
        return record is not None and record.measured

    def with_record(self, record: Record) -> Records:
        """The records with this record, too; an estimate does not take the place of a measurement."""
        key = (record.op, record.workload, record.lanes)
        if self.measured(*key) and not record.measured:
            return self
        return Records(self.vector_unit, {**self.rows, key: record})

    def save(self, path: Path) -> Path:
        rows = [
            {
                "op": r.op,
                "workload": r.workload,
                "lanes": r.lanes,
                "tile": [r.tile.rows, r.tile.columns, r.tile.blocks],
                **r.figures,
            }
            for _, r in sorted(self.rows.items())
        ]
        return write_document(path, KIND, VERSION, {"vector_unit": self.vector_unit, "records": rows})


def load_records(vector_unit: str, *paths: Path) -> Records:
    """The shipped records of a vector unit, overlaid by the records in those ``paths`` that exist.

    Raises InputError where a file is no document of tuning records, or belongs to another vector unit.
    """
    records = Records(vector_unit)
    for path in (SHIPPED / f"{vector_unit}.json", *paths):
        for record in read_records(vector_unit, path).rows.values():
            records = records.with_record(record)
    return records


def read_records(vector_unit: str, path: Path) -> Records:
    """The records of one file, none where it does not exist, or is in a folder that this user may not look into; raises
    InputError as ``load_records`` does.
    """
    if not os.path.exists(path):
        return Records(vector_unit)
    document = read_document(path, KIND, VERSION, SCHEMA)
    if document["vector_unit"] != vector_unit:
        raise InputError(
            f"{path}: expected tuning records of the vector unit {vector_unit!r}, but they are of "
            f"{document['vector_unit']!r}; a tile for other registers is no good, so move the file away"
        )
    records = Records(vector_unit)
    for row in document["records"]:
        records = records.with_record(
            Record(
                row["op"],
                row["workload"],
                row["lanes"],
                Tile(*row["tile"]),
                row.get("ms"),
                row["device"],
                row.get("estimate"),
                row.get("unit", ""),
            )
        )
    return records


def user_records_path(vector_unit: str) -> Path:
    """The file of this user's tuning records of a vector unit (in $XDG_CACHE_HOME, else in ~/.cache)."""
    return user_cache_folder() / f"{vector_unit}.json"
