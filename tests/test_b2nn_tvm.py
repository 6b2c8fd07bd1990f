"""The public names of the package are loaded when they are first used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import b2nn_tvm
from tests.support.paths import ROOT


def test_every_public_name_is_there():
    assert all(getattr(b2nn_tvm, name) is not None for name in b2nn_tvm.__all__)
    assert issubclass(b2nn_tvm.B2nnError, Exception) and b2nn_tvm.__version__[0].isdigit()


def test_names_are_those_of_their_modules():
    from b2nn_tvm.mixbin.network.flops import flops
    from b2nn_tvm.models import resnet18

    assert b2nn_tvm.flops is flops
    assert b2nn_tvm.models.resnet18 is resnet18


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="module 'b2nn_tvm' has no attribute 'compile'"):
        _ = b2nn_tvm.compile


@pytest.mark.parametrize(("given", "kept"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_idle_threads_sleep_unless_the_user_says_otherwise(given: str | None, kept: str):
    """OpenMP reads the variable when torch is imported, so it is set when this package is."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = "import b2nn_tvm, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": str(ROOT), **({"OMP_WAIT_POLICY": given} if given else {})},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [kept, "False"]


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_import_the_package_before_torch(example: Path):
    lines = example.read_text(encoding="utf-8").splitlines()
    first = next(line for line in lines if re.match(r"(import|from) (b2nn_tvm|torch)\b", line))
    assert first.startswith("import b2nn_tvm")
