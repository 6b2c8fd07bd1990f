"""Give the signs that no binary convolution reads their arithmetic back.

    R.sign(x)  ->  R.where(R.greater_equal(x, 0), 1, -1)

TVM's own meaning of R.sign is 0 at 0. NaN becomes -1, as in the binary convolutions. A sign that both a binary
convolution and another operator read is kept for the convolution and computed once more for the other.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from b2nn_tvm.passes.rewriting import calls, definitions, dtype, op_name
from b2nn_tvm.passes.signs import is_binary_conv


@tvm.transform.module_pass(opt_level=0, name="LegalizeSign")
class LegalizeSign:
    """Lower every R.sign except where a convolution in canonical form reads it."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        return _Mutator(module).transform()


@mutator
class _Mutator(PyExprMutator):
    def __init__(self, module: tvm.IRModule):
        super().__init__(module)
        self._module = module
        self._arithmetic: dict[relax.Var, relax.Var] = {}
        self._readers: set[relax.Var] = set()
        self._reading = False
        self._current: relax.Var | None = None

    def transform(self) -> tvm.IRModule:
        for name, function in self._module.functions_items():
            if isinstance(function, relax.Function):
                self._arithmetic, self._readers = {}, _binary_readers(function)
                changed = self.visit_expr(function)
                self.builder_.update_func(name, relax.analysis.remove_all_unused(changed))
        return self.builder_.get().with_attrs(dict(self._module.attrs or {}))

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        self._current = binding.var
        self._reading = binding.var in self._readers
        super().visit_var_binding_(binding)
        self._reading = False

    def visit_dataflow_var_(self, var: relax.DataflowVar) -> relax.Expr:
        if not self._reading and var in self._arithmetic:
            return self._arithmetic[var]
        return super().visit_dataflow_var_(var)

    def visit_var_(self, var: relax.Var) -> relax.Expr:
        if not self._reading and var in self._arithmetic:
            return self._arithmetic[var]
        return super().visit_var_(var)

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        if op_name(call) != "relax.sign":
            return super().visit_call_(call)
        source = self.visit_expr(call.args[0])
        one, minus_one, zero = (relax.const(np.array(v, dtype(source))) for v in (1, -1, 0))
        condition = self.builder_.emit(relax.op.greater_equal(source, zero))
        arithmetic = relax.op.where(condition, one, minus_one)
        if not isinstance(self._current, relax.DataflowVar):  # it leaves the block: its readers are outside
            return arithmetic
        self._arithmetic[self._current] = self.builder_.emit(arithmetic)
        return relax.op.sign(source)


def _binary_readers(function: relax.Function) -> set[relax.Var]:
    """The variables of the binary convolutions, and of the paddings that only they read."""
    definition = definitions(function)
    binary = {var for var, call in calls(function) if is_binary_conv(call, definition)}
    pads = {call.args[0] for var, call in calls(function) if var in binary}
    for block in function.body.blocks:
        for binding in block.bindings:
            if binding.var not in binary and isinstance(binding.value, relax.Call):
                pads -= {arg for arg in binding.value.args if isinstance(arg, relax.Var)}
            elif isinstance(binding.value, (relax.Var, relax.Tuple)):
                fields = binding.value.fields if isinstance(binding.value, relax.Tuple) else [binding.value]
                pads -= {field for field in fields if isinstance(field, relax.Var)}
    return binary | pads
