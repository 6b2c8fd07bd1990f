"""Note in the module which operations are fused into each function: attribute NOTED_OPERATIONS, by the function's name,
in order, in the words that tables show.

It stands between FuseOps and FuseTIR: there a group of operators is still a Relax function of calls,

    fused_bconv2d_multiply_add(x, w, g, y): call_tir(bconv2d, x, w); call_tir(multiply, ., g); call_tir(add, ., y)
        ->  ["binary conv2d", "scale", "residual add"]

and FuseTIR makes one function of the same name of it, without the group's attributes. LabelKernels puts the words
there.
"""

from __future__ import annotations

from collections.abc import Mapping

import tvm
from tvm import relax
from tvm.ir import GenericConst

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import GROUPED, NOTED_OPERATIONS, OPERATIONS_NOTED
from b2nn_tvm.relax_query import calls, op_name

_WORDS = {
    "bconv2d": "binary conv2d",
    "pack_signs": "pack",
    "pad_input": "pad",
    "transpose": "layout change",
}
_WITH_CONSTANT = {"multiply": "scale", "add": "shift", "subtract": "shift"}
_WITH_TENSOR = {"add": "residual add"}


@tvm.transform.module_pass(opt_level=0, name="NoteOperations")
class NoteOperations(CompilerPass):
    """Note the operations of every function that "main" calls."""

    requires = (GROUPED,)
    ensures = (OPERATIONS_NOTED,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return module.with_attr(NOTED_OPERATIONS, operations(module))


def operations(grouped: tvm.IRModule) -> dict[str, tuple[str, ...]]:
    """The operations of each function that "main" calls, by name, after FuseOps."""
    found = {}
    for _, call in calls(grouped["main"]):
        if op_name(call) == "relax.call_tir":
            found[call.args[0].name_hint] = (_word(call, {}),)
        elif isinstance(call.op, tvm.ir.GlobalVar) and isinstance(grouped[call.op], relax.Function):
            group = grouped[call.op]
            given = dict(zip(group.params, call.args, strict=True))
            found[call.op.name_hint] = tuple(_word(inner, given) for _, inner in calls(group))
    return found


def _word(call: relax.Call, given: Mapping[relax.Var, relax.Expr]) -> str:
    """The word for one call_tir; ``given`` are the arguments of the group's parameters. A number is part of the
    function.
    """
    name = call.args[0].name_hint.removeprefix("tir_").rstrip("0123456789").rstrip("_")
    values = [given.get(value, value) for value in call.args[1].fields]
    with_constant = len(values) == 1 or any(isinstance(value, GenericConst) for value in values)
    return (_WITH_CONSTANT if with_constant else _WITH_TENSOR).get(name, _WORDS.get(name, name))
