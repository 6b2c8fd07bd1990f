"""MetaSchedule starts quickly, and works without the intrinsics that stand-ins replaced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
START = """
import time
import tvm
started = time.process_time()
from b2nn_tvm.tvm_internals.meta_schedule import metaschedule
module = metaschedule()
print(time.process_time() - started)
assert module.__name__ == "tvm.s_tir.meta_schedule" and metaschedule() is module
import sys
stubs = [name for name, value in sys.modules.items() if "tensor_intrin." in name and value.__spec__ is None]
assert not stubs, stubs
"""
BREAKS = (
    "tvm.s_tir.meta_schedule takes something from a module of tvm.s_tir.tensor_intrin that a stand-in replaced, or"
    " takes long to import again: tuning does not start, or slowly; see b2nn_tvm/tvm_internals/meta_schedule.py"
)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{BREAKS}. {done.stderr}"
    return done.stdout


def test_it_starts_without_parsing_the_intrinsics_of_gpus():
    """That takes more than twenty seconds of the processor; and no stub is left behind."""
    assert float(run(START)) < 10, BREAKS
