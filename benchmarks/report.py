"""Rows of measurements as a table and as JSON: ``{engine, precision, isa, case, threads, min_ms, median_ms}``."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from b2nn_tvm.document import write_atomic

BASELINE = ("onnxruntime", "fp32")


@dataclass(frozen=True)
class Row:
    """One engine on one case; ``isa`` is what it was compiled for, or "own choice" where it decides at run time."""

    engine: str
    precision: str
    isa: str
    case: str
    threads: int
    min_ms: float
    median_ms: float
    gmacs_per_second: float | None = None


def machine() -> str:
    """CPU model and system, as Linux prints them."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return f"{value.strip()}, {platform.system()} {platform.machine()}"
    return platform.platform()


def show(title: str, rows: Sequence[Row], json_path: Path | None) -> None:
    """Print a row per case and a column per engine, min / median ms and the ratio of onnxruntime's fp32 minimum to it."""
    engines = list(dict.fromkeys((row.engine, row.precision) for row in rows))
    table = Table(title=title)
    table.add_column("case")
    for engine, precision in engines:
        table.add_column(f"{engine}\n{precision}", justify="right")
    for case in dict.fromkeys(row.case for row in rows):
        of_case = {(row.engine, row.precision): row for row in rows if row.case == case}
        baseline = of_case.get(BASELINE)
        table.add_row(case, *(_cell(of_case.get(engine), baseline) for engine in engines))
    console = Console(width=30 + 21 * len(engines))
    console.print(table)
    console.print(f"{machine()}; min / median ms, and how many times faster than onnxruntime fp32 (minima)")
    if json_path:
        document = {"machine": machine(), "title": title, "rows": [asdict(row) for row in rows]}
        write_atomic(json_path, (json.dumps(document, indent=2) + "\n").encode())


def _cell(row: Row | None, baseline: Row | None) -> str:
    if row is None:
        return "-"
    ratio = f"\n{baseline.min_ms / row.min_ms:.2f}x" if baseline else ""
    rate = f" {row.gmacs_per_second:.0f} GMAC/s" if row.gmacs_per_second else ""
    return f"{row.min_ms:.3f} / {row.median_ms:.3f}{ratio}{rate}"
