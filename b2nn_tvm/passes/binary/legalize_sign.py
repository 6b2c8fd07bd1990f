"""Replace the signs that no binary convolution reads by their arithmetic.

    R.sign(x)  ->  R.where(R.greater_equal(x, 0), 1, -1)

TVM's own meaning of R.sign is 0 at 0. NaN becomes -1, as in the binary convolutions. A sign that both a binary
convolution and another operator read is kept for the convolution and computed once more for the other.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from b2nn_tvm.kernel_attrs import SIGN_MEANING
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NO_BINARY_CONV, NO_SIGN, SIGN_IS_BINARY
from b2nn_tvm.passes.patterns.sign_patterns import is_binary_conv
from b2nn_tvm.relax_query import calls, definitions, dtype, op_name, variables


@tvm.transform.module_pass(opt_level=0, name="LegalizeSign")
class LegalizeSign(CompilerPass):
    """Lower every R.sign except where a convolution in canonical form reads it; the module no longer states the meaning
    of R.sign.
    """

    requires = (SIGN_IS_BINARY, NO_BINARY_CONV)
    ensures = (NO_SIGN,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        changed = _Mutator(module).transform()
        return changed.without_attr(SIGN_MEANING) if SIGN_MEANING in (changed.attrs or {}) else changed


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
    """The variables of the binary convolutions, and of the paddings and poolings behind a sign that only they read."""
    definition, bound = definitions(function), dict(calls(function))
    users: dict[relax.Var, set[relax.Var | None]] = {var: {None} for var in variables(function.body.body)}
    for block in function.body.blocks:
        for binding in block.bindings:
            for var in variables(binding.value):
                users.setdefault(var, set()).add(binding.var)
    readers, new = set(), {var for var, call in bound.items() if is_binary_conv(call, definition)}
    while new:
        readers |= new
        before = {bound[var].args[0] for var in new}
        new = {var for var in before if var in bound and op_name(bound[var]) != "relax.sign" and users[var] <= readers}
    return readers
