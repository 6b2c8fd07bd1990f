"""Which part of a network a pass, or work on its kernels, fails at: it is done again with less and less of the network.

A pass is given the first bindings of "main", and the shortest part at which it fails ends with the call to blame:

    lv = R.nn.conv2d(x, w); lv1 = R.exp(lv); lv2 = R.tanh(lv1)    it fails
    lv = R.nn.conv2d(x, w); lv1 = R.exp(lv)                       it fails: at exp
    lv = R.nn.conv2d(x, w)                                        it does not
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tvm
from tvm import relax, tirx
from tvm.ir.transform import Pass

from b2nn_tvm.passes.framework.compile_context import CompileContext
from b2nn_tvm.passes.framework.recorder import layer_weight
from b2nn_tvm.relax_query import constant, op_name, variables

Binding = tuple[relax.Var, relax.Expr]
Work = Callable[[tvm.IRModule], object]


def failing_at(each: Pass, module: tvm.IRModule, context: CompileContext) -> str:
    """The place in the network at which the pass fails, and the pass: "at node ... in the pass ...".

    Empty where it does not fail again.
    """
    with _unwatched():
        try:
            _applied(each, module)
        except Exception:  # noqa: BLE001 - whatever failed the first time
            return f"{_failing_call(each, module, context)} in the pass {each.info.name}".strip()
    return ""


def failing_kernel(work: Work, module: tvm.IRModule, context: CompileContext) -> str:
    """The first kernel of ``module`` on which ``work`` fails alone, by the call of it: "at ..., the kernel ...".

    Empty where each kernel alone works.
    """
    for name, function in module.functions_items():
        if not isinstance(function, tirx.PrimFunc):
            continue
        try:
            work(tvm.IRModule({name: function}, attrs=module.attrs))
        except Exception:  # noqa: BLE001 - whatever failed the first time
            bindings = _bindings(module["main"])
            called = next((each for each in bindings if _callee(each[1]) == name), None)
            return f"at {_described(called, bindings, context)}" if called else f"in the kernel {name.name_hint}"
    return ""


def _applied(each: Pass, module: tvm.IRModule) -> tvm.IRModule:
    return tvm.transform.Sequential([each])(module)  # not the pass itself: a pass may be disabled


def _unwatched() -> tvm.transform.PassContext:
    """The present context without its instruments, which have seen all this before."""
    now = tvm.transform.PassContext.current()
    return tvm.transform.PassContext(now.opt_level, now.required_pass, now.disabled_pass, [], dict(now.config))


def _failing_call(each: Pass, module: tvm.IRModule, context: CompileContext) -> str:
    """The last call of the shortest beginning of "main" at which the pass fails; empty where that cannot be told."""
    bindings = _bindings(module["main"])
    works, fails = 0, len(bindings)
    if not bindings or not _fails(each, module, fails):
        return ""
    while works + 1 < fails:
        middle = (works + fails) // 2
        works, fails = (works, middle) if _fails(each, module, middle) else (middle, fails)
    return f"at {_described(bindings[fails - 1], bindings, context)}"


def _fails(each: Pass, module: tvm.IRModule, count: int) -> bool:
    try:
        _applied(each, _beginning(module, count))
    except Exception:  # noqa: BLE001 - whatever failed the first time
        return True
    return False


def _beginning(module: tvm.IRModule, count: int) -> tvm.IRModule:
    """The module with the first ``count`` bindings of "main", which gives all values that none of these reads."""
    main = module["main"]
    bindings = [binding for block in main.body.blocks for binding in block.bindings][:count]
    read = {var for _, value in _bindings(main)[:count] for var in variables(value)}
    ends = [binding.var for binding in bindings if binding.var not in read]
    value = ends[0] if len(ends) == 1 else relax.Tuple(ends)
    kind = ends[0].ty if len(ends) == 1 else relax.TupleType([end.ty for end in ends])
    out = relax.Var("found", kind)
    block = relax.DataflowBlock([*bindings, relax.VarBinding(out, value)])
    function = relax.Function(main.params, relax.SeqExpr([block], out), kind, attrs=main.attrs)
    functions = {name: function if name.name_hint == "main" else other for name, other in module.functions_items()}
    return tvm.IRModule(functions, attrs=module.attrs)


def _bindings(function: relax.Function) -> list[Binding]:
    return [(binding.var, binding.value) for block in function.body.blocks for binding in block.bindings]


def _described(binding: Binding, bindings: Sequence[Binding], context: CompileContext) -> str:
    """The node of the file or the layer that a binding computes; else its operator, and the nearest of these before
    it.
    """
    operator, place = _operator(binding[1]), _place(binding, context)
    if place:
        return place if _callee(binding[1]) is None else f"{place} (the kernel {operator})"
    bound, front, seen = dict(bindings), list(variables(binding[1])), set[relax.Var]()
    while front:
        here = front.pop(0)
        if here in bound and here not in seen:
            if place := _place((here, bound[here]), context):
                return f"{operator} behind {place}"
            front += variables(bound[here])
        seen.add(here)
    return operator


def _place(binding: Binding, context: CompileContext) -> str:
    """The node of the file whose result the binding holds, or its layer; empty where both are lost."""
    var, value = binding
    if node := context.nodes.get(var.name):
        return f"node {node}"
    if op_name(value) in ("relax.nn.conv2d", "relax.matmul"):
        weight = layer_weight(value)
        digest = None if weight is None else context.digest(weight)
        layer = next((each.name for each in context.layers if each.digest == digest), "")
    else:
        layer = context.kernels.name_of(_constants(value))
    return f"layer {layer!r}" if layer else ""


def _constants(value: relax.Expr) -> Iterator[np.ndarray]:
    for part in value.args if isinstance(value, relax.Call) else ():
        for each in part.fields if isinstance(part, relax.Tuple) else [part]:
            if (found := constant(each)) is not None:
                yield found


def _callee(value: relax.Expr) -> tvm.ir.GlobalVar | None:
    """The function that a call of a kernel calls."""
    return value.args[0] if op_name(value).startswith("relax.call_tir") else None


def _operator(value: relax.Expr) -> str:
    callee = _callee(value)
    return str(callee.name_hint) if callee else op_name(value).removeprefix("relax.") or type(value).__name__
