"""Whether a library agrees with the reference up to what rounding leaves open.

A network with comparisons jumps: where a value lies within rounding of a threshold, a right library may take the other
side. So the sides that are open are tried in the reference, in the order of computation, and each that brings its
outputs closer to the library's is kept, until they agree. A network may also magnify rounding without any jump, such
as by a difference of two numbers that are nearly the same. So what changes in the reference where all its values are
changed within rounding is allowed, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from b2nn_tvm.verification.decisions import COMPARISONS
from b2nn_tvm.verification.forced_oracle import Choices, Computed, ForcedOracle
from b2nn_tvm.verification.relative_difference import excess, tolerance

TIE = 3e-6  # of the largest magnitude of a sign's input: the rounding error of float32 sums of a few thousand terms
OPEN = 10 * TIE  # the same where products are shared between pixels (Winograd) or a dozen layers lie before
RUNS, LIMIT_S = 400, 60.0  # of one search; seconds of this process's CPU time, which a busy machine does not shorten
NEAREST = (0.01, 0.1)  # of the margin: choices that are open within such a share of it are the most likely ones
SMALLEST = float(np.finfo(np.float32).tiny)  # so that the sign of 0 is open where 0 is rounded
ALL_OF = 7  # open choices, of which every combination is tried
SEVERAL = 4  # times the largest change that random rounding made


def agrees(
    oracle: ForcedOracle, inputs: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray], *, half: bool = False
) -> bool | None:
    """Whether the outputs ``got`` are right up to rounding on ``inputs``: None where too much is open to tell.

    ``half`` says that some value of the network has half precision.
    """
    search = _Search(oracle, inputs, got, half)
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

    def improve(self) -> None:
        """Change one choice, or all alike of one node, as long as that helps."""
        improved = True
        while improved and excess(self._got, self.best.outputs, half=self._half) > 1:
            improved = False
            for choices in _moves(self._oracle, self._inputs, self.best, self._forced):
                if self.spent:
                    return
                self.tried |= {(name, place): v for name, others in choices.items() for place, v in others.items()}
                if self._try(_merged(self._forced, choices)):
                    improved = True

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
        noise = self._oracle.noise(self._inputs, self.best).outputs
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


def _moves(
    oracle: ForcedOracle, inputs: Mapping[str, np.ndarray], computed: Computed, forced: Choices
) -> Iterator[Choices]:
    """What may be decided otherwise: the nearest ties one by one, then all that is open at one node at once, then the
    other ties one by one.
    """
    noise = oracle.noise(inputs, computed).values if oracle.decisions else {}
    opened: dict[str, dict[int, np.ndarray]] = {}
    nearest: list[dict[str, dict[int, np.ndarray]]] = [{} for _ in NEAREST]
    for decision in oracle.decisions:
        x, threshold = computed.at(decision)
        compared = threshold if decision.op in COMPARISONS else None
        margin = max(SMALLEST, OPEN * _magnitude(x, compared), SEVERAL * _magnitude(noise[decision.x]))
        result, already = computed.values[decision.result], forced.get(decision.result, {})
        for share, found in zip((1.0, *NEAREST), (opened, *nearest), strict=True):
            others = decision.uncertain(x, threshold, result, max(SMALLEST, share * margin))
            if others := {place: value for place, value in others.items() if place not in already}:
                found[decision.result] = others
    for found in nearest:
        for name, others in found.items():
            for place, other in others.items():
                yield {name: {place: other}}
    for name, others in opened.items():
        for value in {value.item() for value in others.values()} if len(others) > 1 else ():
            yield {name: {place: other for place, other in others.items() if other == value}}
    for name, others in opened.items():
        for place, other in others.items():
            yield {name: {place: other}}


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
