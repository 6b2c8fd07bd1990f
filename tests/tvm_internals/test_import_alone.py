"""TVM is imported without torch, and torch can be imported afterwards."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import ROOT

BREAKS = "TVM needs torch, or finds it, when it is imported alone; see b2nn_tvm/tvm_internals/import_alone.py"
PROGRAM = """
import sys
from b2nn_tvm.tvm_internals.import_alone import import_tvm_alone

{before}
import_tvm_alone()
print("torch" in sys.modules)
import torch
import numpy as np
import tvm

print(np.from_dlpack(tvm.runtime.tensor(np.arange(3, dtype="float32"))).tolist(), torch.arange(3).tolist())
"""


def run(before: str) -> list[str]:
    program = PROGRAM.format(before=before)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_torch_is_not_imported_and_both_work() -> None:
    assert run("") == ["False", "[0.0, 1.0, 2.0] [0, 1, 2]"], BREAKS


def test_a_process_that_has_torch_keeps_it() -> None:
    assert run("import torch")[0] == "True"
