"""Chains of elementwise operators on one tensor: the tensor at their beginning, and their values for values of it.

    2 * cast(x >= 0) - 1          is a chain on x, and one on cast(x >= 0)
    where(x / 2 > t, abs(x), 1)   is a chain on x
    x + y                         is none on x, and none on y

Constants are one number, or vary along one axis. ``(s - g) + g``, in any order, is s: the straight-through estimator as
it looks once ``detach`` is gone; a network that was trained so means s, of which the sum is a rounding error away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
from tvm import relax

from b2nn_tvm.passes.patterns.elementwise import compute, is_elementwise
from b2nn_tvm.relax_query import Definition, constant, dtype, op_name, shape, uniform

_LONGEST = 64  # operators
_TERMS = 6
_SIGNS = {"relax.add": (1, 1), "relax.subtract": (1, -1)}


@dataclass(frozen=True, eq=False)
class Step:
    """One value of a chain: a call and the places of its operands, a tensor that is not looked into, or a constant."""

    name: str
    expr: relax.Expr
    call: relax.Expr
    operands: tuple[int, ...] = ()
    value: np.ndarray | None = None  # of a constant, [C, 1] or [1, 1]
    axis: int = -1  # along which the constant varies


@dataclass(frozen=True, eq=False)
class Chain:
    """The steps from the one tensor ``root``, which is ``steps[0]``, to the chain's result, which is the last of them.

    ``axis`` is the axis along which constants vary, -1 where none does, and ``channels`` its length, else 1.
    """

    root: relax.Expr
    steps: tuple[Step, ...]
    axis: int
    channels: int

    def evaluate(self, root: np.ndarray, last: int | None = None) -> list[np.ndarray]:
        """The values [..., C, K] of all steps, up to the step ``last``, where the root has the values [..., C, K]."""
        values: list[np.ndarray] = []
        for step in self.steps[: None if last is None else last + 1]:
            if step.value is not None:
                values.append(np.broadcast_to(step.value, root.shape))
            elif not step.operands:
                values.append(root)
            else:
                operands = [values[place] for place in step.operands]
                values.append(compute(step.call, step.name, operands))
        return values


def chains(expr: relax.Expr, definition: Definition) -> Iterator[Chain]:
    """The chains that end in ``expr``, the shortest first."""
    steps = _Collector(definition).collect(expr)
    needed = {len(steps) - 1}
    while True:
        place = max(needed)
        needed.remove(place)
        if not steps[place].operands:
            return
        needed.update(p for p in steps[place].operands if steps[p].value is None)
        if len(needed) == 1:
            chain = _chain(steps, min(needed))
            if chain is not None:
                yield chain


def straight_through(expr: relax.Expr, definition: Definition) -> relax.Expr | None:
    """The ``s`` that a straight-through estimator means; None where ``expr`` is none."""
    meant = _Collector(definition).mean(expr)
    return None if meant is expr else meant


def _chain(steps: list[Step], root: int) -> Chain | None:
    """The steps behind the step ``root``; None where constants vary along different axes."""
    places = {root: 0}
    inside = [Step("", steps[root].expr, steps[root].call)]
    axes, sizes = set(), {1}

    def place_of(place: int) -> int:
        if place not in places:
            step = steps[place]
            operands = tuple(place_of(operand) for operand in step.operands)
            if step.value is not None and step.axis >= 0:
                axes.add(step.axis)
                sizes.add(step.value.shape[0])
            places[place] = len(inside)
            inside.append(Step(step.name, step.expr, step.call, operands, step.value, step.axis))
        return places[place]

    place_of(len(steps) - 1)
    if len(axes) > 1:
        return None
    return Chain(steps[root].expr, tuple(inside), max(axes, default=-1), max(sizes))


@dataclass
class _Collector:
    """Collects the steps before an expression in an order in which operands come before their readers."""

    definition: Definition
    steps: list[Step] = field(default_factory=list)
    places: dict[relax.Expr, int] = field(default_factory=dict)

    def collect(self, expr: relax.Expr) -> list[Step]:
        self._place(expr)
        return self.steps

    def _place(self, expr: relax.Expr) -> int:
        expr = self.mean(expr)
        key = self.definition(expr)
        if key not in self.places:
            step = self._step(expr, key)
            self.places[key] = len(self.steps)
            self.steps.append(step)
        return self.places[key]

    def _step(self, expr: relax.Expr, call: relax.Expr) -> Step:
        name, kind, full = op_name(call), dtype(call), shape(call)
        if not is_elementwise(name, kind) or len(self.steps) > _LONGEST or not full:
            return Step("", expr, call)
        tensors = call.args[:1] if name == "relax.clip" else call.args
        operands: list[int | Step] = []
        for index, arg in enumerate(tensors):
            value = constant(self.definition(arg))
            if value is not None:
                axis = int(call.attrs.axis) % len(full) if name == "relax.nn.prelu" and index == 1 else -1
                step = _constant_step(arg, value, len(full), axis)
                if step is None:
                    return Step("", expr, call)
                operands.append(step)
            elif shape(arg) != full:
                return Step("", expr, call)
            else:
                operands.append(-1)
        if all(isinstance(operand, Step) for operand in operands):
            return Step("", expr, call)
        places = []
        for arg, operand in zip(tensors, operands):
            if isinstance(operand, Step):
                self.steps.append(operand)
                places.append(len(self.steps) - 1)
            else:
                places.append(self._place(arg))
        return Step(name, expr, call, tuple(places))

    def mean(self, expr: relax.Expr) -> relax.Expr:
        """What a sum means that is a straight-through estimator; every other expression itself."""
        terms = [(1, expr)]
        for _ in range(_TERMS):
            # What is negated comes first: ``s`` of x + (s + -x) may be a sum itself, of which one part would be left.
            opened = next((term for parts in (1, 2) for term in terms if len(self._parts(term[1])) == parts), None)
            if opened is None:
                return expr
            terms.remove(opened)
            terms += [(opened[0] * sign, part) for sign, part in self._parts(opened[1])]
            left = self._without_opposites(terms)
            if len(left) == 1 and len(terms) > 1 and left[0][0] == 1 and shape(left[0][1]) == shape(expr):
                return self.mean(left[0][1])
        return expr

    def _parts(self, expr: relax.Expr) -> list[tuple[int, relax.Expr]]:
        """The tensors of which ``expr`` is the sum, or the negative, with their signs; none for anything else."""
        call = self.definition(expr)
        if dtype(call) != "float32":
            return []
        if op_name(call) == "relax.negative":
            return [(-1, call.args[0])]
        if op_name(call) == "relax.multiply":
            return [(-1, b) for a, b in permutations(call.args) if uniform(self.definition(a)) == -1]
        if op_name(call) not in _SIGNS or any(constant(self.definition(arg)) is not None for arg in call.args):
            return []
        return list(zip(_SIGNS[op_name(call)], call.args, strict=True))

    def _without_opposites(self, terms: list[tuple[int, relax.Expr]]) -> list[tuple[int, relax.Expr]]:
        left: list[tuple[int, relax.Expr]] = []
        for sign, expr in terms:
            key = self.definition(expr)
            opposite = next((t for t in left if t[0] == -sign and self.definition(t[1]).same_as(key)), None)
            if opposite is None:
                left.append((sign, expr))
            else:
                left.remove(opposite)
        return left


def _constant_step(expr: relax.Expr, value: np.ndarray, rank: int, axis: int) -> Step | None:
    """A constant operand of a call of this rank; ``axis`` is that of a vector, -1 where the constant broadcasts."""
    one = uniform(expr)
    if one is not None:
        return Step("", expr, expr, (), np.asarray(one).reshape(1, 1))
    full = (1,) * (rank - value.ndim) + value.shape
    varying = [i for i, size in enumerate(full) if size > 1]
    if axis >= 0 and value.ndim == 1:
        varying = [axis]
    return Step("", expr, expr, (), value.reshape(-1, 1), varying[0]) if len(varying) == 1 else None
