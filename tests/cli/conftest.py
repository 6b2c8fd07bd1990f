"""Commands as a user runs them: real processes in an empty folder."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import helper

from tests.support.cli.commands import Run
from tests.support.cli.graphs import save_graph
from tests.support.paths import ROOT


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``b2nn-<command> words...`` in an empty folder; ``before`` is Python to run first in its process."""

    def run(
        command: str, *words: str, before: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess:
        code = f"import sys; {before}\nsys.argv[0] = 'b2nn-{command}'\nfrom b2nn_tvm.cli.{command} import main\nmain()"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(env or {})}
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, words)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same in this process, which has imported torch and tvm already: for the many options and the many ways to be
    refused.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("OMP_WAIT_POLICY", os.environ.get("OMP_WAIT_POLICY", "PASSIVE"))

    def run(command: str, *words: str) -> subprocess.CompletedProcess:
        main = importlib.import_module(f"b2nn_tvm.cli.{command}").main
        done = CliRunner().invoke(main, [*map(str, words)], prog_name=f"b2nn-{command}")
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def small_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """stem (float 3x3) -> sign -> block (3x3, ±1 weights) -> global pool -> fc."""
    draw = np.random.default_rng(0)
    block = np.where(draw.random((32, 16, 3, 3)) < 0.5, -1, 1)
    constants = {
        "stem_weight": draw.standard_normal((16, 3, 3, 3)),
        "block_weight": block,
        "fc_weight": draw.standard_normal((10, 32)),
        "zero": 0,
        "one": 1,
        "minus": -1,
    }
    nodes = [
        helper.make_node("Conv", ["input", "stem_weight"], ["a"], name="stem", pads=[1, 1, 1, 1]),
        helper.make_node("GreaterOrEqual", ["a", "zero"], ["positive"]),
        helper.make_node("Where", ["positive", "one", "minus"], ["sign"]),
        helper.make_node("Conv", ["sign", "block_weight"], ["b"], name="block", pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "fc_weight"], ["output"], name="fc", transB=1),
    ]
    return save_graph(tmp_path_factory.mktemp("onnx") / "small.onnx", nodes, constants, [1, 3, 8, 8], [1, 10])
