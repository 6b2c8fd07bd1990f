"""The decisions that a library made, as values beside its outputs show them (show_sides).

What is shown is computed from a decision's result and constants. Two runs of the reference, with all results 0 and
with all results 1, say how; so all results of the library are read at once. With these forced, the reference computes
in one run what each decision was made of in the library, whatever lies before it. Where the library decided otherwise
than the reference does there, rounding must leave that open; else the reference's result stands, and what depends on
it is computed anew.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.verification.ties.decisions import Decision
from b2nn_tvm.verification.ties.forced_oracle import Choices, Computed, ForcedOracle
from b2nn_tvm.verification.ties.open_choices import choices_within, margins, number

CERTAIN = 10.0  # times the margin: what is decided otherwise at a place further from its threshold is wrong
STEP = 0.1  # of the step between two results: the error up to which what is shown is a multiple of the result


@dataclass(frozen=True)
class Followed:
    """The ``choices`` that are open and that the library made otherwise than the reference; ``contradicts`` says that
    it decided otherwise where nothing is open, too, though all that is open before is known.
    """

    choices: Choices
    contradicts: bool


def follow_shown(
    oracle: ForcedOracle, inputs: Mapping[str, np.ndarray], free: Computed, shown: Mapping[str, np.ndarray]
) -> Followed:
    """What ``shown`` says about open decisions; ``free`` is the run of the reference in which nothing is forced."""
    taken = _read(oracle, inputs, free, shown)
    unread = {d.result for d in oracle.decisions if d.shown in shown} - taken.keys()
    results = oracle.results(free, {}) | taken
    choices: Choices = {}
    for _ in range(len(oracle.decisions) + 1):  # each pass is right one decision deeper than the one before, or more
        computed = oracle.run_with(inputs, results)
        margin = margins(oracle.decisions, computed, oracle.noise(inputs, computed, results))
        choices = {
            name: {place: other for place, other in others.items() if taken[name].flat[place] == other}
            for name, others in _open(oracle, computed, margin, taken)
        }
        if unknown := dict(_open(oracle, computed, margin, unread)):
            choices |= _nearer(oracle, inputs, computed, choices, unknown, shown)
        decided = oracle.results(computed, choices)
        if not any(_differ(decided[name], results[name]) for name in results):
            break
        results = decided
    far = {name: CERTAIN * each for name, each in margin.items()}
    contradicts = not dict(_open(oracle, computed, far, free.values.keys() - taken.keys())) and any(
        _contradicts(decision, computed, taken[decision.result], far[decision.result])
        for decision in oracle.decisions
        if decision.result in taken
    )
    return Followed({name: chosen for name, chosen in choices.items() if chosen}, contradicts)


def _read(
    oracle: ForcedOracle, inputs: Mapping[str, np.ndarray], free: Computed, shown: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The library's result of each decision for which that can be told."""
    naturals = {decision.result: free.values[decision.result] for decision in oracle.decisions}
    none = oracle.run_with(inputs, {name: np.zeros_like(value) for name, value in naturals.items()})
    one = oracle.run_with(inputs, {name: np.ones_like(value) for name, value in naturals.items()})
    taken = {}
    for decision in oracle.decisions:
        natural, value = naturals[decision.result], shown.get(decision.shown)
        offset, expected = number(none.values[decision.shown]), number(free.values[decision.shown])
        if value is None or not value.shape == offset.shape == natural.shape:
            continue
        factor = number(one.values[decision.shown]) - offset
        if (np.abs(factor * number(natural) + offset - expected) <= STEP * np.abs(factor)).all():
            with np.errstate(divide="ignore", invalid="ignore"):
                steps = np.rint((number(value) - expected) / factor)
            taken[decision.result] = (number(natural) + np.where(np.isfinite(steps), steps, 0)).astype(natural.dtype)
    return taken


def _open(
    oracle: ForcedOracle, computed: Computed, margin: Mapping[str, float], names: Container[str]
) -> Iterator[tuple[str, dict[int, np.ndarray]]]:
    """The open choices of each decision among ``names`` that has some."""
    for decision in oracle.decisions:
        if decision.result in names and (others := choices_within(decision, computed, margin[decision.result])):
            yield decision.result, others


def _nearer(
    oracle: ForcedOracle,
    inputs: Mapping[str, np.ndarray],
    computed: Computed,
    choices: Choices,
    others: Choices,
    shown: Mapping[str, np.ndarray],
) -> Choices:
    """Those of the ``others`` that bring what shows them nearer to what is ``shown``."""
    here = oracle.run_with(inputs, oracle.results(computed, choices)).values
    there = oracle.run_with(inputs, oracle.results(computed, {**choices, **others})).values
    found = {}
    for decision in oracle.decisions:
        name, value = decision.shown, shown.get(decision.shown)
        if decision.result not in others or value is None:
            continue
        if not value.shape == here[name].shape == computed.values[decision.result].shape:
            continue
        with np.errstate(invalid="ignore"):
            nearer = abs(number(value) - number(there[name])) < abs(number(value) - number(here[name]))
        found[decision.result] = {
            place: other for place, other in others[decision.result].items() if nearer.flat[place]
        }
    return found


def _contradicts(decision: Decision, computed: Computed, taken: np.ndarray, margin: float) -> bool:
    different = set(np.flatnonzero(taken != computed.values[decision.result]).tolist())
    return bool(different) and not different <= choices_within(decision, computed, margin).keys()


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    return not np.array_equal(one, other)
