"""Every example says how long it takes, and the quick demo is a search that its page describes."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from b2nn_tvm.cli.search import main
from tests.support.paths import ROOT
from tests.support.processor_time import seconds_of_children

EXAMPLES = runpy.run_path(str(ROOT / ".ci" / "time_examples.py"))


def test_every_example_says_how_long_it_takes() -> None:
    said = EXAMPLES["stated"]()
    assert set(said) == {*EXAMPLES["scripts"](), "make demo-quick"}
    assert {"examples/own_network.py", "examples/track.py", "README.md"} < set(said)
    assert all(5 <= seconds <= EXAMPLES["LIMIT_S"] for seconds in said.values())


def test_the_quick_demo_is_the_demo_without_what_takes_long() -> None:
    quick = main.make_context("b2nn-search", EXAMPLES["demo"]()).params
    assert quick["compare"] == 0 and quick["output"] == "build/demo-quick"
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"`make demo-quick` [^.]*\.", " ".join(page.split()))
    assert f"{EXAMPLES['stated']()['make demo-quick']} seconds" in line


@pytest.mark.sweep
def test_the_quick_demo_keeps_its_budget_within_the_work_of_a_minute_of_two_cores(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the demo trains a network; torch is of the extra train")
    words = [sys.executable, "-m", "b2nn_tvm.cli.search", *EXAMPLES["demo"](), "--json"]
    environment = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin"}
    before = seconds_of_children()
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    used = seconds_of_children() - before
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["within_budget"] is True and found["library_accuracy"] > 0.5
    assert (tmp_path / "build" / "demo-quick" / "report.html").is_file()
    assert used < 120, "a minute of two cores; a busy machine makes the same work dearer"


@pytest.mark.sweep
def test_the_tracking_example_tracks_better_when_trained_and_alike_when_compiled(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the example trains a network; torch is of the extra train")
    command = [sys.executable, str(ROOT / "examples" / "track.py")]
    environment = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    overlap = [float(value) for value in re.findall(r" AO (\d\.\d+) ", done.stdout)]
    still, untrained, trained, mixed, compiled = overlap
    assert trained > max(still, untrained) and mixed > still
    assert compiled == pytest.approx(mixed, abs=0.02)
