"""Functions whose result has a border set it to zero first."""

from __future__ import annotations

import numpy as np
import tvm
from tvm import te, topi

from b2nn_tvm.kernel_attrs import BORDER
from b2nn_tvm.passes.fuse.zero_borders import ZeroBorders
from tests.support.passes.compile_context import context

BEFORE = """
# from tvm.script import ir as I
# from tvm.script import tirx as T

@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(x: T.Buffer((1, 2, 2, 3), "float32"), y: T.Buffer((1, 3, 3, 3), "float32")):
        T.func_attr({"b2nn.border": [1, 0, 0, 1], "tirx.is_scheduled": True, "tirx.noalias": True})
        for n, h, w, c in T.grid(1, 2, 2, 3):
            with T.sblock("relu"):
                v_n, v_h, v_w, v_c = T.axis.remap("SSSS", [n, h, w, c])
                T.reads(x[v_n, v_h, v_w, v_c])
                T.writes(y[v_n, v_h + 1, v_w, v_c])
                y[v_n, v_h + 1, v_w, v_c] = T.max(x[v_n, v_h, v_w, v_c], T.float32(0.0))
"""
ZEROS = """        for n, h, w, c in T.grid(1, 1, 3, 3):
            y[n, h, w, c] = T.float32(0.0)
        for n, h, w, c in T.grid(1, 2, 1, 3):
            y[n, 1 + h, 2 + w, c] = T.float32(0.0)
"""
LOOPS = "        for n, h, w, c in T.grid(1, 2, 2, 3):\n            with"
EXPECTED = BEFORE.replace(LOOPS, ZEROS + LOOPS)


def test_the_border_is_zeroed_in_front_of_all_else():
    """A row above, and a column to the right of what is below."""
    assert EXPECTED != BEFORE
    after = ZeroBorders(context())(tvm.script.from_source(BEFORE))
    tvm.ir.assert_structural_equal(after, tvm.script.from_source(EXPECTED))


def test_a_function_without_a_border_stays():
    x = te.placeholder((1, 2, 2, 3), name="x")
    before = tvm.IRModule({"main": te.create_prim_func([x, topi.nn.relu(x)])})
    tvm.ir.assert_structural_equal(ZeroBorders(context())(before), before)


def test_the_numbers():
    """What was in memory before is gone."""
    after = ZeroBorders(context())(tvm.script.from_source(BEFORE))
    assert tuple(map(int, after["main"].attrs[BORDER])) == (1, 0, 0, 1)
    x = np.random.default_rng(0).standard_normal((1, 2, 2, 3)).astype(np.float32)
    y = tvm.runtime.tensor(np.full((1, 3, 3, 3), 7, np.float32))
    tvm.compile(after, target="llvm")["main"](tvm.runtime.tensor(x), y)
    np.testing.assert_array_equal(y.numpy(), np.pad(np.maximum(x, 0), ((0, 0), (1, 0), (0, 1), (0, 0))))
