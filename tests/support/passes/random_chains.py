"""Random chains of elementwise operators on one tensor, most of them with few values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tvm import relax
from tvm.relax import op

from tests.support.passes.relax_functions import SHAPE, const

_COMPARE = (op.greater_equal, op.greater, op.less, op.less_equal, op.equal, op.not_equal)
_SMOOTH = (op.abs, op.negative, op.round, op.floor, op.ceil, op.nn.relu, op.tanh, op.sign, op.square)
_PAIRS = (op.add, op.subtract, op.multiply, op.maximum, op.minimum, op.divide)


def random_chain(seed: int, steps: int = 8) -> Callable[[relax.Var], relax.Expr]:
    """A function that builds a chain of float32 [1, 4, 6, 5]; its constants are numbers, or vary over the channels."""

    def number(rng: np.random.Generator) -> relax.Expr:
        shape = (1, SHAPE[1], 1, 1) if rng.random() < 0.3 else ()
        values = rng.integers(-8, 9, shape) / 4
        return const(values if rng.random() < 0.8 else values * 1e-3 + 0.1)

    def build(x: relax.Var) -> relax.Expr:
        rng = np.random.default_rng(seed)
        values = [x]
        for _ in range(steps):
            picked = values[rng.integers(max(0, len(values) - 3), len(values))]
            other = number(rng) if rng.random() < 0.6 else values[rng.integers(len(values))]
            kind = rng.random()
            if kind < 0.25:
                test = _COMPARE[rng.integers(len(_COMPARE))](picked, other)
                values.append(op.where(test, number(rng), values[rng.integers(len(values))]))
            elif kind < 0.35:
                values.append(op.astype(_COMPARE[rng.integers(4)](picked, other), "float32"))
            elif kind < 0.6:
                values.append(_SMOOTH[rng.integers(len(_SMOOTH))](picked))
            elif kind < 0.7:
                values.append(op.clip(picked, -1, 1))
            else:
                values.append(_PAIRS[rng.integers(len(_PAIRS))](picked, other))
        test = op.greater_equal(values[-1], number(rng))
        return op.where(test, number(rng), const(-1)) if rng.random() < 0.6 else values[-1]

    return build
