"""The package as a program."""

from __future__ import annotations

import subprocess
import sys

import pytest

from b2nn_tvm.version import __version__
from tests.support.paths import ROOT


@pytest.mark.parametrize("words", [("--version",), ("compile", "--version")])
def test_the_package_runs_as_a_module(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "b2nn_tvm", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[-1]) == (0, __version__), done.stderr
