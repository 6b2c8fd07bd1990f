"""Samples and bursts as rows, one JSON object per line, as b2nn-run and b2nn-device print them."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from b2nn_tvm.deploy.devices.bursts import Burst, RoundEnd
from b2nn_tvm.deploy.devices.samples import Sample
from b2nn_tvm.errors import DeviceError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact

KIND, BURST_KIND, VERSION = "b2nn-profile", "b2nn-bursts", 1


def samples(lines: Iterable[str], *, word: str, model_id: str) -> Iterator[Sample]:
    """A sample for each row with times, as the lines come; other lines, such as those of a login script, are skipped.

    Raises DeviceError where the rows are of another network or version, and where they stop before the end.
    """
    threads, ended = 0, False
    for row in filter(None, map(_row, lines)):
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


def bursts(lines: Generator[str], *, word: str, reference: str, networks: Sequence[str]) -> Generator[Burst | RoundEnd]:
    """A burst or the end of a round for each row, as the lines come; other lines are skipped.

    ``reference`` and ``networks`` are the ids of the models that should run. ``lines`` is closed at the end, also where
    the caller closes this iterator early. Raises DeviceError where the rows are of other networks or of another
    version, and where they stop before the end.
    """
    ended = False
    with closing(lines):
        for row in filter(None, map(_row, lines)):
            if row["row"] == "start":
                _check_format(row, word, BURST_KIND)
                _check_networks(row, word, reference, networks)
            elif row["row"] == "burst":
                yield _burst(row)
            elif row["row"] == "round":
                yield _round_end(row)
            ended |= row["row"] == "end"
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


def _row(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        row = json.loads(line)
    except json.JSONDecodeError:  # the last line of a run that was cut off
        return None
    return row if "row" in row else None


def _check_format(row: dict[str, Any], word: str, kind: str) -> None:
    if (row.get("kind"), row.get("format_version")) != (kind, VERSION):
        raise DeviceError(
            f"{word}: expected {kind} in format version {VERSION}, but the program there prints {row.get('kind')!r} in "
            f"version {row.get('format_version')!r}; compile the network again with this version"
        )


def _check_start(row: dict[str, Any], word: str, model_id: str) -> None:
    _check_format(row, word, KIND)
    if row.get("model_id") != model_id:
        raise DeviceError(
            f"{word}: another network runs there than the one that was uploaded (its id is {row.get('model_id')!r}, not"
            f" {model_id!r})"
        )


def _check_networks(row: dict[str, Any], word: str, reference: str, networks: Sequence[str]) -> None:
    found, expected = [row["reference"], *row["networks"]], [reference, *networks]
    if found != expected:
        raise DeviceError(
            f"{word}: other networks run there than those that were asked for: expected the ids"
            f" {', '.join(expected)}, but got {', '.join(found)}"
        )


def _burst(row: dict[str, Any]) -> Burst:
    return Burst(
        round=row["round"],
        network=row["network"],
        run_ms=tuple(row["run_ms"]),
        step_ms=tuple(map(tuple, row["step_ms"])),
        wall_ms=row["wall_ms"],
        cpu_ms=row["cpu_ms"],
        switches=row["switches"],
    )


def _round_end(row: dict[str, Any]) -> RoundEnd:
    conditions = row["conditions"]
    return RoundEnd(
        round=row["round"],
        wall_ms=row["wall_ms"],
        own_ms=row["own_ms"],
        busy_ms=row["busy_ms"],
        stolen_ms=row["stolen_ms"],
        mhz=conditions["mhz"],
        temperature_c=conditions["temperature_c"],
        throttled=conditions["throttled"],
    )
