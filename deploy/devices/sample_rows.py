"""Samples as rows, one JSON object per line, as ``b2nn-run --profile`` and b2nn-device print them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from b2nn_tvm.deploy.devices.samples import Sample
from b2nn_tvm.errors import DeviceError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact

KIND, VERSION = "b2nn-profile", 1


def samples(lines: Iterable[str], *, word: str, model_id: str) -> Iterator[Sample]:
    """A sample for each row with times, as the lines come; other lines, such as those of a login script, are skipped.

    Raises DeviceError where the rows are of another network or version, and where they stop before the end.
    """
    threads, ended = 0, False
    for row in filter(None, map(parse_row, lines)):
        if row["row"] == "start":
            _check_start(row, word, model_id)
            threads = row["threads"]
        elif row["row"] == "run":
            yield Sample(threads, run_ms=row["ms"])
        elif row["row"] == "steps":
            yield Sample(threads, step_ms=tuple(row["ms"]))
        ended |= row["row"] == "end"  # the lines are read on to their end, as a login is closed where they are not
    if not ended:
        raise DeviceError(f"{word}: the run stopped before its end and did not say why; run it again")


def start_row(artifact: Artifact, threads: int) -> str:
    """The first row of a run, which names the format, the network and the number of threads."""
    head = {"row": "start", "kind": KIND, "format_version": VERSION, "model_id": artifact.manifest.library.model_id}
    return json.dumps({**head, "threads": threads}) + "\n"


def row_of(sample: Sample) -> str:
    """The row of a sample."""
    if sample.run_ms is not None:
        return json.dumps({"row": "run", "ms": sample.run_ms}) + "\n"
    return json.dumps({"row": "steps", "ms": sample.step_ms}) + "\n"


def parse_row(line: str) -> dict[str, Any] | None:
    """The row of a line; None for a line that is none, such as one of a login script."""
    if not line.startswith("{"):
        return None
    try:
        row = json.loads(line)
    except json.JSONDecodeError:  # the last line of a run that was cut off
        return None
    return row if "row" in row else None


def check_format(row: dict[str, Any], word: str, kind: str, version: int) -> None:
    """Raise DeviceError where the first row is not of this kind and version."""
    if (row.get("kind"), row.get("format_version")) != (kind, version):
        raise DeviceError(
            f"{word}: expected {kind} in format version {version}, but the program there prints {row.get('kind')!r} in "
            f"version {row.get('format_version')!r}; compile the network again with this version"
        )


def _check_start(row: dict[str, Any], word: str, model_id: str) -> None:
    check_format(row, word, KIND, VERSION)
    if row.get("model_id") != model_id:
        raise DeviceError(
            f"{word}: another network runs there than the one that was uploaded (its id is {row.get('model_id')!r}, not"
            f" {model_id!r})"
        )
