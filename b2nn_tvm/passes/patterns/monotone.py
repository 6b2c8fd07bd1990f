"""Where the steps of a chain rise, fall or do not change, proved for intervals of its root.

On an interval from one float32 number to another every step is marked with RISES, FALLS or CONSTANT, or with UNKNOWN.
The proofs use no samples: float32 arithmetic rounds, and rounding never turns an order around, so that a sum of what
rises rises, a product of what is positive and rises rises, and what rises and is the same at both ends is constant. A
single number is always constant. Where a proof fails, it may succeed on smaller intervals: a step asks for the interval
to be cut where one of its operands crosses zero, or crosses another operand, or changes at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.passes.patterns.chain import Chain, Step
from b2nn_tvm.passes.patterns.elementwise import ROUNDED
from b2nn_tvm.relax_query import dtype

CONSTANT, RISES, FALLS, UNKNOWN = 0, 1, -1, 2
Test = Callable[[list[np.ndarray]], np.ndarray]
_Candidate = tuple[np.ndarray, Test]


@dataclass(frozen=True, eq=False)
class Cut:
    """A place to cut: where ``test`` of the steps' values, which changes at most once in the intervals ``where``
    [C, K], changes; ``last`` is the last step that it reads.
    """

    where: np.ndarray
    test: Test
    last: int


@dataclass(frozen=True, eq=False)
class Movement:
    """How each step moves on each interval [C, K], its values at both ends, and the first cut that is asked for.

    ``few`` says that the last step has few values by what it is.
    """

    directions: list[np.ndarray]
    low: list[np.ndarray]
    high: list[np.ndarray]
    cut: Cut | None
    few: bool


_RISING = {
    *ROUNDED,
    *("relax.round", "relax.floor", "relax.ceil", "relax.trunc", "relax.sign", "relax.nn.relu", "relax.clip"),
    *("relax.sqrt", "relax.nn.leakyrelu", "relax.nn.prelu", "relax.astype"),
}
_FEW = ("relax.round", "relax.floor", "relax.ceil", "relax.trunc", "relax.sign")
_ASK_WHAT_NUMBER = ("relax.isnan", "relax.isinf", "relax.isfinite")
_COMPARE = {"relax.greater_equal": 1, "relax.greater": 1, "relax.less_equal": -1, "relax.less": -1}


def movement(chain: Chain, low: np.ndarray, high: np.ndarray) -> Movement:
    """How the chain moves on intervals [C, K] of its root, from ``low`` to ``high`` (float32), both included."""
    count = low.shape[1]
    values = chain.evaluate(np.concatenate([low, high], axis=1))
    single = (low == high) & (np.signbit(low) == np.signbit(high))
    state = _State([v[:, :count] for v in values], [v[:, count:] for v in values], single)
    for place, step in enumerate(chain.steps):
        state.enter(place, step)
    return Movement(state.directions, state.low, state.high, state.cut, state.few[-1])


class _State:
    """The steps' directions so far, and which steps are another step or its negative on an interval."""

    def __init__(self, low: list[np.ndarray], high: list[np.ndarray], single: np.ndarray):
        self.low, self.high = low, high
        self.directions: list[np.ndarray] = []
        self.aliases: list[np.ndarray] = []  # of a step that is +(i - 1) or -(i - 1): i or -i
        self.cut: Cut | None = None
        self.few: list[bool] = []
        self._single = single

    def enter(self, place: int, step: Step) -> None:
        alias = np.full(self._single.shape, place + 1)
        if step.value is not None:
            direction = np.zeros(self._single.shape, int)
        elif not step.operands:
            direction = np.ones(self._single.shape, int)
        else:
            direction, alias = self._rule(place, step, alias)
        same = (self.low[place] == self.high[place]) & (direction != UNKNOWN)
        direction = np.where(same | self._single, CONSTANT, direction)
        self.directions.append(direction)
        self.few.append(self._is_few(step))
        self.aliases.append(alias)

    def _is_few(self, step: Step) -> bool:
        """Whether a step has few values by what it is: a comparison, a rounded number, or made of such steps alone."""
        if step.value is not None or not step.operands:
            return step.value is not None
        return step.name in _FEW or dtype(step.call) != "float32" or all(self.few[place] for place in step.operands)

    def _rule(self, place: int, step: Step, alias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        name, operands = step.name, step.operands
        first = operands[0]
        moves = self.directions[first]
        if name == "relax.astype" and dtype(step.call) == "bool" and self.low[first].dtype != bool:
            return self._equal(place, first, None), alias
        if name in ("relax.nn.leakyrelu", "relax.nn.prelu"):
            slope = self.low[operands[1]] if len(operands) > 1 else np.float64(step.call.attrs.alpha)
            return self._guarded(place, np.where(slope >= 0, moves, UNKNOWN)), alias
        if name == "relax.astype" and "int" in dtype(step.call):
            limits = np.iinfo(dtype(step.call))  # numbers beyond them may wrap around
            ends = (self.low[first].astype(np.float64), self.high[first].astype(np.float64))
            fits = (np.minimum(*ends) >= limits.min) & (np.maximum(*ends) < float(limits.max) + 1)
            return np.where(fits, moves, UNKNOWN), alias
        if name in _RISING:
            return self._guarded(place, moves), alias
        if name in ("relax.negative", "relax.logical_not"):
            return _turned(moves), -self.aliases[first] if name == "relax.negative" else alias
        if name in _ASK_WHAT_NUMBER:
            return np.where(self._known(first) & ~self._infinite(first), CONSTANT, UNKNOWN), alias
        if name == "relax.abs":
            side = self._side(first)
            self._ask(place, (side == 0) & ~self._single, self._zero(first))
            return np.where(side == 0, UNKNOWN, _signed(moves, side)), np.where(
                side == 0, alias, self.aliases[first] * side
            )
        if name == "relax.square":
            return self._product(place, first, first, divide=False), alias
        if name == "relax.where":
            return self._choice(place, operands, alias)
        second = operands[1]
        if name in ("relax.add", "relax.subtract"):
            return self._sum(place, first, second, name == "relax.subtract"), alias
        if name in ("relax.multiply", "relax.divide"):
            direction = self._product(place, first, second, divide=name == "relax.divide")
            return direction, self._unit_alias(name, first, second, alias)
        if name in ("relax.maximum", "relax.minimum"):
            return self._extreme(place, first, second, alias, name == "relax.maximum")
        if name in _COMPARE:
            return self._compared(place, first, second, _COMPARE[name]), alias
        if name in ("relax.equal", "relax.not_equal"):
            return self._equal(place, first, second), alias
        if name in ("relax.logical_and", "relax.logical_or"):
            return self._mixed(place, first, second, _combined(moves, self.directions[second])), alias
        fixed = (moves == CONSTANT) & (self.directions[second] == CONSTANT)
        return self._mixed(place, first, second, np.where(fixed, CONSTANT, UNKNOWN)), alias

    # ---- the rules

    def _sum(self, place: int, first: int, second: int, minus: bool) -> np.ndarray:
        other = _turned(self.directions[second]) if minus else self.directions[second]
        direction = _combined(self.directions[first], other)
        infinite = self._infinite(first) & self._infinite(second)
        if minus:
            same = (self.aliases[first] == self.aliases[second]) & ~self._infinite(first)
            direction = np.where(same & self._known(first), CONSTANT, direction)
        direction = np.where(infinite, UNKNOWN, direction)
        return self._mixed(place, first, second, direction)

    def _product(self, place: int, first: int, second: int, *, divide: bool) -> np.ndarray:
        """The product or quotient rises where the magnitudes of both operands do, and their signs are known."""
        a, b = self.directions[first], self.directions[second]
        side_a, side_b = self._side(first), self._side(second)
        fixed_a, fixed_b = a == CONSTANT, b == CONSTANT
        grows_a, grows_b = _signed(a, side_a), _signed(b, side_b)
        if divide:
            grows_b = _turned(grows_b)
        both = _signed(_combined(grows_a, grows_b), side_a * side_b)
        direction = np.where((side_a != 0) & (side_b != 0), both, UNKNOWN)
        direction = np.where(fixed_b & (side_b != 0), _signed(a, side_b), direction)
        if divide:
            crosses = self._touches_zero(second) & ~self._single
            unit = (np.abs(self.aliases[first]) == np.abs(self.aliases[second])) & self._known(first)
            direction = np.where(unit, CONSTANT, direction)
            direction = np.where(crosses | (self._infinite(first) & self._infinite(second)), UNKNOWN, direction)
        else:
            direction = np.where(fixed_a & (side_a != 0), _signed(b, side_a), direction)
            zero = (fixed_a & (self.low[first] == 0)) | (fixed_b & (self.low[second] == 0))
            direction = np.where(zero, CONSTANT, direction)
            infinite = (self._infinite(first) & self._touches_zero(second)) | (
                self._infinite(second) & self._touches_zero(first)
            )
            direction = np.where(infinite, UNKNOWN, direction)
        unknown = (direction == UNKNOWN) & ~self._single
        crossings = self._zero(second) + self._zero(first)
        self._ask(place, unknown, crossings + self._change(first) + self._change(second))
        return direction

    def _unit_alias(self, name: str, first: int, second: int, alias: np.ndarray) -> np.ndarray:
        for factor, other in ((second, first), (first, second))[: 1 if name == "relax.divide" else 2]:
            unit = (self.directions[factor] == CONSTANT) & (np.abs(self.low[factor]) == 1)
            alias = np.where(unit, self.aliases[other] * np.where(self.low[factor] > 0, 1, -1), alias)
        return alias

    def _extreme(
        self, place: int, first: int, second: int, alias: np.ndarray, largest: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        order = self._compared_direction(first, second)
        above = self.low[first] >= self.low[second]
        decided = (order != UNKNOWN) & (above == (self.high[first] >= self.high[second]))
        chosen = above == largest
        alias = np.where(decided, np.where(chosen, self.aliases[first], self.aliases[second]), alias)
        direction = np.where(
            decided,
            np.where(chosen, self.directions[first], self.directions[second]),
            _combined(self.directions[first], self.directions[second]),
        )
        self._ask(place, (direction == UNKNOWN) & ~self._single, self._crossing(first, second))
        return self._guarded(place, direction), alias

    def _choice(self, place: int, operands: tuple[int, ...], alias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        condition, yes, no = operands
        fixed, chosen = self.directions[condition] == CONSTANT, self.low[condition].astype(bool)
        direction = np.where(chosen, self.directions[yes], self.directions[no])
        alias = np.where(fixed, np.where(chosen, self.aliases[yes], self.aliases[no]), alias)
        self._ask(place, ~fixed & ~self._single, self._change(condition))
        return np.where(fixed, direction, UNKNOWN), alias

    def _compared_direction(self, first: int, second: int) -> np.ndarray:
        direction = _combined(self.directions[first], _turned(self.directions[second]))
        same = (self.aliases[first] == self.aliases[second]) & self._known(first)
        return np.where(same, CONSTANT, direction)

    def _compared(self, place: int, first: int, second: int, sign: int) -> np.ndarray:
        direction = self._compared_direction(first, second)
        return self._mixed(place, first, second, _signed(direction, np.full(direction.shape, sign)))

    def _equal(self, place: int, first: int, second: int | None) -> np.ndarray:
        """Equality is constant where the order of both operands is strict, or both are constant."""
        others = self.low[second] if second is not None else np.zeros_like(self.low[first])
        other_ends = self.high[second] if second is not None else others
        order = self.directions[first] if second is None else self._compared_direction(first, second)
        apart = ((self.low[first] > others) & (self.high[first] > other_ends)) | (
            (self.low[first] < others) & (self.high[first] < other_ends)
        )
        direction = np.where((order == CONSTANT) | ((order != UNKNOWN) & apart), CONSTANT, UNKNOWN)
        cut = self._zero(first) if second is None else self._crossing(first, second)
        self._ask(place, (direction == UNKNOWN) & ~self._single, cut)
        return direction

    def _mixed(self, place: int, first: int, second: int, direction: np.ndarray) -> np.ndarray:
        """``direction``; where it is unknown, a cut is asked for at which an operand of few values changes."""
        unknown = (direction == UNKNOWN) & ~self._single
        self._ask(place, unknown, self._change(first) + self._change(second))
        return direction

    # ---- what is known of an operand

    def _known(self, place: int) -> np.ndarray:
        return np.asarray(self.directions[place] != UNKNOWN)

    def _side(self, place: int) -> np.ndarray:
        """+1 where the step is never negative on the interval, -1 where never positive, 0 where that is unknown."""
        known = self._known(place)
        positive = known & (self.low[place] >= 0) & (self.high[place] >= 0)
        negative = known & (self.low[place] <= 0) & (self.high[place] <= 0)
        return np.where(positive, 1, np.where(negative, -1, 0))

    def _touches_zero(self, place: int) -> np.ndarray:
        low, high = self.low[place], self.high[place]
        return ~(self._known(place) & (((low > 0) & (high > 0)) | ((low < 0) & (high < 0))))

    def _infinite(self, place: int) -> np.ndarray:
        ends = np.isfinite(self.low[place]) & np.isfinite(self.high[place])
        return np.asarray(~(self._known(place) & ends))

    def _guarded(self, place: int, direction: np.ndarray) -> np.ndarray:
        nan = np.isnan(self.low[place]) | np.isnan(self.high[place])
        return np.where(nan & ~self._single, UNKNOWN, direction)

    # ---- cuts

    def _ask(self, place: int, where: np.ndarray, candidates: list[_Candidate]) -> None:
        """Remember the first of the cuts that divides an interval in ``where``, unless another is remembered."""
        if self.cut is not None or not where.any():
            return
        for moves, test in candidates:
            divides = where & moves & (test(self.low) != test(self.high))
            if divides.any():
                self.cut = Cut(divides, test, place - 1)
                return

    def _zero(self, place: int) -> list[_Candidate]:
        moves = np.abs(self.directions[place]) == 1
        return [(moves, lambda values: values[place] >= 0), (moves, lambda values: values[place] > 0)]

    def _crossing(self, first: int, second: int) -> list[_Candidate]:
        moves = np.abs(self._compared_direction(first, second)) == 1
        return [
            (moves, lambda values: values[first] >= values[second]),
            (moves, lambda values: values[first] > values[second]),
        ]

    def _change(self, place: int) -> list[_Candidate]:
        begin, moves = self.low[place], np.abs(self.directions[place]) == 1
        return [(moves, lambda values: values[place] != begin)] if self.few[place] else []


def _combined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The direction of what rises with both."""
    same = np.where(first == second, first, UNKNOWN)
    return np.where(first == CONSTANT, second, np.where(second == CONSTANT, first, same))


def _signed(direction: np.ndarray, sign: np.ndarray) -> np.ndarray:
    return np.where(direction == UNKNOWN, UNKNOWN, direction * sign)


def _turned(direction: np.ndarray) -> np.ndarray:
    return np.where(direction == UNKNOWN, UNKNOWN, -direction)
