"""The frame in which the passes rewrite: a rule sees one call at a time, arguments first, and answers with its replacement.

A rule is a pure function ``rule(call, site)``; it returns an expression, or None where it does not apply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tvm
from tvm import relax
from tvm.ir import GenericConst
from tvm.relax.expr_functor import PyExprMutator, mutator

if TYPE_CHECKING:
    from b2nn_tvm.passes.recorder import Recorder

Definition = Callable[[relax.Expr], relax.Expr]
Rule = Callable[[relax.Call, "Site"], "relax.Expr | None"]


class Site:
    """Where a rule stands: it can look up what a variable was bound to, and emit new bindings before the call."""

    def __init__(self, builder: relax.BlockBuilder):
        self._builder = builder
        self.var: relax.Var | None = None  # what the call is bound to in the function as it was
        self.reason, self.layer = "", None

    def note(self, reason: str, layer: relax.Call | None = None) -> None:
        """Say for the log why the rule applies here or, where it goes on to return None, why it does not.

        ``layer`` is the convolution or dense layer concerned, where the recorder would not find it from the call.
        """
        self.reason, self.layer = reason, layer

    def definition(self, expr: relax.Expr) -> relax.Expr:
        """What ``expr`` was bound to if it is a variable of this function, else ``expr``."""
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
        self, compute: Callable, *arguments: relax.Expr, name: str, pattern: int | None = None, attrs: Mapping | None = None
    ) -> relax.Expr:
        """A call of the function made from the tensor expression; ``pattern`` is relax's OpPatternKind where it must be told."""
        attrs = {**(attrs or {}), **({} if pattern is None else {"op_pattern": pattern})} or None
        return self._builder.call_te(compute, *arguments, primfunc_name_hint=name, primfunc_attrs=attrs)

    def call_kernel(self, function: tvm.tirx.PrimFunc, *arguments: relax.Expr, name: str, out: relax.TensorType) -> relax.Expr:
        """A call of a finished function whose one result is of type ``out``."""
        return relax.call_tir(self._builder.add_func(function, name), list(arguments), out_ty=out)


def rewrite_calls(module: tvm.IRModule, rule: Rule, recorder: Recorder | None = None) -> tvm.IRModule:
    """Apply ``rule`` to every operator call of every Relax function, then drop what has become unused.

    What it rewrote, and what it noted of calls that it left, goes to ``recorder``.
    """
    return _RuleMutator(module, rule, recorder).transform()


def definitions(function: relax.Function) -> Definition:
    """The same look-up as Site.definition, for a finished function."""
    bound = relax.analysis.get_var2val(function)

    def definition(expr: relax.Expr) -> relax.Expr:
        while isinstance(expr, relax.Var) and expr in bound:
            expr = bound[expr]
        return expr

    return definition


def calls(function: relax.Function) -> Iterator[tuple[relax.Var, relax.Call]]:
    """The bound calls of a function in order."""
    for block in function.body.blocks:
        for binding in block.bindings:
            if isinstance(binding, relax.VarBinding) and isinstance(binding.value, relax.Call):
                yield binding.var, binding.value


def reads(function: relax.Function) -> Counter[relax.Var]:
    """How often each variable of a function is read, in tuples and as a result, too."""
    found: Counter[relax.Var] = Counter(variables(function.body.body))
    for block in function.body.blocks:
        for binding in block.bindings:
            found.update(variables(binding.value))
    return found


def variables(expr: relax.Expr) -> Iterator[relax.Var]:
    """The variables that an expression is made of."""
    if isinstance(expr, relax.Var):
        yield expr
    parts = expr.args if isinstance(expr, relax.Call) else expr.fields if isinstance(expr, relax.Tuple) else ()
    for part in parts:
        yield from variables(part)


def op_name(expr: relax.Expr) -> str:
    """ "relax.nn.conv2d" for a call of that operator, "" for everything that is no operator call."""
    return expr.op.name if isinstance(expr, relax.Call) and isinstance(expr.op, tvm.ir.Op) else ""


def constant(expr: relax.Expr) -> np.ndarray | None:
    """The value of a constant, None for everything else."""
    return expr.value.numpy() if isinstance(expr, GenericConst) else None


def uniform(expr: relax.Expr) -> np.generic | None:
    """The one value that all elements of a constant share; None where there is no such value."""
    value = constant(expr)
    if value is None or value.size == 0:
        return None
    first = value.reshape(-1)[0]
    return first if bool((value == first).all()) else None


def shape(expr: relax.Expr) -> tuple[int, ...]:
    """The static shape of a tensor expression; () where it has none."""
    dims = getattr(expr.ty, "shape", None)
    if dims is None or not all(isinstance(d, tvm.tirx.IntImm) for d in dims):
        return ()
    return tuple(int(d) for d in dims)


def dtype(expr: relax.Expr) -> str:
    """The element type, "float32" for example."""
    return str(getattr(expr.ty, "dtype", ""))


def per_channel(value: np.ndarray, rank: int, axis: int = 1) -> bool:
    """Whether ``value`` broadcasts against a tensor of this rank along its channel axis only."""
    full = (1,) * (rank - value.ndim) + value.shape
    return len(full) == rank and all(d == 1 for i, d in enumerate(full) if i != axis)


def ints(values: Sequence) -> tuple[int, ...]:
    """The integers of an operator's attribute."""
    return tuple(int(v) for v in values)


@mutator
class _RuleMutator(PyExprMutator):
    def __init__(self, module: tvm.IRModule, rule: Rule, recorder: Recorder | None):
        super().__init__(module)
        self._module = module
        self._rule = rule
        self._recorder = recorder
        self._site = Site(self.builder_)

    def transform(self) -> tvm.IRModule:
        for name, function in self._module.functions_items():
            if isinstance(function, relax.Function):
                if self._recorder:
                    self._recorder.start(function)
                changed = self.visit_expr(function)
                self.builder_.update_func(name, relax.analysis.remove_all_unused(changed))
        return self.builder_.get().with_attrs(dict(self._module.attrs or {}))

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        self._site.var = binding.var
        super().visit_var_binding_(binding)

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        visited = super().visit_call_(call)
        if not op_name(visited):
            return visited
        visited = self.builder_.normalize(visited)
        self._site.note("")
        replacement = self._rule(visited, self._site)
        if self._recorder and (replacement is not None or self._site.reason):
            self._recorder.enter(self._site.var, self._site.reason, self._site.layer, applied=replacement is not None)
        return visited if replacement is None else replacement
