"""Replace a chain of affine operators with constants per channel by one multiplication and one addition.

    R.add(R.multiply(R.divide(R.subtract(R.multiply(x, a), m), d), g), b)  ->  R.add(R.multiply(x, s), t)

Scale, bias and batch norm behind a convolution leave this chain. s and t are computed in float64 and rounded once. The
subtraction of a threshold in front of R.sign is left alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import CONSTANTS_FOLDED, NCHW
from b2nn_tvm.passes.framework.recorder import BEFORE, Recorder
from b2nn_tvm.relax_query import calls, constant, dtype, op_name, per_channel, shape

_AFFINE = ("relax.multiply", "relax.divide", "relax.add", "relax.subtract")


@tvm.transform.module_pass(opt_level=0, name="FoldAffine")
class FoldAffine(CompilerPass):
    """Fold chains of constant affine operators on float32 tensors, through values that have no other reader."""

    requires = (NCHW, CONSTANTS_FOLDED)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        did = "scales, shifts and batch norms behind it are one multiplication and one addition"
        return _Mutator(module, self.recorder(did, of=BEFORE)).transform()


@dataclass(frozen=True, eq=False)
class _Chain:
    """``root * scale + shift``, ``length`` operators long; scale and shift are float64."""

    root: relax.Expr
    scale: np.ndarray
    shift: np.ndarray
    length: int


@mutator
class _Mutator(PyExprMutator):
    def __init__(self, module: tvm.IRModule, recorder: Recorder):
        super().__init__(module)
        self._module = module
        self._recorder = recorder
        self._folded: dict[relax.Var, _Chain] = {}
        self._current: _Chain | None = None

    def transform(self) -> tvm.IRModule:
        for name, function in self._module.functions_items():
            if isinstance(function, relax.Function):
                self._folded = _chains(function)
                self._recorder.start(function)
                for var in self._folded:
                    self._recorder.enter(var, applied=True)
                changed = self.visit_expr(function)
                self.builder_.update_func(name, relax.analysis.remove_all_unused(changed))
        return self.builder_.get().with_attrs(dict(self._module.attrs or {}))

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        self._current = self._folded.get(binding.var)
        super().visit_var_binding_(binding)

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        chain, self._current = self._current, None
        if chain is None:
            return super().visit_call_(call)
        value = self.visit_expr(chain.root)
        scale, shift = (part.astype(np.float32) for part in (chain.scale, chain.shift))
        if (scale != 1).any():
            value = self.builder_.emit(relax.op.multiply(value, relax.const(scale)))
        if (shift != 0).any():
            value = self.builder_.emit(relax.op.add(value, relax.const(shift)))
        return value


def _chains(function: relax.Function) -> dict[relax.Var, _Chain]:
    """The chains worth folding, by the variable their last operator is bound to."""
    readers: Counter[relax.Var] = Counter()
    sign_sources, outputs = set(), set()

    def count(expr: relax.Expr) -> None:
        if isinstance(expr, relax.Call):
            readers.update(arg for arg in expr.args if isinstance(arg, relax.Var))
            if op_name(expr) == "relax.sign":
                sign_sources.add(expr.args[0])
        elif isinstance(expr, relax.Tuple):
            readers.update(field for field in expr.fields if isinstance(field, relax.Var))

    for block in function.body.blocks:
        for binding in block.bindings:
            count(binding.value)
            if not isinstance(binding.var, relax.DataflowVar):
                outputs.add(binding.var)
            if isinstance(binding.value, relax.Var):
                outputs.add(binding.value)
    chains: dict[relax.Var, _Chain] = {}
    inner: set[relax.Var] = set()
    for var, call in calls(function):
        threshold = op_name(call) == "relax.subtract" and var in sign_sources
        step = None if threshold else _affine_step(call)
        if step is None:
            continue
        root, scale, shift = step
        before = chains.get(root)
        if before is not None and readers[root] == 1 and root not in outputs:
            inner.add(root)
            with np.errstate(all="ignore"):
                chains[var] = _Chain(before.root, before.scale * scale, before.shift * scale + shift, before.length + 1)
        else:
            chains[var] = _Chain(root, scale, shift, 1)
    return {
        var: chain
        for var, chain in chains.items()
        if var not in inner
        and chain.length > 1
        and all(np.isfinite(part.astype(np.float32)).all() for part in (chain.scale, chain.shift))
    }


def _affine_step(call: relax.Call) -> tuple[relax.Expr, np.ndarray, np.ndarray] | None:
    """(x, scale, shift) of one operator, the constants of shape [1, C, 1, ...]; None where the operator is not
    affine.
    """
    name = op_name(call)
    if name not in _AFFINE or dtype(call) != "float32":
        return None
    left, right = (constant(arg) for arg in call.args)
    if left is None and right is not None:
        x, value = call.args[0], right
    elif left is not None and right is None and name != "relax.divide":
        x, value = call.args[1], left
    else:
        return None
    full = shape(call)
    if len(full) < 2 or shape(x) != full or not per_channel(value, len(full)):
        return None
    channels = (1, full[1]) + (1,) * (len(full) - 2)
    value = value.astype(np.float64).reshape(-1)
    value = np.broadcast_to(value, full[1]).reshape(channels)
    one, zero = np.ones(channels), np.zeros(channels)
    if name == "relax.multiply":
        return x, value, zero
    if name == "relax.divide":
        with np.errstate(all="ignore"):
            return x, one / value, zero
    if name == "relax.add":
        return x, one, value
    return (x, one, -value) if left is None else (x, -one, value)
