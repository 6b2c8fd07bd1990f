"""Selection as a mixed integer program, solved by HiGHS through scipy, with pairwise terms made linear.

minimize sum harm_i x_i + sum term_ij z_ij,  x binary,  sum saving_i x_i >= full - limit,
z_ij >= x_i + x_j - 1 where the term is positive,  z_ij <= x_i and z_ij <= x_j where it is negative
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.costs.additive import AdditiveCost, Number

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

TIME_LIMIT_S = 60
TIME_OUT = 1  # the status of scipy's milp when its time is up


def mixed_integer(
    harms: Mapping[str, float],
    cost: AdditiveCost,
    limit: Number,
    pairwise: Mapping[tuple[str, str], float],
    *,
    without: Sequence[tuple[str, ...]] = (),
) -> tuple[tuple[str, ...], float] | None:
    """The best choice other than ``without``, and a bound that no other choice is below; None where no choice is left.

    The bound is the choice's harm, up to rounding, unless the time ran out; where it ran out without any choice, all
    layers are taken, with the bound that was reached.
    """
    names, pairs = list(harms), list(pairwise)
    program = _Program(names, pairs, pairwise)
    savings = {names.index(name): float(cost.saving(name)) for name in names}
    need = float(Fraction(cost.full) - Fraction(limit))
    for chosen in without:
        # Any other choice differs in at least one layer.
        program.at_least({i: -1.0 if name in chosen else 1.0 for i, name in enumerate(names)}, 1.0 - len(chosen))
    margin, bound = 0.0, None
    while True:
        found = program.minimize(list(harms.values()) + list(pairwise.values()), savings, need + margin)
        if bound is None:  # the bound of the problem itself, not of one narrowed by a margin
            bound = float(found.mip_dual_bound) if found.x is not None or found.status == TIME_OUT else math.inf
        if found.x is None:
            # The time ran out, or only all layers together keep the limit, by less than the rounding of their sum.
            everything = tuple(names)
            possible = everything not in without and cost.total(everything) <= limit
            harm = math.fsum([*harms.values(), *pairwise.values()])
            return (everything, min(bound, harm)) if possible else None
        chosen = tuple(name for name, value in zip(names, found.x[: len(names)], strict=True) if value > 0.5)
        if cost.total(chosen) <= limit:
            return chosen, bound
        # The solver's tolerance let the choice exceed the limit (scipy issue 22812): ask for more.
        margin = max(2 * margin, 1e-9 * float(cost.full))


class _Program:
    """The constraints over the variables x (one per layer) and then z (one per pair)."""

    def __init__(self, names: Sequence[str], pairs: Sequence[tuple[str, str]], terms: Mapping[tuple[str, str], float]):
        self._layers, self._variables = len(names), len(names) + len(pairs)
        self._rows: list[dict[int, float]] = []
        self._lower: list[float] = []
        for z, pair in enumerate(pairs, start=len(names)):
            one, other = (names.index(name) for name in pair)
            if terms[pair] > 0:
                self.at_least({z: 1.0, one: -1.0, other: -1.0}, -1.0)
            else:
                self.at_least({z: -1.0, one: 1.0}, 0.0)
                self.at_least({z: -1.0, other: 1.0}, 0.0)

    def at_least(self, row: Mapping[int, float], lower: float) -> None:
        self._rows.append(dict(row))
        self._lower.append(lower)

    def minimize(self, harm: Sequence[float], savings: Mapping[int, float], need: float) -> OptimizeResult:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import lil_array

        rows = [*self._rows, savings]
        matrix = lil_array((len(rows), self._variables))
        for index, row in enumerate(rows):
            for column, value in row.items():
                matrix[index, column] = value
        return milp(
            np.array(harm),
            integrality=np.array([1] * self._layers + [0] * (self._variables - self._layers)),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(matrix.tocsr(), lb=np.array([*self._lower, need])),
            options={"time_limit": TIME_LIMIT_S, "mip_rel_gap": 0},
        )
