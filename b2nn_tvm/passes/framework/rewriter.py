"""The frame in which the passes rewrite: a rule sees one call at a time, arguments first, and returns the replacement.

A rule is a pure function ``rule(call, context)``; it returns an expression, or None where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from b2nn_tvm.relax_query import op_name

if TYPE_CHECKING:
    from b2nn_tvm.passes.framework.recorder import Recorder

Rule = Callable[[relax.Call, "RewriteContext"], "relax.Expr | None"]


class RewriteContext:
    """The surroundings of the call that a rule sees: it can look up bindings, and emit new ones before the call."""

    def __init__(self, builder: relax.BlockBuilder):
        self._builder = builder
        self.var: relax.Var | None = None  # the variable of the call in the function as it was
        self.reason, self.layer = "", None

    def note(self, reason: str, layer: relax.Call | None = None) -> None:
        """Say for the log why the rule applies here or, where it goes on to return None, why it does not.

        ``layer`` is the convolution or dense layer concerned, where the recorder would not find it from the call.
        """
        self.reason, self.layer = reason, layer

    def definition(self, expr: relax.Expr) -> relax.Expr:
        """The value that ``expr`` is bound to if it is a variable of this function, else ``expr``."""
        while isinstance(expr, relax.Var):
            bound = self._builder.lookup_binding(expr)
            if bound is None:
                return expr
            expr = bound
        return expr

    def emit(self, expr: relax.Expr) -> relax.Var:
        """Bind ``expr`` to a new variable in front of the call."""
        return self._builder.emit(expr)

    def call_te(
        self,
        compute: Callable[..., Any],
        *arguments: relax.Expr,
        name: str,
        pattern: int | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> relax.Expr:
        """A call of the function made from the tensor expression; ``pattern`` is relax's OpPatternKind where TVM must
        be told.
        """
        attrs = {**(attrs or {}), **({} if pattern is None else {"op_pattern": pattern})} or None
        return self._builder.call_te(compute, *arguments, primfunc_name_hint=name, primfunc_attrs=attrs)

    def call_kernel(
        self, function: tvm.tirx.PrimFunc, *arguments: relax.Expr, name: str, out: relax.TensorType
    ) -> relax.Expr:
        """A call of a finished function whose one result is of type ``out``."""
        return relax.call_tir(self._builder.add_func(function, name), list(arguments), out_ty=out)


def rewrite_calls(module: tvm.IRModule, rule: Rule, recorder: Recorder | None = None) -> tvm.IRModule:
    """Apply ``rule`` to every operator call of every Relax function, then drop what has become unused.

    ``recorder`` gets the calls that the rule rewrote, and its notes about calls that it left.
    """
    return _RuleMutator(module, rule, recorder).transform()


def with_attributes(call: relax.Call, **changed: object) -> relax.Call:
    """The call with some of its attributes replaced."""
    info = type(call.attrs).__tvm_ffi_type_info__
    attributes = {field.name: getattr(call.attrs, field.name) for field in info.fields}
    return relax.Call(call.op, call.args, tvm.ir.make_node(info.type_key, **{**attributes, **changed}))


@mutator
class _RuleMutator(PyExprMutator):
    def __init__(self, module: tvm.IRModule, rule: Rule, recorder: Recorder | None):
        super().__init__(module)
        self._module = module
        self._rule = rule
        self._recorder = recorder
        self._context = RewriteContext(self.builder_)

    def transform(self) -> tvm.IRModule:
        for name, function in self._module.functions_items():
            if isinstance(function, relax.Function):
                if self._recorder:
                    self._recorder.start(function)
                changed = self.visit_expr(function)
                self.builder_.update_func(name, relax.analysis.remove_all_unused(changed))
        return self.builder_.get().with_attrs(dict(self._module.attrs or {}))

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        self._context.var = binding.var
        super().visit_var_binding_(binding)

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        visited = super().visit_call_(call)
        if not op_name(visited):
            return visited
        visited = self.builder_.normalize(visited)
        self._context.note("")
        replacement = self._rule(visited, self._context)
        if self._recorder and (replacement is not None or self._context.reason):
            self._recorder.enter(
                self._context.var, self._context.reason, self._context.layer, applied=replacement is not None
            )
        return visited if replacement is None else replacement
