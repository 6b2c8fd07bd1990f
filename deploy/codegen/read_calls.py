"""The bindings of a Relax function -> a straight line of kernel calls, whose arguments are tensors in memory.

alloc: v = alloc_tensor(...); _ = kernel(x, v); w = reshape(v); _ = other(w, u)   ->   kernel(x, v), other(v, u)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.deploy.codegen.kernel_call import KernelCall, StraightLine, Tensor
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.kernel_attrs import BORDERED, Role, operations_of, role_of
from b2nn_tvm.provenance.kernel_layers import KernelLayer
from b2nn_tvm.relax_query import constant

FindLayer = Callable[[Sequence[np.ndarray]], KernelLayer | None]
_VIEWS = ("relax.reshape", "relax.memory.view", "relax.flatten", "relax.expand_dims", "relax.squeeze")
_RESHAPE = "vm.builtin.reshape"  # the function of TVM's runtime that a reshape may have become


def read_calls(module: tvm.IRModule, find_layer: FindLayer) -> StraightLine:
    """The calls of ``main``, in which Relax has allocated the tensors that kernels write.

    ``find_layer`` finds the layer that owns one of the constants of a call. Raises UnsupportedError where ``main``
    calls anything but kernels and views of their results.
    """
    return _Walk(module, find_layer).line()


class _Walk:
    """A walk over the bindings of ``main`` in order; views, tuples and other names of a tensor become that tensor."""

    def __init__(self, module: tvm.IRModule, find_layer: FindLayer):
        self._module = module
        self._main = module["main"]
        self._find_layer = find_layer
        self._aliases: dict[relax.Var, relax.Expr] = {}
        self._tuples: dict[relax.Var, relax.Tuple] = {}
        self._expanded: dict[relax.Var, KernelLayer | None] = {}
        self._allocated: list[relax.Var] = []
        self._calls: list[KernelCall] = []
        self._written: set[relax.Var] = set(self._main.params)

    def line(self) -> StraightLine:
        for block in self._main.body.blocks:
            for binding in block.bindings:
                self._bind(binding.var, binding.value)
        results = self._results()
        tensors = tuple(map(self._tensor, results))
        return StraightLine(tuple(self._main.params), tuple(self._calls), tuple(self._allocated), results, tensors)

    def _results(self) -> tuple[relax.Expr, ...]:
        bound = relax.analysis.get_var2val(self._main)
        body = self._main.body.body
        while isinstance(body, relax.Var) and isinstance(bound.get(body), (relax.Var, relax.Tuple)):
            body = bound[body]
        return tuple(body.fields) if isinstance(body, relax.Tuple) else (body,)

    def _bind(self, var: relax.Var, value: relax.Expr) -> None:
        match value:
            case relax.Var() | tvm.ir.GenericConst():
                self._aliases[var] = value
            case relax.Tuple():
                self._tuples[var] = value
            case relax.TupleGetItem():
                self._aliases[var] = self._tuple(value.tuple_value).fields[value.index]
            case relax.ShapeExpr():
                pass
            case relax.Call():
                self._bind_call(var, value)
            case _:
                raise UnsupportedError(
                    f"cannot build {type(value).__name__} into a library; the network must be a straight line"
                )

    def _bind_call(self, var: relax.Var, call: relax.Call) -> None:
        name = call.op.name if isinstance(call.op, tvm.ir.Op) else ""
        if isinstance(call.op, tvm.ir.GlobalVar):
            self._calls.append(self._kernel_call(call))
        elif name == "relax.builtin.alloc_tensor":
            self._allocated.append(var)
        elif _is_reshape(call):
            self._aliases[var] = call.args[1].fields[0] if isinstance(call.args[1], relax.Tuple) else call.args[0]
        elif name in _VIEWS:
            self._aliases[var] = call.args[0]
        else:
            raise UnsupportedError(f"operator {name or call.op} has no kernel that can be built into a library")

    def _kernel_call(self, call: relax.Call) -> KernelCall:
        attrs = self._module[call.op].attrs
        arguments = tuple(map(self._tensor, call.args))
        variables = dict.fromkeys(tensor for tensor in arguments if isinstance(tensor, relax.Var))
        outputs = tuple(var for var in variables if var not in self._written)
        self._written.update(outputs)
        layer = self._find_layer([value for argument in call.args if (value := constant(argument)) is not None])
        role, border = role_of(attrs), (attrs or {}).get(BORDERED)
        if role is Role.EXPAND_WEIGHTS:
            self._expanded.update(dict.fromkeys(outputs, layer))
        return KernelCall(
            function=call.op.name_hint,
            role=role,
            operations=operations_of(attrs),
            border=None if border is None else tuple(map(int, border)),
            arguments=arguments,
            outputs=outputs,
            layer=layer or next(filter(None, map(self._expanded.get, variables)), None),
            has_weights=layer is not None,
        )

    def _tensor(self, expr: relax.Expr) -> Tensor:
        while isinstance(expr, relax.Var) and expr in self._aliases:
            expr = self._aliases[expr]
        return expr

    def _tuple(self, expr: relax.Expr) -> relax.Tuple:
        while isinstance(expr, relax.Var):
            expr = self._tuples[expr] if expr in self._tuples else self._aliases[expr]
        return expr


def _is_reshape(call: relax.Call) -> bool:
    callee = call.op if isinstance(call.op, relax.ExternFunc) else (call.args[0] if call.args else None)
    return isinstance(callee, relax.ExternFunc) and str(callee.global_symbol) == _RESHAPE
