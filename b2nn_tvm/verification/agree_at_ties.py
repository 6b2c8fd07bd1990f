"""Whether a library agrees with the reference up to what rounding leaves open.

A network with comparisons jumps: where a value lies within rounding of a threshold, a right library may take the other
side. So the sides that are open are tried in the reference, in the order of computation, and each that brings its
outputs closer to the library's is kept, until they agree. At first all that is open at one node is turned alike: where
what is compared is 0 but for rounding, as sums of scaled signs are at many places, a library that computes the scale
apart decides all of them alike, whatever the order of the reference's sums made of each.

A network may also magnify rounding without any jump, such as by a difference of two numbers that are nearly the same.
So what changes in the reference where all its values are changed within rounding is allowed, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import numpy as np

from b2nn_tvm.verification.decisions import COMPARISONS, Decision
from b2nn_tvm.verification.forced_oracle import Choices, Computed, ForcedOracle
from b2nn_tvm.verification.relative_difference import excess, tolerance

TIE = 3e-6  # of the largest magnitude of a sign's input: the rounding error of float32 sums of a few thousand terms
OPEN = 10 * TIE  # the same where products are shared between pixels (Winograd) or a dozen layers lie before
RUNS, LIMIT_S = 400, 60.0  # of one search; seconds of this process's CPU time, which a busy machine does not shorten
SHARES = (0.01, 0.1, 1.0)  # of the margin: choices that are open within the smallest of them are the most likely ones
SMALLEST = float(np.finfo(np.float32).tiny)  # so that the sign of 0 is open where 0 is rounded
SEVERAL = 4  # times the largest change that random rounding made
ALL_OF = 7  # open choices, of which every combination is tried


def agrees(
    oracle: ForcedOracle,
    inputs: Mapping[str, np.ndarray],
    got: Mapping[str, np.ndarray],
    *,
    half: bool = False,
    shown: Mapping[str, np.ndarray] | None = None,
) -> bool | None:
    """Whether the outputs ``got`` are right up to rounding on ``inputs``: None where too much is open to tell.

    ``half`` says that some value of the network has half precision. ``shown`` are values by which the sides may be
    known that the library took (show_sides); they are tried, but not believed.
    """
    search = _Search(oracle, inputs, got, half)
    if shown is not None:
        search.follow(shown)
    search.improve()
    if search.within_noise():
        return True
    if oracle.opaque:
        return None
    if not search.tried:
        return False
    if len(search.tried) <= ALL_OF:
        search.try_all()
        if search.within_noise():
            return True
        return None if search.spent else False
    return None


class _Search:
    """The run of the reference that comes closest to ``got``; ``tried`` are the choices that were open on the way."""

    def __init__(
        self, oracle: ForcedOracle, inputs: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray], half: bool
    ) -> None:
        self._oracle, self._inputs, self._got, self._half = oracle, inputs, got, half
        self._end, self._runs = time.process_time() + LIMIT_S, 0
        self._forced: Choices = {}
        self.best = oracle.run(inputs, {}, {})
        self._shapes = {d.result: self.best.values[d.result].shape for d in oracle.decisions}
        self._distance = _distance(self.best.outputs, got)
        self.tried: dict[tuple[str, int], np.ndarray] = {}

    @property
    def spent(self) -> bool:
        """Whether the search has to end, though something may be left to try."""
        return self._runs >= RUNS or time.process_time() > self._end

    def follow(self, shown: Mapping[str, np.ndarray]) -> None:
        """Decide what is open as the values ``shown`` were decided, in the order of computation, if that helps."""
        computed, forced = self.best, dict[str, dict[int, np.ndarray]]()
        margin = _margins(self._oracle, self._inputs, computed, forced)
        for decision in self._oracle.decisions:
            others = _open_choices(decision, computed, margin[decision.result])
            value = shown.get(decision.shown)
            if not others or value is None or value.shape != self._shapes[decision.result]:
                continue
            turned = self._oracle.run(self._inputs, {**forced, decision.result: others}, self._shapes)
            here, there = computed.values[decision.shown], turned.values[decision.shown]
            if here.shape != value.shape:
                continue
            with np.errstate(invalid="ignore"):
                nearer = abs(_number(value) - _number(there)) < abs(_number(value) - _number(here))
            if chosen := {place: other for place, other in others.items() if nearer.flat[place]}:
                forced[decision.result] = chosen
                computed = self._oracle.run(self._inputs, forced, self._shapes)
                margin = _margins(self._oracle, self._inputs, computed, forced)
        if forced:
            self._try(forced)

    def improve(self) -> None:
        """Change all choices alike of one node, or else one choice, as long as that helps."""
        improved = True
        while improved and excess(self._got, self.best.outputs, half=self._half) > 1:
            decisions, computed, forced = self._oracle.decisions, self.best, self._forced
            margin = _margins(self._oracle, self._inputs, computed, forced)
            improved = self._any_helps(_moves_together(decisions, computed, margin)) or self._any_helps(
                _moves_one_by_one(decisions, computed, margin, forced)
            )

    def _any_helps(self, moves: Iterable[Choices]) -> bool:
        helped = False
        for choices in moves:
            if self.spent:
                return False
            for name, others in choices.items():
                for place, other in others.items():
                    self.tried.setdefault((name, place), other)
            helped |= self._try(_merged(self._forced, choices))
        return helped

    def try_all(self) -> None:
        """Try every combination of what was open."""
        for count in range(2, len(self.tried) + 1):
            for chosen in combinations(self.tried.items(), count):
                forced: Choices = {}
                for (name, place), value in chosen:
                    forced.setdefault(name, {})[place] = value
                if self.spent:
                    return
                self._try(forced)

    def within_noise(self) -> bool:
        """Whether what was got differs from the best run by no more than SEVERAL times what rounding changes there."""
        outputs = self.best.outputs
        if excess(self._got, outputs, half=self._half) <= 1:
            return True
        noise = self._oracle.noise(self._inputs, self.best, self._forced).outputs
        for name, value in outputs.items():
            mine = self._got[name]
            if mine.shape != value.shape or mine.dtype != value.dtype:
                return False
            allowed = tolerance(value.dtype, half=self._half) * _magnitude(value) + SEVERAL * _magnitude(noise[name])
            if not np.abs(_number(mine) - _number(value)).max(initial=0.0) <= allowed:
                return False
        return True

    def _try(self, forced: Choices) -> bool:
        self._runs += 1
        computed = self._oracle.run(self._inputs, forced, self._shapes)
        distance = _distance(computed.outputs, self._got)
        if not distance < self._distance * (1 - 1e-6):
            return False
        self.best, self._forced, self._distance = computed, forced, distance
        return True


def _merged(forced: Choices, choices: Choices) -> Choices:
    return {name: {**forced.get(name, {}), **choices.get(name, {})} for name in {**forced, **choices}}


def _margins(
    oracle: ForcedOracle, inputs: Mapping[str, np.ndarray], computed: Computed, forced: Choices
) -> dict[str, float]:
    """How far off the input of each decision may be, by the name of its result."""
    noise = oracle.noise(inputs, computed, forced).values if oracle.decisions else {}
    found = {}
    for decision in oracle.decisions:
        x, threshold = computed.at(decision)
        compared = threshold if decision.op in COMPARISONS else None
        found[decision.result] = max(OPEN * _magnitude(x, compared), SEVERAL * _magnitude(noise[decision.x]))
    return found


def _open_choices(decision: Decision, computed: Computed, margin: float) -> dict[int, np.ndarray]:
    """The flat places of a decision's result that are open within ``margin``, and the other result there."""
    return decision.uncertain(*computed.at(decision), computed.values[decision.result], max(SMALLEST, margin))


def _moves_together(decisions: list[Decision], computed: Computed, margin: Mapping[str, float]) -> Iterator[Choices]:
    """All places of one decision that would have the same other result, the nearest alone, then further ones, too."""
    tried: set[tuple[str, object, int]] = set()
    for share in SHARES:
        for decision in decisions:
            others = _open_choices(decision, computed, share * margin[decision.result])
            for value in {other.item() for other in others.values()}:
                alike = {place: other for place, other in others.items() if other == value}
                move = (decision.result, value, len(alike))  # those of a smaller share are among those of a larger one
                if len(alike) > 1 and move not in tried:
                    tried.add(move)
                    yield {decision.result: alike}


def _moves_one_by_one(
    decisions: list[Decision], computed: Computed, margin: Mapping[str, float], forced: Choices
) -> Iterator[Choices]:
    """Single places, the nearest first; one that is forced to its other result already may turn back."""
    tried: set[tuple[str, int]] = set()
    for share in SHARES:
        for decision in decisions:
            result, already = computed.values[decision.result], forced.get(decision.result, {})
            for place, other in _open_choices(decision, computed, share * margin[decision.result]).items():
                if (decision.result, place) not in tried:
                    tried.add((decision.result, place))
                    turned = place in already and already[place] == other
                    yield {decision.result: {place: np.asarray(result.flat[place]) if turned else other}}


def _magnitude(*values: np.ndarray | None) -> float:
    """The largest finite magnitude."""
    found = [np.abs(_number(value[np.isfinite(value)])).max(initial=0.0) for value in values if value is not None]
    return float(max(found, default=0.0))


def _number(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float64)


def _distance(computed: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]) -> float:
    """The distance of all outputs, each relative to its norm."""
    total = 0.0
    for name, expected in computed.items():
        mine = got[name]
        if mine.shape != expected.shape:
            return np.inf
        with np.errstate(invalid="ignore"):
            difference = _bounded(_number(mine) - _number(expected))
        scale = max(float(np.linalg.norm(_bounded(_number(expected)))), 1e-30)
        total += (float(np.linalg.norm(difference)) / scale) ** 2
    return total


def _bounded(value: np.ndarray) -> np.ndarray:
    bounded: np.ndarray = np.nan_to_num(value, nan=0.0, posinf=1e30, neginf=-1e30)
    return bounded
