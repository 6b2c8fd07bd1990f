"""Note the fused operations and the role of each function in the module, by the function's name: attributes
NOTED_OPERATIONS, in order and in the words that tables show, and NOTED_ROLES.

It stands between FuseOps and FuseTIR: there a group of operators is still a Relax function of calls,

    fused_bconv2d_multiply_add(x, w, g, y): call_tir(bconv2d, x, w); call_tir(multiply, ., g); call_tir(add, ., y)
        ->  ["binary conv2d", "scale", "residual add"], "convolution"

and FuseTIR turns it into one function of the same name, without the group's attributes. LabelKernels gives both notes
to that function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import tvm
from tvm import relax
from tvm.ir import GenericConst

from b2nn_tvm.kernel_attrs import NOTED_OPERATIONS, NOTED_ROLES, Operation, Role, role_of, role_of_fused
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import GROUPED, OPERATIONS_NOTED
from b2nn_tvm.relax_query import calls, op_name

_WORDS_OF_ROLES = {
    Role.PACK_SIGNS: Operation.PACK,
    Role.PAD_INPUT: Operation.PAD,
    Role.POOL_BITS: Operation.POOL_BITS,
    Role.COUNT_BITS: Operation.COUNT_BITS,
    Role.EXPAND_WEIGHTS: Operation.UNPACK_WEIGHTS,
}
_WORDS = {
    "bconv2d": "binary conv2d",
    "int8_conv2d": "int8 conv2d",
    "int8_dense": "int8 dense",
    "int8_depthwise_conv2d": "int8 depthwise conv2d",
    "int8_winograd_conv2d": "int8 Winograd conv2d",
    "transpose": "layout change",
}
_WITH_CONSTANT = {"multiply": "scale", "add": "shift", "subtract": "shift"}
_WITH_TENSOR = {"add": "residual add"}


@tvm.transform.module_pass(opt_level=0, name="NoteOperations")
class NoteOperations(CompilerPass):
    """Note the operations and the role of every function that "main" calls."""

    requires = (GROUPED,)
    ensures = (OPERATIONS_NOTED,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        words: dict[str, list[str]] = {}
        roles: dict[str, str] = {}
        for name, members, given in _functions(module):
            found = [role_of(module[call.args[0]].attrs) for call in members]
            words[name] = [_word(call, role, given) for call, role in zip(members, found, strict=True)]
            if (role := role_of_fused(set(found))) is not None:
                roles[name] = str(role)
        return module.with_attr(NOTED_OPERATIONS, words).with_attr(NOTED_ROLES, roles)


def _functions(module: tvm.IRModule) -> Iterator[tuple[str, list[relax.Call], dict[relax.Var, relax.Expr]]]:
    """The name of each function that "main" calls, the calls that it consists of, and the arguments of its
    parameters.
    """
    for _, call in calls(module["main"]):
        if op_name(call) == "relax.call_tir":
            yield call.args[0].name_hint, [call], {}
        elif isinstance(call.op, tvm.ir.GlobalVar) and isinstance(module[call.op], relax.Function):
            group = module[call.op]
            given = dict(zip(group.params, call.args, strict=True))
            yield call.op.name_hint, [inner for _, inner in calls(group)], given


def _word(call: relax.Call, role: Role | None, given: Mapping[relax.Var, relax.Expr]) -> str:
    """The word for one call_tir: the word of its role, else TVM's name of the operation, without the number in it.
    ``given`` are the arguments of the group's parameters.
    """
    if role in _WORDS_OF_ROLES:
        return str(_WORDS_OF_ROLES[role])
    name: str = call.args[0].name_hint.removeprefix("tir_").rstrip("0123456789").rstrip("_")
    values = [given.get(value, value) for value in call.args[1].fields]
    with_constant = len(values) == 1 or any(isinstance(value, GenericConst) for value in values)
    return (_WITH_CONSTANT if with_constant else _WITH_TENSOR).get(name, _WORDS.get(name, name))
