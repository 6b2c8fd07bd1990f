"""Functions of loops that only move values: what the importer makes of operators that Relax has no name for."""

from __future__ import annotations

import tvm
from tvm import relax, tirx
from tvm.ir.expr import TensorLoad
from tvm.s_tir import SBlockRealize

from b2nn_tvm.relax_query import op_name


def is_moving_kernel(call: relax.Expr, module: tvm.IRModule) -> bool:
    """Whether ``call`` calls a function of ``module`` that copies each of its results from one place of its input.

    So do padding by pixels of the image and repetition of the whole image. The function has one input and one output.
    """
    if op_name(call) != "relax.call_tir":
        return False
    function = module[call.args[0]]
    if not isinstance(function, tirx.PrimFunc) or len(function.params) != 2:
        return False
    step = function.body
    while not isinstance(step, tirx.BufferStore):
        if isinstance(step, SBlockRealize):
            step = step.block.body if not len(step.block.alloc_buffers) else None
        elif isinstance(step, tirx.For):
            step = step.body
        else:
            return False
    return isinstance(step.value, TensorLoad) and step.value.source.same_as(function.params[0])
