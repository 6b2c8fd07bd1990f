"""Measurements as Markdown tables, and as JSON: a header and rows ``{engine, precision, isa, case, threads, min_ms,
median_ms}``.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engines import ENGINES, PRECISIONS, Name, machine_isa
from rounds import Timing, Unavailable

from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.storage.document import write_atomic
from b2nn_tvm.version import __version__

BASELINE = ("onnxruntime", "fp32")
LEGEND = (
    "Cells: minimum / median ms · effective GMAC/s · times as fast as onnxruntime fp32 with as many threads (minima)."
)


@dataclass(frozen=True)
class Row:
    """The time of one engine on one case; the fields are the keys of the JSON rows."""

    engine: str
    precision: str
    isa: str
    case: str
    threads: int
    min_ms: float
    median_ms: float

    @property
    def name(self) -> Name:
        return Name(self.engine, self.precision, self.isa, self.threads)


@dataclass(frozen=True)
class Missing:
    """The reason why one engine has no time on one case."""

    engine: str
    precision: str
    isa: str
    case: str
    threads: int
    reason: str

    @property
    def name(self) -> Name:
        return Name(self.engine, self.precision, self.isa, self.threads)


@dataclass
class Report:
    """The results of a benchmark: its title, a table for each of ``groups`` (heading -> cases), the MACs of each case,
    and more text.
    """

    title: str
    groups: dict[str, list[str]] = field(default_factory=dict)
    macs: dict[str, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, group: str, case: str, macs: int, outcome: Mapping[Name, Timing | Unavailable]) -> None:
        """Add the times that ``Workers.interleave`` found; raises SystemExit where our own engine has no time."""
        self.groups.setdefault(group, []).append(case)
        self.macs[case] = macs
        for name, found in outcome.items():
            if isinstance(found, Unavailable):
                if name.engine == "b2nn":
                    raise SystemExit(f"error: {case}: our {name.precision} library cannot be measured: {found.reason}")
                self.missing.append(Missing(name.engine, name.precision, name.isa, case, name.threads, found.reason))
                continue
            self.versions.update(found.versions)
            self.rows.append(
                Row(
                    name.engine,
                    name.precision,
                    name.isa,
                    case,
                    name.threads,
                    round(found.min_ms, 6),
                    round(found.median_ms, 6),
                )
            )

    def note(self, heading: str, lines: Sequence[Sequence[str]], text: str) -> None:
        """Add a table of another kind, whose first line has the heads of its columns, and a sentence."""
        self.notes.append(f"### {heading}\n\n{aligned(lines)}\n\n{text}")

    def markdown(self) -> str:
        """The title, the machine, and for each group a table of engines by cases, as docs/results.md shows them."""
        tables = [f"### {heading}\n\n{self._table(cases)}" for heading, cases in self.groups.items()]
        legend = f" {LEGEND}" if tables else ""
        return "\n\n".join([f"## {self.title}", machine_line(self.versions) + legend, *tables, *self.notes]) + "\n"

    def finish(self, *, json_path: Path | None, markdown_path: Path | None = None) -> None:
        """Print the tables; write the rows and the tables to files where the options name files."""
        print(self.markdown(), flush=True)
        if markdown_path:
            write_atomic(markdown_path, self.markdown().encode())
        if json_path:
            write_atomic(json_path, (json.dumps(self.document(), indent=2) + "\n").encode())

    def document(self) -> dict:
        """The report as a JSON document."""
        return {
            "title": self.title,
            "machine": machine(),
            "versions": versions(self.versions),
            "macs": self.macs,
            "rows": [asdict(row) for row in self.rows],
            "missing": [asdict(row) for row in self.missing],
            "notes": self.notes,
        }

    def _table(self, cases: Sequence[str]) -> str:
        rows = {(row.name, row.case): row for row in self.rows}
        missing = {(row.name, row.case): row.reason for row in self.missing}
        names = dict.fromkeys(row.name for row in (*self.rows, *self.missing) if row.case in cases)
        baselines = {(row.case, row.threads): row for row in self.rows if (row.engine, row.precision) == BASELINE}
        lines = [["engine", "ISA level", "threads", *cases]]
        reasons: dict[str, int] = {}
        for name in sorted(names, key=lambda n: (ENGINES.index(n.engine), PRECISIONS.index(n.precision), n.threads)):
            cells = []
            for case in cases:
                if row := rows.get((name, case)):
                    baseline = baselines.get((case, name.threads))
                    cells.append(_cell(row, baseline, self.macs[case]))
                elif reason := missing.get((name, case)):
                    cells.append(f"none ({reasons.setdefault(reason, len(reasons) + 1)})")
                else:
                    cells.append("-")
            label = f"{name.engine} {name.precision}"
            lines.append([f"**{label}**" if name.engine == "b2nn" else label, name.isa, str(name.threads), *cells])
        footnotes = [f"({number}) {reason}" for reason, number in reasons.items()]
        return "\n".join([aligned(lines), *(["", *footnotes] if footnotes else [])])


def machine() -> dict:
    """This machine's CPU, its best instruction set among those of our targets, its CPUs and its system."""
    here = LocalDevice().describe()
    return {
        "cpu": here.cpu,
        "isa": machine_isa(),
        "cpus": here.cpus,
        "arch": here.arch,
        "system": here.system,
        "memory_mib": here.memory_mib,
        "load": round(os.getloadavg()[0], 2),
    }


def machine_line(found: Mapping[str, str]) -> str:
    """The CPU, its instruction set and all versions in one line."""
    here = machine()
    programs = ", ".join(f"{name} {version}" for name, version in versions(found).items())
    return f"{here['cpu']}, {here['cpus']} CPUs, {here['isa']}, {here['system']}. {programs}."


def versions(found: Mapping[str, str]) -> dict[str, str]:
    return {"b2nn-tvm": __version__, "python": platform.python_version(), **dict(sorted(found.items()))}


def _cell(row: Row, baseline: Row | None, macs: int) -> str:
    ratio = f" · {baseline.min_ms / row.min_ms:.2f}x" if baseline else ""
    return f"{row.min_ms:.3f} / {row.median_ms:.3f} · {macs / row.min_ms / 1e6:.0f}{ratio}"


def aligned(lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up in a terminal, too."""
    head, *body = lines
    widths = [max(len(line[column]) for line in (head, *body)) for column in range(len(head))]
    format_line = lambda cells: "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"
    return "\n".join(
        [format_line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(format_line, body)]
    )
