"""Whole searches as they are typed: what a terminal, a script and the report say of budgets and of equal times."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.deploy.short_measurements import IN_CHILDREN

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(900)]

SMALL = ("--model", "tests.support.loop.small_search:network", "--data", "tests.support.loop.small_search:few_digits")
EFFORT = ("--masks", "0", "--float-epochs", "1", "--epochs", "1", "--precision", "20%")


# However quiet the machine is, it counts as busy.
BUSY = "from b2nn_tvm.loop.measuring import busy; busy.BUSY = 0.0"


def typed(folder: Path, *words: str, before: str = "") -> subprocess.CompletedProcess:
    """``before`` is Python that runs first in the process of the command."""
    environment = {**os.environ, **IN_CHILDREN, "COLUMNS": "200"}
    start = f"import sys; {before}\nsys.argv[0] = 'b2nn-search'\nfrom b2nn_tvm.cli.search import main; main()"
    command = [sys.executable, "-c", start, *SMALL, *EFFORT, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a search within 60 % of the float network's time, and with what it printed."""
    folder = tmp_path_factory.mktemp("typed")
    done = typed(folder, "--budget", "60%ms", "--compare", "1", "-o", "out", before=BUSY)
    (folder / "printed").write_text(done.stdout, encoding="utf-8")
    (folder / "notes").write_text(done.stderr, encoding="utf-8")
    return folder


def copied(place: Path, folder: Path) -> None:
    for name in ("state", "costs.json.samples"):
        shutil.copytree(place / "out" / name, folder / "out" / name)


def test_random_choices_take_the_same_time_or_it_is_said(place: Path) -> None:
    document = json.loads((place / "out" / "report.json").read_text())
    drawn = [row["measured_ms"] for row in document["rows"] if row["role"] == "random"]
    far = [abs(ms / document["measured_ms"] - 1) for ms in drawn if abs(ms / document["measured_ms"] - 1) > 0.03]
    assert len(drawn) == 1
    said = re.search(r"; (\d) of their times (?:is|are) more than 3% away from the chosen network's", printed(place))
    assert (int(said[1]) if said else 0) == len(far)


def test_the_spreads_of_observed_times_are_said(place: Path) -> None:
    """The smallest and the largest one of the networks that were measured first, as the search has kept them."""
    notes = (place / "notes").read_text(encoding="utf-8")
    found = re.findall(
        r"^note: the observed times of (\d+) networks vary by (\d+)% to (\d+)% between", notes, re.MULTILINE
    )
    assert len(found) == 1, notes
    count, least, most = map(int, found[0])
    texts = [path.read_text(encoding="utf-8") for path in (place / "out" / "state").rglob("phase.json")]
    kept = {f"{float(spread):.0%}" for text in texts for spread in re.findall(r'"spread": ([\d.e-]+)', text)}
    assert count >= 2 and least <= most and {f"{least}%", f"{most}%"} <= kept


def test_an_error_of_a_prediction_has_one_definition(place: Path) -> None:
    """The worst one is that of all networks, the delivered one among them."""
    text = printed(place)
    own = re.search(r"the prediction was (?:right to )?([\d.]+)%", text)
    worst = re.search(r"networks predicted before they were measured: median error [\d.]+%, worst ([\d.]+)%", text)
    assert float(worst[1]) >= float(own[1]) - 0.05


def printed(place: Path) -> str:
    return (place / "printed").read_text(encoding="utf-8")


def test_a_plan_over_the_budget_is_said_to_be(place: Path, tmp_path: Path) -> None:
    copied(place, tmp_path)
    done = typed(tmp_path, "--plan", str(place / "out" / "plan.json"), "--budget", "40%ms", "-o", "out", "--json")
    document = json.loads(done.stdout)
    assert (document["status"], document["within_budget"], document["budget"]) == ("over", False, "40%ms")
    said = "note: the network does not keep the budget for certain: "
    assert any(line.startswith(said) and " ms (exceeded by " in line for line in done.stderr.splitlines())
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert re.search(r'<h1 class="over">[^<]* over the budget of 40%ms</h1>', page)


def test_a_budget_of_bytes_is_that_of_parameters_in_the_units_that_were_typed(place: Path, tmp_path: Path) -> None:
    copied(place, tmp_path)
    done = typed(tmp_path, "--budget", "100KiB", "-o", "out")
    assert "budget 100.0 KiB of parameters: achieved " in done.stdout
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (document["budget"], document["unit"], document["limit"]) == ("100KiB", "bytes", 100 * 1024)
    assert document["achieved"] <= document["limit"] < next(row["size_bytes"] for row in document["rows"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "within 100KiB of parameters</h1>" in page and ">Parameters</div>" in page and ">Library</div>" in page
