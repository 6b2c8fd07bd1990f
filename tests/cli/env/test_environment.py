"""What b2nn-env reads: packages by extras, limits, and machines for which there is no target."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.cli.env import environment
from b2nn_tvm.cli.env.environment import (
    VARIABLES,
    Package,
    as_lines,
    cpu_quota,
    read_environment,
    read_packages,
)
from b2nn_tvm.errors import TargetError
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def here():
    return read_environment()


def test_packages_come_with_their_extras(here, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "numpy>=2.0",
        'torch>=2.8; extra == "train"',
        'b2nn-tvm[train,verify]; extra == "search"',
        "mkdocstrings[python]>=0.29; extra == 'docs'",
        'not-there-at-all<2,>=1; extra == "bench"',
        'numpy>=1; extra == "bench"',
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)
    found = {package.name: package for package in read_packages()}
    assert list(found) == ["numpy", "torch", "mkdocstrings", "not-there-at-all"]
    assert found["numpy"] == Package("numpy", ">=2.0", np.__version__, "")
    assert (found["torch"].extra, found["mkdocstrings"].wanted) == ("train", ">=0.29")
    assert found["not-there-at-all"] == Package("not-there-at-all", "<2,>=1", "", "bench")
    lines = as_lines(replace(here, packages=tuple(found.values())))
    assert any(line.startswith("extra bench") and line.endswith("without not-there-at-all") for line in lines)


def test_a_program_that_is_not_installed_says_so(here, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    assert "not installed by pip" in as_lines(replace(here, packages=read_packages()))[-1]


@pytest.mark.parametrize(("content", "quota"), [("max 100000\n", 0), ("150000 100000\n", 1.5), ("nonsense", 0)])
def test_a_limit_on_the_time_of_cpus(content: str, quota: float, here, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "cpu.max").write_text(content)
    monkeypatch.setattr(environment, "CPU_QUOTA", tmp_path / "cpu.max")
    assert cpu_quota() == quota
    (line,) = [line for line in as_lines(replace(here, quota=cpu_quota())) if line.startswith("CPU")]
    assert ("time of 1.5" in line) == bool(quota)


def test_a_cpu_without_a_target_is_described_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real = environment.get

    def get(name: str):
        if name == "native":
            raise TargetError("target native: this CPU runs none of the shipped targets")
        return replace(real(name), requires=("a flag that no CPU has",))

    monkeypatch.setattr(environment, "get", get)
    found = read_environment()
    assert (found.target, found.vector, found.runs) == ("", "", ())
    assert set(found.compilers) == {"arm"}
    assert "none: this CPU runs no target" in "\n".join(as_lines(found))


def test_the_variables_of_the_documents_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8").split("## Environment variables")[1]
    documented = {word for word in page.split("`") if word.isupper() and word.replace("_", "").isalnum()}
    assert {name for name in documented if name.startswith(("B2NN_", "OMP_", "XDG_", "CC"))} <= set(VARIABLES)
    monkeypatch.setenv("B2NN_SSH", "ssh -F config")
    found = read_environment()
    assert found.settings["B2NN_SSH"] == "ssh -F config"
    assert "B2NN_SSH=ssh -F config" in "\n".join(as_lines(found))


def test_a_cache_that_may_not_be_looked_into_is_no_reason_to_say_nothing(tmp_path: Path) -> None:
    """As where a service runs as another user, with the home of root."""
    kept = tmp_path / "b2nn-tvm" / "kernels"
    kept.mkdir(parents=True)
    (kept / "a").write_bytes(bytes(3 << 20))
    code = "from b2nn_tvm.cli.env.environment import read_environment; print(read_environment().cache_mib)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path)}
    words = [sys.executable, "-c", code]
    read = lambda before: subprocess.run([*before, *words], env=environment, capture_output=True, text=True, check=True)
    assert float(read([]).stdout) == 3
    (tmp_path / "b2nn-tvm").chmod(0)
    as_nobody = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.getuid() == 0 else []
    try:
        assert float(read(as_nobody).stdout) == 0
    finally:
        (tmp_path / "b2nn-tvm").chmod(0o755)
