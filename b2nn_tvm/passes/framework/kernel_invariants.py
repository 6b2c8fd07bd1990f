"""The invariants of the functions of loops, and of their calls in "main", between two passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import tvm
from tvm import relax, tirx
from tvm.ir import GenericConst

from b2nn_tvm.kernel_attrs import BORDER, NOTED_OPERATIONS, OPERATIONS, pad_value_of
from b2nn_tvm.passes.framework.invariant import Invariant, relax_functions
from b2nn_tvm.relax_query import calls, op_name


def _every_kernel(complaint: Callable[[tvm.IRModule, tvm.ir.GlobalVar], str]) -> Callable[[tvm.IRModule], str]:
    """The violation of a property of all functions of loops: ``complaint`` says what is wrong with a function."""

    def violation(module: tvm.IRModule) -> str:
        kernels = (name for name, function in module.functions_items() if isinstance(function, tirx.PrimFunc))
        found = (f"{name.name_hint}: {why}" for name in kernels if (why := complaint(module, name)))
        return next(found, "")

    return violation


def _calls_in_main(module: tvm.IRModule, allowed: Callable[[relax.Call], bool]) -> str:
    for var, call in calls(module["main"]):
        if not allowed(call):
            return f"{var.name}: a call of {op_name(call) or call.op}"
    return ""


def _is_kernel_call(call: relax.Call) -> bool:
    return op_name(call) == "relax.call_tir"


def _is_group_or_kernel_call(module: tvm.IRModule, call: relax.Call) -> bool:
    if not isinstance(call.op, tvm.ir.GlobalVar):
        return _is_kernel_call(call)
    group = module[call.op]
    return isinstance(group, relax.Function) and all(_is_kernel_call(inner) for _, inner in calls(group))


def _called(module: tvm.IRModule) -> Iterator[str]:
    """The names of the functions that "main" calls."""
    for _, call in calls(module["main"]):
        yield (call.op if isinstance(call.op, tvm.ir.GlobalVar) else call.args[0]).name_hint


def _unnoted(module: tvm.IRModule) -> str:
    noted = (module.attrs or {}).get(NOTED_OPERATIONS, {})
    return next((f"{name}: no operations are noted" for name in _called(module) if name not in noted), "")


def _lacks(attribute: str) -> Callable[[tvm.IRModule], str]:
    """The violation of: every function of loops that "main" calls has this attribute."""

    def violation(module: tvm.IRModule) -> str:
        lacking = (name for name in _called(module) if attribute not in (module[name].attrs or {}))
        return next((f"{name}: no attribute {attribute}" for name in lacking), "")

    return violation


def _unwritten_output(module: tvm.IRModule) -> str:
    function = module["main"]
    bound = dict(relax.analysis.get_var2val(function))

    def aliased(expr: relax.Expr) -> relax.Expr:
        while isinstance(expr, relax.Var) and isinstance(bound.get(expr), relax.Var | relax.Tuple | GenericConst):
            expr = bound[expr]
        return expr

    result = aliased(function.body.body)
    outputs = [aliased(field) for field in (result.fields if isinstance(result, relax.Tuple) else [result])]
    for index, output in enumerate(outputs):
        if not isinstance(output, relax.Var) or output not in bound:
            return f"output {index} is an input or a constant"
        if any(output.same_as(other) for other in outputs[:index]):
            return f"output {index} is another output, too"
    return ""


def _unzeroed_border(module: tvm.IRModule, name: tvm.ir.GlobalVar) -> str:
    function = module[name]
    if BORDER not in (function.attrs or {}):
        return ""
    first = function.body.block.body
    while isinstance(first, tirx.SeqStmt | tirx.For):
        first = first.seq[0] if isinstance(first, tirx.SeqStmt) else first.body
    value, number = pad_value_of(function.attrs), isinstance(first, tirx.BufferStore) and first.value
    filled = isinstance(number, tirx.IntImm | tirx.FloatImm) and float(number.value) == value
    return "" if filled else f"it does not start with setting its border to {value or 'zero'}"


def _unscheduled(module: tvm.IRModule, name: tvm.ir.GlobalVar) -> str:
    return "" if "tirx.is_scheduled" in (module[name].attrs or {}) else "it has no schedule"


OPERATORS_LOWERED = Invariant(
    "OPERATORS_LOWERED",
    'All calls in "main" are call_tir.',
    lambda module: _calls_in_main(module, _is_kernel_call),
)
PATTERNS_ANNOTATED = Invariant(
    "PATTERNS_ANNOTATED", 'What "main" calls has the attribute op_pattern.', _lacks("op_pattern")
)
GROUPED = Invariant(
    "GROUPED",
    'All calls in "main" are call_tir, or of Relax functions of nothing but call_tir.',
    lambda module: _calls_in_main(module, lambda call: _is_group_or_kernel_call(module, call)),
)
OPERATIONS_NOTED = Invariant("OPERATIONS_NOTED", "The module says which operations each called function is.", _unnoted)
KERNELS_ONLY = Invariant(
    "KERNELS_ONLY",
    'All calls in "main" are call_tir, and "main" is the only Relax function.',
    lambda module: (
        _calls_in_main(module, _is_kernel_call)
        or next(("a second Relax function" for _ in list(relax_functions(module))[1:]), "")
    ),
)
LABELLED = Invariant("LABELLED", f'What "main" calls has the attribute {OPERATIONS}.', _lacks(OPERATIONS))
OUTPUTS_WRITTEN = Invariant("OUTPUTS_WRITTEN", "Every output is computed, and is no other output.", _unwritten_output)
SCHEDULED = Invariant("SCHEDULED", "Every function of loops is scheduled.", _every_kernel(_unscheduled))
BORDERS_ZEROED = Invariant(
    "BORDERS_ZEROED", f"Functions with the attribute {BORDER} start with filling it.", _every_kernel(_unzeroed_border)
)
