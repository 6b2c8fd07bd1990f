"""What MetaSchedule relies on works with the pinned tvm-ffi, and trials get inputs that they can run on."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAVE = """
from b2nn_tvm.tvm_internals.import_alone import import_tvm_alone
import_tvm_alone()  # torch would take longest
import tvm
from tvm import te
x = te.placeholder((4,), name="x")
module = tvm.IRModule({"main": te.create_prim_func([x, te.compute((4,), lambda i: x[i] + 1.0)])})
tvm.ir.assert_structural_equal(tvm.ir.load_json(tvm.ir.save_json(module)), module)
print("saved")
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_modules_can_be_saved():
    """Releases of apache-tvm-ffi behind the pinned one crash here, and with them every search."""
    assert run(SAVE) == "saved\n"


@pytest.mark.parametrize("dtype", ["float32", "uint8", "uint32", "int32"])
def test_random_inputs_have_the_type_and_index_no_table_out_of_bounds(dtype):
    import numpy as np

    from b2nn_tvm.schedules.tuning.metaschedule import _random

    array = _random((3, 50), dtype, np.random.default_rng(0))
    assert array.dtype == dtype and array.shape == (3, 50)
    assert not array.any() if dtype == "int32" else np.unique(array).size > 50
