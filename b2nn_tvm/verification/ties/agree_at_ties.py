"""Whether a library agrees with the reference up to what rounding leaves open.

A network with comparisons jumps: where a value lies within rounding of a threshold, a right library may take the other
side. So the sides that are open are tried in the reference, in the order of computation, and each that brings its
outputs closer to the library's is kept, until they agree. At first all that is open at one node is turned alike: where
what is compared is 0 but for rounding, as sums of scaled signs are at many places, a library that computes the scale
apart decides all of them alike, whatever the order of the reference's sums made of each. Where more is open than can be
tried, as in networks of 8-bit codes, only a library that shows its sides can tell (follow_shown).

A network may also magnify rounding without any jump, such as by a difference of two numbers that are nearly the same.
So what changes in the reference where all its values are changed within rounding is allowed, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import numpy as np

from b2nn_tvm.verification.relative_difference import excess, tolerance
from b2nn_tvm.verification.ties import open_choices
from b2nn_tvm.verification.ties.decisions import Decision
from b2nn_tvm.verification.ties.follow_shown import follow_shown
from b2nn_tvm.verification.ties.forced_oracle import Choices, Computed, ForcedOracle
from b2nn_tvm.verification.ties.open_choices import choices_within, magnitude, margins, number

RUNS, LIMIT_S = 400, 60.0  # of one search; seconds of this process's CPU time, which a busy machine does not shorten
SHARES = (0.01, 0.1, 1.0)  # of the margin: choices that are open within the smallest of them are the most likely ones
ALL_OF = 7  # open choices, of which every combination is tried
ALIKE = 8  # other results of one node: rounding to more codes is decided alike nowhere


class TooManyOpen(Exception):
    """More is open than can be tried, and nothing is shown."""


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
    known that the library took (show_sides); they are tried, but not believed. Where they contradict the reference at
    places that rounding leaves no doubt about, the network is compiled wrong. Raises TooManyOpen.
    """
    search = _Search(oracle, inputs, got, half)
    if shown is not None:
        search.follow(shown)
    search.improve()
    if search.within_noise():
        return True
    if search.contradicted:
        return False
    if search.too_many and shown is None:
        raise TooManyOpen
    if oracle.opaque or search.too_many:
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
        self._best_noise: Computed | None = None
        self.contradicted = self.too_many = False

    @property
    def spent(self) -> bool:
        """Whether the search has to end, though something may be left to try."""
        return self._runs >= RUNS or time.process_time() > self._end

    def follow(self, shown: Mapping[str, np.ndarray]) -> None:
        """Decide what is open as the library did that gave the values ``shown``, if that helps."""
        followed = follow_shown(self._oracle, self._inputs, self.best, shown)
        self.contradicted = followed.contradicts
        if followed.choices:
            self._try(followed.choices)

    def improve(self) -> None:
        """Change all choices alike of one node, or else one choice, as long as that helps."""
        improved = True
        while improved and excess(self._got, self.best.outputs, half=self._half) > 1:
            decisions, computed, forced = self._oracle.decisions, self.best, self._forced
            margin = margins(decisions, computed, self._noise())
            others = {each.result: choices_within(each, computed, margin[each.result]) for each in decisions}
            self.too_many = sum(map(len, others.values())) > RUNS
            alike = [
                each for each in decisions if len({other.item() for other in others[each.result].values()}) <= ALIKE
            ]
            improved = self._any_helps(_moves_together(alike, computed, margin))
            if not improved and not self.too_many:
                improved = self._any_helps(_moves_one_by_one(decisions, computed, margin, forced))

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
        noise = self._noise().outputs
        for name, value in outputs.items():
            mine = self._got[name]
            if mine.shape != value.shape or mine.dtype != value.dtype:
                return False
            rounding = open_choices.SEVERAL * magnitude(noise[name])
            allowed = tolerance(value.dtype, half=self._half) * magnitude(value) + rounding
            if not np.abs(number(mine) - number(value)).max(initial=0.0) <= allowed:
                return False
        return True

    def _noise(self) -> Computed:
        """How far rounding may move the best run."""
        if self._best_noise is None:
            results = self._oracle.results(self.best, self._forced)
            self._best_noise = self._oracle.noise(self._inputs, self.best, results)
        return self._best_noise

    def _try(self, forced: Choices) -> bool:
        self._runs += 1
        computed = self._oracle.run(self._inputs, forced, self._shapes)
        distance = _distance(computed.outputs, self._got)
        if not distance < self._distance * (1 - 1e-6):
            return False
        self.best, self._forced, self._distance, self._best_noise = computed, forced, distance, None
        return True


def _merged(forced: Choices, choices: Choices) -> Choices:
    return {name: {**forced.get(name, {}), **choices.get(name, {})} for name in {**forced, **choices}}


def _moves_together(decisions: list[Decision], computed: Computed, margin: Mapping[str, float]) -> Iterator[Choices]:
    """All places of one decision that would have the same other result, the nearest alone, then further ones, too."""
    tried: set[tuple[str, object, int]] = set()
    for share in SHARES:
        for decision in decisions:
            others = choices_within(decision, computed, share * margin[decision.result])
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
            for place, other in choices_within(decision, computed, share * margin[decision.result]).items():
                if (decision.result, place) not in tried:
                    tried.add((decision.result, place))
                    turned = place in already and already[place] == other
                    yield {decision.result: {place: np.asarray(result.flat[place]) if turned else other}}


def _distance(computed: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]) -> float:
    """The distance of all outputs, each relative to its norm."""
    total = 0.0
    for name, expected in computed.items():
        mine = got[name]
        if mine.shape != expected.shape:
            return np.inf
        with np.errstate(invalid="ignore"):
            difference = _bounded(number(mine) - number(expected))
        scale = max(float(np.linalg.norm(_bounded(number(expected)))), 1e-30)
        total += (float(np.linalg.norm(difference)) / scale) ** 2
    return total


def _bounded(value: np.ndarray) -> np.ndarray:
    bounded: np.ndarray = np.nan_to_num(value, nan=0.0, posinf=1e30, neginf=-1e30)
    return bounded
