"""Codes of a few bits as bytes, where values are moved between a quantizer and the layers that read them.

    conv2d(concat(max_pool2d(clip(round(x / s), 0, 3) * s), z))
        ->  q = the number of thresholds that x reaches, a byte;  r = the codes of z, bytes, too
            the layer reads concat(max_pool2d(q), r)
    conv2d(clip(round(max_pool2d(x) / s), 0, 3) * s)
        ->  the layer reads max_pool2d(q)

Levels rise with their codes, so the code of a maximum is the maximum of the codes. Quantizing ends the function that
computes x, and bytes are moved where floats were. Values that anything but layers of a few bits reads stay floats.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce

import numpy as np
from tvm import relax, te, tirx
from tvm.tirx import Expr, Var

from b2nn_tvm.passes.framework.rewriter import RewriteContext
from b2nn_tvm.passes.patterns.code_steps import CodeSteps, Levels, code_steps
from b2nn_tvm.passes.patterns.sign_patterns import make_pad, match_pad
from b2nn_tvm.relax_query import Definition, definitions, op_name, reads, variables

_DEEPEST = 32  # operators that move values, behind one another
_POOL = "relax.nn.max_pool2d"
_MOVES = {
    *("relax.permute_dims", "relax.reshape", "relax.flatten", "relax.squeeze", "relax.expand_dims"),
    *("relax.strided_slice", "relax.concat", "relax.split", _POOL),
}


class MovedCodes:
    """The tensors of a function that only ``layers``, the variables of layers of a few bits, read: as they are, padded
    or moved; and the codes that were made of them.
    """

    def __init__(self, function: relax.Function, layers: Collection[relax.Var]):
        self._count = reads(function)
        self._as_codes, self._by_moves = _read_as_codes(function, layers)
        self._made: dict[tuple[relax.Expr, Levels], relax.Var] = {}

    def steps(self, image: relax.Expr, levels: Levels, context: RewriteContext) -> CodeSteps:
        """The codes of a tensor with these levels: as bytes where they are moved, or quantized behind a pooling; else
        as steps of the float tensor before its quantizer.
        """
        known = (image, levels) in self._made or image in self._by_moves
        if not known and not self._is_moved(image, context.definition):
            steps = self._steps(image, levels, context)
            pooled = self._pooled(steps, context)
            if pooled is None:
                return steps
            self._made[image, levels] = context.emit(pooled)
        codes = self._codes(image, levels, context, _DEEPEST)
        return CodeSteps(codes, np.arange(1, levels.codes, dtype=np.uint8).reshape(-1, 1))

    def _steps(self, image: relax.Expr, levels: Levels, context: RewriteContext) -> CodeSteps:
        return code_steps(image, levels, context.definition, self._skips)

    def _skips(self, expr: relax.Expr) -> bool:
        """Whether nothing but layers needs the value of ``expr``, or one call behind it; so it is of all that the
        lowering has made.
        """
        return isinstance(expr, relax.Var) and (self._count[expr] <= 1 or expr in self._as_codes)

    def _is_moved(self, expr: relax.Expr, definition: Definition) -> bool:
        return isinstance(expr, relax.Var) and expr in self._as_codes and _moves(definition(expr), definition)

    def _codes(self, expr: relax.Expr, levels: Levels, context: RewriteContext, deepest: int) -> relax.Var:
        """The codes of a tensor, as bytes."""
        key = expr, levels
        if key not in self._made:
            moved = deepest and self._is_moved(expr, context.definition)
            found = self._move(context.definition(expr), levels, context, deepest - 1) if moved else None
            if found is None:
                steps = self._steps(expr, levels, context)
                pooled = self._pooled(steps, context)
                found = _quantized(steps, context) if pooled is None else pooled
            self._made[key] = context.emit(found)
        return self._made[key]

    def _pooled(self, steps: CodeSteps, context: RewriteContext) -> relax.Expr | None:
        """The pooling of codes where a float tensor is pooled, and then quantized."""
        pool = context.definition(steps.source)
        pools = op_name(pool) == _POOL and str(pool.attrs.layout) == "NHWC" and self._skips(steps.source)
        if not pools or not self._skips(pool.args[0]):
            return None
        codes = context.emit(_quantized(CodeSteps(pool.args[0], steps.thresholds), context))
        return relax.Call(pool.op, [codes], pool.attrs)

    def _move(self, call: relax.Expr, levels: Levels, context: RewriteContext, deepest: int) -> relax.Expr | None:
        """The call of an operator that moves values, of codes; None for a padding with no level."""

        def codes(expr: relax.Expr) -> relax.Var:
            return self._codes(expr, levels, context, deepest)

        if isinstance(call, relax.TupleGetItem):
            parts = context.definition(call.tuple_value)
            key = call.tuple_value, levels
            if key not in self._made:
                self._made[key] = context.emit(relax.Call(parts.op, [codes(parts.args[0])], parts.attrs))
            return relax.TupleGetItem(self._made[key], call.index)
        pad = match_pad(call)
        if pad is not None:
            code = levels.code(pad.value)
            return None if code is None else make_pad(codes(pad.data), pad.widths, code)
        data = call.args[0]
        moved = relax.Tuple([codes(field) for field in data.fields]) if isinstance(data, relax.Tuple) else codes(data)
        return relax.Call(call.op, [moved, *call.args[1:]], call.attrs)


def _moves(value: relax.Expr, definition: Definition) -> bool:
    """Whether a value is another one moved, padded or max-pooled."""
    if isinstance(value, relax.TupleGetItem):
        return op_name(definition(value.tuple_value)) == "relax.split"
    if op_name(value) == "relax.concat" and not isinstance(value.args[0], relax.Tuple):
        return False
    return op_name(value) in _MOVES or match_pad(value) is not None


def _read_as_codes(function: relax.Function, layers: Collection[relax.Var]) -> tuple[set[relax.Var], set[relax.Var]]:
    """The variables of which nothing but layers reads the values, as they are or moved; and those among them that are
    moved, by more than the padding of a layer.
    """
    definition = definitions(function)
    as_floats, as_codes, by_moves = set(variables(function.body.body)), set(), set()
    for block in reversed(function.body.blocks):
        for binding in reversed(block.bindings):
            var, value = binding.var, binding.value
            parts = set(variables(value.tuple_value if isinstance(value, relax.TupleGetItem) else value))
            if var in layers:
                as_codes |= parts
            elif var in as_codes and var not in as_floats and _moves(value, definition):
                as_codes |= parts
                by_moves |= parts if var in by_moves or match_pad(value) is None else set()
            else:
                as_floats |= parts
    return as_codes - as_floats, by_moves - as_floats


def _quantized(steps: CodeSteps, context: RewriteContext) -> relax.Expr:
    """The codes of a float tensor with its channels last, as bytes."""
    rows = [row[:1] if (row == row[0]).all() else row for row in steps.thresholds]
    limits = [relax.const(row) for row in rows if row.size > 1]

    def compute(x: te.Tensor, *given: te.Tensor) -> te.Tensor:
        def code(*at: Var) -> Expr:
            per_channel = iter(given)
            values = [next(per_channel)[at[-1]] if row.size > 1 else tirx.const(row[0], "float32") for row in rows]
            reached = [(x(*at) >= value).astype("int32") for value in values]
            return reduce(lambda a, b: a + b, reached).astype("uint8")

        return te.compute(x.shape, code, name="quantize")

    return context.call_te(compute, steps.source, *limits, name="quantize")
