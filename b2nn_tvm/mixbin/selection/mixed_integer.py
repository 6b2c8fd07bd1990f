"""Selection as a mixed integer program, solved by HiGHS through scipy, with pairwise and shared terms made linear.

minimize sum harm_i x_i + sum term_ij z_ij,  x binary,
sum of x_i over the options i of a layer <= 1,  for each layer of several options,
sum saving_i x_i - sum shared_t y_t >= cost without any saving or shared term - limit,  for each limit,
z_ij >= x_i + x_j - 1 where the term is positive,  z_ij <= x_i and z_ij <= x_j where it is negative,
y_t >= x_i for each option i that causes a term,  y_t >= 1 - sum of x_i over a layer's options where float layers do,

and where weights push one another out of the caches: each limit is given reload * q less, with q >= 0 and q >=
(s - knee) / (1 - knee), s = 1 - sum share_i (1 - r_i) x_i, the room that weights fill where r_i is that of option i.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.costs.footprint import KNEE, Footprint
from b2nn_tvm.costs.options import layer_of, precision_of
from b2nn_tvm.costs.precisions import room
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.mixbin.selection.limits import Limit

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

TIME_LIMIT_S = 60
TIME_OUT = 1  # the status of scipy's milp when its time is up
CUTS = 64  # choices over a limit that are cut off one by one, before the limits themselves are lowered
SCALE = (
    1e4  # the largest number of each row and of the objective, so that HiGHS's absolute tolerances of 1e-6 are small
)


def mixed_integer(
    harms: Mapping[str, float],
    limits: Sequence[Limit],
    pairwise: Mapping[tuple[str, str], float],
    *,
    without: Sequence[tuple[str, ...]] = (),
    known: tuple[str, ...] | None = None,
) -> tuple[tuple[str, ...], float] | None:
    """The best choice other than ``without``, and a bound that no other choice is below; None where no choice is left.

    The bound is the choice's harm, up to rounding, unless the time ran out. Where it ran out without any choice, the
    ``known`` one is taken, or else all layers in their cheapest option, with the bound that was reached. Raises
    BudgetError where these do not keep the limits either.
    """
    names = list(harms)
    cheapest = limits[0].cost.cheapest if _options_of_layers(names) else names
    most = tuple(name for name in cheapest if name in harms)
    program = _Program(harms, pairwise)
    for limit in limits:
        program.keep(limit)
    for chosen in without:
        program.exclude(chosen)
    end = time.monotonic() + TIME_LIMIT_S
    margin, bound, cuts = 0.0, -math.inf, 0
    while True:
        found = program.minimize(margin, seconds=max(end - time.monotonic(), 0.0))
        if margin == 0:  # the bound of the problem itself, not of one narrowed by a margin
            reached = found.mip_dual_bound if found.x is not None or found.status == TIME_OUT else math.inf
            bound = bound if reached is None else max(bound, float(reached) / program.harm_scale)
        if found.x is None:
            # The time ran out, or what keeps the limits does so by less than the rounding of its sum.
            for choice in (known, most):
                if choice is not None and choice not in without and all(limit.keeps(choice) for limit in limits):
                    return choice, bound
            if found.status == TIME_OUT:
                raise BudgetError(
                    f"no choice of layers that keeps {' and '.join(map(str, limits))} was found in {TIME_LIMIT_S} s;"
                    " allow more, or use solver 'sort'"
                )
            return None
        chosen = tuple(name for name, value in zip(names, found.x[: len(names)], strict=True) if value > 0.5)
        if all(limit.keeps(chosen) for limit in limits):
            return chosen, bound
        # The solver's tolerance let the choice exceed a limit (scipy issue 22812): cut it off, or ask for more.
        if cuts < CUTS:
            program.exclude(chosen)
            cuts += 1
        else:
            margin = max(2 * margin, 1e-7)


def _options_of_layers(names: Sequence[str]) -> list[list[int]]:
    """The places of the options of each layer that has several."""
    places: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        places.setdefault(layer_of(name), []).append(index)
    return [options for options in places.values() if len(options) > 1]


class _Program:
    """The variables x (one per layer), z (one per pair) and y (one per shared term of each limit), and their rows."""

    def __init__(self, harms: Mapping[str, float], terms: Mapping[tuple[str, str], float]):
        self._names = list(harms)
        self._harm = [*harms.values()]
        self._rows: list[dict[int, float]] = []
        self._lower: list[float] = []
        self._limits: list[int] = []
        for (one, other), term in terms.items():
            z, i, j = self._variable(term), self._names.index(one), self._names.index(other)
            if term > 0:
                self._at_least({z: 1.0, i: -1.0, j: -1.0}, -1.0)
            else:
                self._at_least({z: -1.0, i: 1.0}, 0.0)
                self._at_least({z: -1.0, j: 1.0}, 0.0)
        for options in _options_of_layers(self._names):
            self._at_least(dict.fromkeys(options, -1.0), -1.0)
        self.harm_scale = SCALE / max([abs(value) for value in self._harm if value], default=SCALE)

    def keep(self, limit: Limit) -> None:
        """The limit as a row: savings less shared terms are at least what has to be saved."""
        cost = limit.cost
        row = {index: float(cost.saving(name)) for index, name in enumerate(self._names)}
        all_float = [Fraction(value) for value in (cost.fixed, *cost.float_cost.values())]
        need = sum(all_float, -Fraction(limit.value))
        of: dict[str, list[int]] = {layer_of(name): [] for name in self._names}
        for index, name in enumerate(self._names):
            of[layer_of(name)].append(index)
        for shared in cost.transitions:
            members = [of.get(layer, []) for layer in shared.layers]
            if shared.when == "float" and not all(members):
                need += Fraction(shared.cost)  # a layer that stays float causes it in every choice
                continue
            y = self._variable(0.0)
            row[y] = -float(shared.cost)
            for options in members:
                if shared.when == "float":
                    self._at_least({y: 1.0, **dict.fromkeys(options, 1.0)}, 1.0)
                else:
                    for x in options:
                        if precision_of(self._names[x]) == shared.when:
                            self._at_least({y: 1.0, x: -1.0}, 0.0)
        if cost.footprint is not None:
            self._add_footprint(cost.footprint, row)
        scale = SCALE / max([abs(value) for value in row.values() if value], default=SCALE)
        self._limits.append(len(self._rows))
        self._at_least({column: scale * value for column, value in row.items()}, scale * float(need))

    def _add_footprint(self, footprint: Footprint, row: dict[int, float]) -> None:
        """Add what is paid for the footprint to a limit's row."""
        shares = footprint.shares
        freed = [shares.get(layer_of(name), 0.0) * (1 - room(precision_of(name))) for name in self._names]
        q = self._variable(0.0)
        row[q] = -footprint.reload
        self._at_least({q: 1 - KNEE, **{x: share for x, share in enumerate(freed) if share}}, 1 - KNEE)

    def exclude(self, chosen: Sequence[str]) -> None:
        """Any other choice differs in at least one layer."""
        row = {index: -1.0 if name in chosen else 1.0 for index, name in enumerate(self._names)}
        self._at_least(row, 1.0 - len(chosen))

    def minimize(self, margin: float, *, seconds: float) -> OptimizeResult:
        """The least harm with all limits kept by ``margin``, in scaled units."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import lil_array

        layers, variables = len(self._names), len(self._harm)
        matrix = lil_array((len(self._rows), variables))
        for index, row in enumerate(self._rows):
            for column, value in row.items():
                matrix[index, column] = value
        lower = np.array(self._lower)
        lower[self._limits] += margin
        return milp(
            self.harm_scale * np.array(self._harm),
            integrality=np.array([1] * layers + [0] * (variables - layers)),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(matrix.tocsr(), lb=lower),
            options={"time_limit": seconds, "mip_rel_gap": 0},
        )

    def _variable(self, harm: float) -> int:
        self._harm.append(harm)
        return len(self._harm) - 1

    def _at_least(self, row: Mapping[int, float], lower: float) -> None:
        self._rows.append(dict(row))
        self._lower.append(lower)
