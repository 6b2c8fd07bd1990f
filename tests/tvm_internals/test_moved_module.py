"""A module that was handed over is freed while the passes run, and the module that it was made of stays whole."""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.tvm_internals.moved_module import moved
from tests.support.passes.relax_functions import const, module

BREAKS = (
    "a module that was moved into a pass is still alive when a later pass runs: weights are in memory twice; see"
    " b2nn_tvm/tvm_internals/moved_module.py"
)
MIB = 2**20


def memory_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_what_the_passes_replace_is_freed_on_the_way():
    """The first pass sees a constant of 64 MiB, the second one drops it, and the third one looks whether it is gone."""
    large = np.ones(64 * MIB // 4, np.float32)
    first = [module(lambda x: relax.op.add(x, const(large)), large.shape)]
    seen = []

    def look(mod, _context):
        seen.append(memory_bytes())
        return mod

    passes = [look, lambda _mod, _context: module(relax.op.nn.relu), look]
    sequence = tvm.transform.Sequential([tvm.transform.module_pass(each, opt_level=0, name="p") for each in passes])
    sequence(moved(first.pop()))
    assert seen[0] - seen[1] > 60 * MIB, BREAKS


def test_the_module_stays_as_it_is():
    before = module(lambda x: relax.op.add(x, const([1.0] * 5))).with_attr("b2nn.sign", "binary")
    text = before.script()
    after = relax.transform.FoldConstant()(moved(before))
    assert before.script() == text == after.script()
    assert dict(after.attrs) == {"b2nn.sign": "binary"}
