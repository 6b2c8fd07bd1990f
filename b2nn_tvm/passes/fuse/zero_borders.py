"""Let functions whose result has a border (attribute BORDER) set it to zero, or to the zero point of codes (attribute
PAD_VALUE), before anything else that they do.

It runs after the schedules, which allow one block alone to write a tensor. The border is written in each run, so
that a result's memory is free for others when nobody reads it any more: memory that others have just used is in the
cache, which is worth more than the stores.
"""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.s_tir import SBlock, SBlockRealize

from b2nn_tvm.kernel_attrs import BORDER, pad_value_of
from b2nn_tvm.ops.border import fill_around
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import BORDERS_ZEROED, SCHEDULED
from b2nn_tvm.relax_query import four


@tvm.transform.module_pass(opt_level=0, name="ZeroBorders")
class ZeroBorders(CompilerPass):
    """Let all functions with the attribute BORDER write the border of their result."""

    requires = (SCHEDULED,)
    ensures = (BORDERS_ZEROED,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        functions = {
            name: _zeroing(function)
            if isinstance(function, tirx.PrimFunc) and BORDER in (function.attrs or {})
            else function
            for name, function in module.functions_items()
        }
        return tvm.IRModule(functions, attrs=module.attrs)


def _zeroing(function: tirx.PrimFunc) -> tirx.PrimFunc:
    zeros = fill_around(function.params[-1], four(function.attrs[BORDER]), pad_value_of(function.attrs))
    block = function.body.block
    root = SBlock(
        [], [], [], block.name_hint, tirx.SeqStmt([zeros, block.body]), None, block.alloc_buffers, [], block.annotations
    )
    return tirx.PrimFunc(function.params, SBlockRealize([], tirx.const(True), root), function.ret_type, function.attrs)
