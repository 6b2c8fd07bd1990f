"""Figures that a page quotes or computes from another page are those of that page."""

from __future__ import annotations

import csv
import json
import re

import pytest

from tests.support.browser.report_pages import SAMPLE
from tests.support.paths import ROOT

RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
PRECISIONS = (ROOT / "docs" / "precisions.md").read_text(encoding="utf-8")


def rows(text: str, header: str) -> list[list[str]]:
    """The cells of the table whose first line begins with ``header``, without bold type."""
    lines = text[text.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("*") for cell in line.strip("|").split("|")] for line in lines]


def networks(section: str) -> dict[str, dict[str, float]]:
    """Milliseconds by network and engine of the table in a section of docs/results.md."""
    text = RESULTS[RESULTS.index(f"## {section}") :]
    header = re.search(r"^\| network at 224x224 .*$", text, re.MULTILINE)[0]
    engines = [cell.strip().strip("*") for cell in header.strip("|").split("|")][1:]
    return {
        name: {engine: float(cell.split(",")[0]) for engine, cell in zip(engines, cells, strict=True) if cell != "-"}
        for name, *cells in rows(text, header)
    }


def test_the_times_in_the_readme_are_those_of_a_machine_in_the_results() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = rows(readme, "| network | onnxruntime fp32 |")
    assert len(found) == 4
    assert found == rows(RESULTS[RESULTS.index("## Zen 3") :], "| network at 224x224 |")
    best = networks("Zen 5")["Bi-Real-18, all eligible layers binary"]
    assert f"{best['onnxruntime fp32'] / best['b2nn']:.1f} times as fast as onnxruntime fp32" in readme


@pytest.mark.parametrize(("machine", "place"), [("Zen 3", 0), ("Zen 5", 2), ("Xeon", 4)])
def test_the_gains_of_a_cpu_are_computed_from_the_results(machine: str, place: int) -> None:
    found = rows(PRECISIONS, "| CPU | network |")
    assert len(found) == 6 and found[place][0].startswith(machine)
    times = networks(machine)
    for _, network, ms, over_float, over_int8 in found[place : place + 2]:
        row = times[f"Bi-Real-18, {network}"]
        assert float(ms.removesuffix(" ms")) == row["b2nn"]
        assert over_float == f"{row['onnxruntime fp32'] / row['b2nn']:.1f}x"
        assert over_int8 == f"{row['OpenVINO int8'] / row['b2nn']:.1f}x"


def test_estimates_are_called_estimates() -> None:
    table = rows(PRECISIONS, "| CPU | `--target` |")
    assert len(table) == 8 and all(len(row) == 6 for row in table)
    before = PRECISIONS[: PRECISIONS.index("| CPU | `--target` |")]
    assert "**static estimates**" in before and "No figure in it is\na measured time" in before


def test_the_faults_that_the_check_finds_are_those_of_the_survey() -> None:
    page = (ROOT / "docs" / "artifact.md").read_text(encoding="utf-8")
    with (ROOT / "docs" / "surveys" / "injected_faults.csv").open(encoding="utf-8", newline="") as file:
        cases: dict[str, list[dict[str, str]]] = {}
        for row in csv.DictReader(file):
            cases.setdefault(row["case"].partition(": ")[0], []).append(row)
    right = cases.pop("right")
    assert f"None of {len(right)} right networks was refused" in page
    assert all(row["outcome"] == "right" for row in right)
    counted = [
        [
            str(len(faults)),
            *(
                str(sum(row["outcome"] == outcome for row in faults))
                for outcome in ("right", "no difference", "missed")
            ),
            str(sum("missed" in (row["OPEN * 10"], row["ROUNDING * 10"]) for row in faults)),
        ]
        for faults in cases.values()
    ]
    assert [row[1:] for row in rows(page, "| fault | in networks |")] == counted
    unchanged = ("OPEN / 10", "ROUNDING / 10", "SEVERAL / 4", "SEVERAL * 4")
    assert all(row[name] == row["outcome"] for faults in cases.values() for row in faults for name in unchanged)


def test_the_lines_of_c_are_counted() -> None:
    page = (ROOT / "docs" / "artifact.md").read_text(encoding="utf-8")
    said = int(re.search(r"are C: some ([\d,]+) lines", page)[1].replace(",", ""))
    parts = ("runtime", "runner", "photo")
    files = [path for part in parts for path in (ROOT / "deploy" / part).rglob("*.[ch]")]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert abs(lines - said) <= 0.03 * said


def test_the_pictured_report_is_that_of_the_command_beside_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    sample = json.loads((SAMPLE / "report.json").read_text(encoding="utf-8"))
    command, options = re.search(r"The command was `(.*?)` with\s+`(.*?)`", readme, re.DOTALL).groups()
    assert f"{command} {options}" == sample["origin"]["command"].removesuffix(" -o result")
