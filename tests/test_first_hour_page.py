"""Everything in docs/first-hour.md is typed, in its order; the emulated board answers as this machine does."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.errors import DeviceError
from tests.support.deploy.short_measurements import IN_CHILDREN
from tests.support.paths import ROOT

pytestmark = [pytest.mark.sweep, pytest.mark.emulated, pytest.mark.timeout(900)]

PAGE = (ROOT / "docs" / "first-hour.md").read_text(encoding="utf-8")
ON_THE_BOARD = "ssh pi@raspberrypi.local "


def typed(line: str, folder: Path) -> str:
    """What a line of the page prints in the folder, with this checkout's commands in place of the installed ones."""
    first, rest = line.split(" ", 1)
    if first.startswith("b2nn-"):
        line = f"{shlex.quote(sys.executable)} -m b2nn_tvm.cli.{first.removeprefix('b2nn-')} {rest}"
    environment = {**os.environ, **IN_CHILDREN}
    done = subprocess.run(["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_page_from_top_to_bottom(tmp_path: Path) -> None:
    for package in ("torch", "PIL", "onnxruntime"):
        pytest.importorskip(package, reason=f"the page needs it; pip install {package}")
    try:
        emulator = find_emulator("aarch64")
    except DeviceError as error:
        pytest.skip(str(error))
    printed: dict[str, str] = {}
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        if text.startswith("# nets.py\n"):
            (tmp_path / "nets.py").write_text(text, encoding="utf-8")
        elif language == "python":
            (tmp_path / "block.py").write_text(text, encoding="utf-8")
            typed(f"{shlex.quote(sys.executable)} block.py", tmp_path)
        elif language == "sh":
            for line in text.splitlines():
                if line.startswith(ON_THE_BOARD):
                    start = [*emulator.command_line("cortex-a53"), *shlex.split(line.removeprefix(ON_THE_BOARD))]
                    words = [*start, "--json"]
                    done = subprocess.run(
                        words, cwd=tmp_path, env=emulator.environment(), check=True, capture_output=True, text=True
                    )
                    printed["board"] = done.stdout
                elif not line.startswith("scp "):
                    printed[line] = typed(line, tmp_path)
        else:
            assert text.startswith("python3 -m venv")  # .ci/run installs the package
    (search,) = (text for line, text in printed.items() if line.startswith("b2nn-search"))
    assert "budget" in search and "report.html shows all of this" in search
    assert "class0" in (tmp_path / "result" / "native" / "labels.txt").read_text()
    report = json.loads((tmp_path / "result" / "report.json").read_text())
    assert report["plan"]["binary"], "a budget of 60 % needs binary layers"
    assert {"README.txt", "classify.cpp", "b2nn-camera.service", "labels.txt"} <= set(os.listdir(tmp_path / "board"))
    assert "whole network: undisturbed" in printed["b2nn-profile result/native"]

    there = {row["name"]: row["classes"] for row in rows(printed["board"])}
    here = typed("./result/native/b2nn-run board/photos --json", tmp_path)
    assert len(there) >= 3
    for row in rows(here):
        best = there[row["name"]]
        assert best[0]["label"] == row["classes"][0]["label"], row["name"]
        assert best[0]["score"] == pytest.approx(row["classes"][0]["score"], rel=1e-3, abs=1e-3)


def rows(printed: str) -> list[dict]:
    """The rows of images that b2nn-run printed as JSON Lines."""
    return [row for row in map(json.loads, printed.splitlines()) if row["row"] == "image"]
