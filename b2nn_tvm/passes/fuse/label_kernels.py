"""Note on each function which operations were fused into it: attribute OPERATIONS, in order, in the words that tables
show; and what it is for, attribute ROLE, which FuseTIR drops of the functions that it merges.

It stands between FuseOps and FuseTIR: there a group of operators is still a Relax function of calls,

    fused_bconv2d_multiply_add(x, w, g, y): call_tir(bconv2d, x, w); call_tir(multiply, ., g); call_tir(add, ., y)
        ->  ["binary conv2d", "scale", "residual add"]

and FuseTIR makes one function of the same name of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tvm
from tvm import relax, tirx
from tvm.ir import GenericConst

from b2nn_tvm.kernel_attrs import OPERATIONS, ROLE, Operation, Role, role_of, role_of_fused
from b2nn_tvm.relax_query import calls, op_name

_WORDS_OF_ROLES = {
    Role.PACK_SIGNS: Operation.PACK,
    Role.PAD_INPUT: Operation.PAD,
    Role.POOL_BITS: Operation.POOL_BITS,
    Role.EXPAND_WEIGHTS: Operation.UNPACK_WEIGHTS,
}
_WORDS = {"bconv2d": "binary conv2d", "transpose": "layout change"}
_WITH_CONSTANT = {"multiply": "scale", "add": "shift", "subtract": "shift"}
_WITH_TENSOR = {"add": "residual add"}


@dataclass(frozen=True)
class KernelLabel:
    """What a function does, in the words of tables, and what it is for."""

    operations: tuple[str, ...]
    role: Role | None


def operations(grouped: tvm.IRModule) -> dict[str, KernelLabel]:
    """The label of each function that "main" calls, by name, after FuseOps."""
    found = {}
    for _, call in calls(grouped["main"]):
        if op_name(call) == "relax.call_tir":
            found[call.args[0].name_hint] = _label(grouped, [call], {})
        elif isinstance(call.op, tvm.ir.GlobalVar) and isinstance(grouped[call.op], relax.Function):
            group = grouped[call.op]
            given = dict(zip(group.params, call.args, strict=True))
            found[call.op.name_hint] = _label(grouped, [inner for _, inner in calls(group)], given)
    return found


def label_kernels(module: tvm.IRModule, labels: Mapping[str, KernelLabel]) -> tvm.IRModule:
    """``module`` with the attributes OPERATIONS and ROLE at the functions that ``labels`` names."""
    functions = {
        name: _labelled(function, labels[name.name_hint])
        if isinstance(function, tirx.PrimFunc) and name.name_hint in labels
        else function
        for name, function in module.functions_items()
    }
    return tvm.IRModule(functions, attrs=module.attrs)


def _labelled(function: tirx.PrimFunc, label: KernelLabel) -> tirx.PrimFunc:
    role = {} if label.role is None else {ROLE: str(label.role)}
    return function.with_attrs({OPERATIONS: list(label.operations), **role})


def _label(grouped: tvm.IRModule, members: list[relax.Call], given: Mapping[relax.Var, relax.Expr]) -> KernelLabel:
    """The label of a function of these calls; ``given`` are the arguments of the group's parameters."""
    roles = [role_of(grouped[call.args[0]].attrs) for call in members]
    words = tuple(_word(call, role, given) for call, role in zip(members, roles, strict=True))
    return KernelLabel(words, role_of_fused(set(roles)))


def _word(call: relax.Call, role: Role | None, given: Mapping[relax.Var, relax.Expr]) -> str:
    """The word for one call_tir: that of its role, else TVM's name of the operation. A number is part of the function."""
    if role in _WORDS_OF_ROLES:
        return str(_WORDS_OF_ROLES[role])
    name = call.args[0].name_hint.removeprefix("tir_").rstrip("0123456789").rstrip("_")
    values = [given.get(value, value) for value in call.args[1].fields]
    with_constant = len(values) == 1 or any(isinstance(value, GenericConst) for value in values)
    return (_WITH_CONSTANT if with_constant else _WITH_TENSOR).get(name, _WORDS.get(name, name))
