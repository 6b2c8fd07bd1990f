"""b2nn-profile --watch: a line for about every ten seconds: frames per second, clock, temperature, throttling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2nn_tvm.words.number_of import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from b2nn_tvm.deploy.latency.watch import WatchRow

KIND, VERSION = "b2nn-watch", 1


def run(folder: str, *, device: str, threads: int, timeout_s: float, minutes: float, as_json: bool) -> None:
    """Watch the compiled network in ``folder`` on ``device`` and print rows as they come, or JSON at the end."""
    from dataclasses import asdict

    import b2nn_tvm
    from b2nn_tvm.cli import output as out
    from b2nn_tvm.deploy.devices.open_device import open_device
    from b2nn_tvm.deploy.latency.watch import watch

    rows: list[WatchRow] = []
    artifact = b2nn_tvm.load(folder)
    with open_device(device, timeout_s=timeout_s) as where:
        for row in watch(artifact, device=where, threads=threads, minutes=minutes):
            rows.append(row)
            if not as_json:
                out.print_line(line_of(row))
    if as_json:
        found = [{**asdict(row), "frames_per_second": row.frames_per_second} for row in rows]
        out.print_document(KIND, VERSION, {"folder": folder, "threads": threads, "rows": found})
    else:
        out.print_line(summary(rows))


def line_of(row: WatchRow) -> str:
    """A row in words; what the device does not tell is left out."""
    minutes, seconds = divmod(round(row.seconds), 60)
    now = row.conditions
    parts = [
        f"{minutes}:{seconds:02d}",
        f"{row.frames_per_second:.1f} frames per second",
        f"median {row.median_ms:.4f} ms, p90 {row.p90_ms:.4f}",
        f"{now.mhz} MHz" if now.mhz else "",
        f"{now.temperature_c:.1f} °C" if now.temperature_c is not None else "",
        f"throttled: {now.throttled}" if now.throttled else "",
    ]
    return "  ".join(part for part in parts if part)


def summary(rows: Sequence[WatchRow]) -> str:
    """How the last row compares with the first, and whether the device said that it was slowed down."""
    first, last = rows[0], rows[-1]
    change = last.median_ms / first.median_ms - 1
    slowed = [row for row in rows if row.conditions.slowed]
    words = f"at the end {abs(change):.1%} {'slower' if change > 0 else 'faster'} than at the beginning"
    if slowed:
        return f"{words}; slowed down in {len(slowed)} of {number_of(len(rows), 'row')}: mend its supply or cooling"
    told = any(row.conditions.throttled for row in rows)
    return f"{words}; {'never slowed down' if told else 'the device does not tell whether it was slowed down'}"
