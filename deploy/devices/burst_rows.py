"""Bursts as rows, one JSON object per line, as ``b2nn-run --interleave`` prints them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

from b2nn_tvm.deploy.devices.bursts import Burst, RoundEnd
from b2nn_tvm.deploy.devices.sample_rows import check_format, parse_row
from b2nn_tvm.errors import DeviceError

KIND, VERSION = "b2nn-bursts", 1


def bursts(lines: Generator[str], *, word: str, reference: str, networks: Sequence[str]) -> Iterator[Burst | RoundEnd]:
    """A burst or the end of a round for each row, as the lines come; other lines are skipped.

    ``reference`` and ``networks`` are the ids of the models that should run. ``lines`` is closed at the end, also where
    the caller closes this iterator early. Raises DeviceError where the rows are of other networks or of another
    version, and where they stop before the end.
    """
    ended = False
    with closing(lines):
        for row in filter(None, map(parse_row, lines)):
            if row["row"] == "start":
                check_format(row, word, KIND, VERSION)
                _check_networks(row, word, reference, networks)
            elif row["row"] == "burst":
                yield _burst(row)
            elif row["row"] == "round":
                yield _round_end(row)
            ended |= row["row"] == "end"
    if not ended:
        raise DeviceError(f"{word}: the run stopped before its end and did not say why; run it again")


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
