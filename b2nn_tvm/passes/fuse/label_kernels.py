"""Note on each function which operations were fused into it: attribute OPERATIONS, in order, in the words that tables
show.

It stands between FuseOps and FuseTIR: there a group of operators is still a Relax function of calls,

    fused_bconv2d_multiply_add(x, w, g, y): call_tir(bconv2d, x, w); call_tir(multiply, ., g); call_tir(add, ., y)
        ->  ["binary conv2d", "scale", "residual add"]

and FuseTIR makes one function of the same name of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import tvm
from tvm import relax, tirx
from tvm.ir import GenericConst

from b2nn_tvm.ops.anchor import OPERATIONS
from b2nn_tvm.relax_query import calls, op_name

_WORDS = {
    "bconv2d": "binary conv2d",
    "pack_signs": "pack",
    "pad_input": "pad",
    "transpose": "layout change",
}
_WITH_CONSTANT = {"multiply": "scale", "add": "shift", "subtract": "shift"}
_WITH_TENSOR = {"add": "residual add"}


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


def label_kernels(module: tvm.IRModule, words: Mapping[str, tuple[str, ...]]) -> tvm.IRModule:
    """``module`` with the attribute OPERATIONS at the functions that ``words`` names."""
    functions = {
        name: function.with_attr(OPERATIONS, list(words[name.name_hint]))
        if isinstance(function, tirx.PrimFunc) and name.name_hint in words
        else function
        for name, function in module.functions_items()
    }
    return tvm.IRModule(functions, attrs=module.attrs)


def _word(call: relax.Call, given: Mapping[relax.Var, relax.Expr]) -> str:
    """The word for one call_tir; ``given`` are the arguments of the group's parameters. A number is part of the
    function.
    """
    name = call.args[0].name_hint.removeprefix("tir_").rstrip("0123456789").rstrip("_")
    values = [given.get(value, value) for value in call.args[1].fields]
    with_constant = len(values) == 1 or any(isinstance(value, GenericConst) for value in values)
    return (_WITH_CONSTANT if with_constant else _WITH_TENSOR).get(name, _WORDS.get(name, name))
