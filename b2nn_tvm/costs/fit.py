"""Fit the time of a network with the binary layers x to whole measured networks:

    T(x) = t0 + sum_i [float_i (1 - x_i) + binary_i x_i] + sum_t shared_t [x triggers t] + reload refill(s)

Where layers have more precisions, each option of a layer has a term in place of binary_i, and s is the room that
weights fill (costs/footprint.py).

The per-layer table is the prior: all terms start as its values times one common scale, and the measurements move them.
A ridge of strength lambda holds the terms to the scaled prior. It is the strongest one whose leave-one-out error is not
clearly above the least. With few networks the fit is an offset and a scale on top of the table; with many, each layer
finds its own cost.

What is paid for weights that push one another out of the caches, by the room s that they fill (costs/footprint.py), is
one term for all layers, so that no ridge holds it. Without it C-ResNet-20's mixtures are up to 7 % faster than
predicted on a Xeon with AVX-512.

Shared terms (costs/transitions.py) are candidates: the same ridge holds them to zero, and they are left out altogether
unless the measurements are predicted better with them. One of them is apart: a cost that is paid as soon as any layer
is float. The all-binary network is the only one without it and can be faster than its layers say: by a tenth with
C-ResNet-20 at 32x32 on a Xeon with AVX-512. This term keeps that network from spoiling the others.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.footprint import Footprint
from b2nn_tvm.costs.options import precisions_of
from b2nn_tvm.costs.prediction_error import prediction_error
from b2nn_tvm.costs.table import NetworkRow
from b2nn_tvm.costs.transitions import Transition
from b2nn_tvm.errors import InputError

RIDGES = tuple(10.0**power for power in np.arange(2, -4.5, -0.5))  # strongest first: ties go to the table
_WEAK = 1e-4  # holds the offset and the scale where the measurements leave them open
_FREE = 1e6
_SHARED = 0.25  # a shared term may move as freely as a layer's term of this share of its layers' mean float cost


@dataclass(frozen=True)
class MeasuredNetwork:
    """One measurement: the network with the layers ``binary`` binarized took ``ms`` milliseconds."""

    binary: tuple[str, ...]
    ms: float


@dataclass(frozen=True)
class FittedCost:
    """The fitted cost and its errors, which say how far to trust it.

    ``error`` is the mean, ``worst`` the largest relative leave-one-out error: each network predicted from the others
    (NaN where there is only one); ``prior_error`` is the mean relative error of the table's plain sum.
    """

    cost: AdditiveCost
    error: float
    worst: float
    prior_error: float
    ridge: float
    networks: int


def fit(
    prior: AdditiveCost,
    networks: Sequence[MeasuredNetwork | NetworkRow],
    *,
    transitions: Sequence[Transition] = (),
    weights: Mapping[str, int] | None = None,
) -> FittedCost:
    """Correct ``prior`` by whole-network times, by non-negative least squares on relative errors (needs scipy).

    ``transitions`` are candidates for shared terms, beside those of ``prior``; their costs are estimated, whatever they
    were. The fitted cost has those whose estimate is above zero, and none unless they clearly lower the leave-one-out
    error. A cost that is paid when any layer at all is float is always estimated where the all-binary network is among
    the measured ones, which then has no leave-one-out error, because nothing else tells this cost. With ``weights``,
    the numbers of weights of the layers, what is paid for the caches is estimated, too.

    Raises InputError where there is no measurement, or where a measurement is not positive or names an unknown layer.
    """
    candidates = tuple({(shared.layers, shared.when): shared for shared in (*prior.transitions, *transitions)}.values())
    if not networks:
        raise InputError("fitting a cost needs at least one measured network; measure the float network first")
    for network in networks:
        if not (math.isfinite(network.ms) and network.ms > 0):
            raise InputError(f"a measured network took {network.ms} ms; expected a number above zero")
        prior.total(network.binary)  # refuses unknown layers
    replace(prior, transitions=candidates)  # refuses them, too
    plain = [abs(prediction_error(float(prior.total(network.binary)), network.ms)) for network in networks]
    everything = any(_has_no_float(prior, network) for network in networks)
    candidates = tuple(shared for shared in candidates if everything or not _is_of_all(prior, shared))
    shared = tuple(each for each in candidates if _is_of_all(prior, each))
    footprint = Footprint(weights, 0.0) if weights else None
    errors, ridge = [math.nan], RIDGES[0]
    if len(networks) > 1:
        errors, ridge = _best_ridge(prior, networks, shared, footprint)
        with_shared = (
            _best_ridge(prior, networks, candidates, footprint) if len(candidates) > len(shared) else (errors, ridge)
        )
        if _is_clearly_less(with_shared[0], errors):
            (errors, ridge), shared = with_shared, candidates
    cost = _solve(prior, networks, ridge, shared, footprint)
    return FittedCost(cost, float(np.mean(errors)), float(np.max(errors)), float(np.mean(plain)), ridge, len(networks))


def _best_ridge(
    prior: AdditiveCost,
    networks: Sequence[MeasuredNetwork | NetworkRow],
    transitions: tuple[Transition, ...],
    footprint: Footprint | None,
) -> tuple[list[float], float]:
    """The leave-one-out errors of the strongest ridge that is not clearly worse than the best one, and this ridge."""
    scored = [(_leave_one_out(prior, networks, ridge, transitions, footprint), ridge) for ridge in RIDGES]
    least, _ = min(scored, key=lambda pair: np.mean(pair[0]))
    return next((errors, ridge) for errors, ridge in scored if not _is_clearly_less(least, errors))


def _is_clearly_less(errors: Sequence[float], others: Sequence[float]) -> bool:
    """Whether the mean is lower by more than chance explains: by two standard errors of the paired differences."""
    gained = np.subtract(others, errors)
    return len(gained) > 1 and bool(gained.mean() > 2 * gained.std(ddof=1) / math.sqrt(len(gained)))


def _leave_one_out(
    prior: AdditiveCost,
    networks: Sequence[MeasuredNetwork | NetworkRow],
    ridge: float,
    transitions: tuple[Transition, ...],
    footprint: Footprint | None,
) -> list[float]:
    errors = []
    apart = any(_is_of_all(prior, shared) for shared in transitions)
    for left_out, network in enumerate(networks):
        if apart and _has_no_float(prior, network):
            continue
        others = [other for index, other in enumerate(networks) if index != left_out]
        predicted = _solve(prior, others, ridge, transitions, footprint).total(network.binary)
        errors.append(abs(prediction_error(float(predicted), network.ms)))
    return errors


def _solve(
    prior: AdditiveCost,
    networks: Sequence[MeasuredNetwork | NetworkRow],
    ridge: float,
    transitions: tuple[Transition, ...],
    footprint: Footprint | None,
) -> AdditiveCost:
    """Unknowns: [t0, scale, float_1 .. float_n, option_1 .. option_k, shared_1 .. shared_m, reload], all at least 0."""
    from scipy.optimize import nnls

    names, count = prior.names, len(prior.float_cost)
    tables = count + len(names)
    mixing = () if footprint is None else (replace(footprint, reload=1.0),)
    layers = [*prior.float_cost.values(), *(prior.binary_cost[name] for name in names)]
    tabled = np.array([*layers, *(0.0 for _ in transitions), *(0.0 for _ in mixing)], dtype=float)
    expected = [*(_size(prior, shared) for shared in transitions), *(_FREE * float(prior.full) for _ in mixing)]
    sizes = np.array([*layers, *expected], dtype=float)
    typical = float(np.median([network.ms for network in networks]))
    measured = np.zeros((len(networks), 2 + len(tabled)))
    for row, network in zip(measured, networks, strict=True):
        row[0] = 1.0
        precisions = precisions_of(network.binary)
        paid = (shared.is_paid(precisions) for shared in transitions)
        row[2:] = [*_states(prior, network.binary), *paid, *(each.paid(network.binary) for each in mixing)]
        row /= network.ms  # so that residuals are relative errors
    # A term's freedom grows with its size, but a tiny term may still move by a thousandth of the network.
    weight = math.sqrt(ridge) / (sizes + 1e-3 * typical)
    held = np.zeros((len(tabled), 2 + len(tabled)))
    held[:, 1] = -tabled * weight
    held[:, 2:] = np.diag(weight)
    open_ended = np.zeros((2, 2 + len(tabled)))
    open_ended[0, 0], open_ended[1, 1] = _WEAK / typical, _WEAK
    system = np.concatenate([measured, held, open_ended])
    right = np.concatenate(
        [np.ones(len(networks)), np.zeros(len(tabled)), [_WEAK * float(prior.fixed) / typical, _WEAK]]
    )
    solution, _ = nnls(system, right, maxiter=100 * system.shape[1])
    terms, end = [float(term) for term in solution[2:]], tables + len(transitions)
    return AdditiveCost(
        prior.unit,
        float(solution[0]),
        dict(zip(prior.float_cost, terms[:count], strict=True)),
        dict(zip(names, terms[count:tables], strict=True)),
        prior.fixed_parts,
        tuple(replace(shared, cost=ms) for shared, ms in zip(transitions, terms[tables:end], strict=True) if ms > 0),
        replace(mixing[0], reload=terms[end]) if mixing and terms[end] > 0 else None,
    )


def _is_of_all(prior: AdditiveCost, shared: Transition) -> bool:
    """Whether a cost is paid as soon as any layer of the network is float."""
    return shared.when == "float" and set(shared.layers) == set(prior.float_cost)


def _has_no_float(prior: AdditiveCost, network: MeasuredNetwork | NetworkRow) -> bool:
    """Whether all layers that have a choice are in fewer bits."""
    return len(precisions_of(network.binary)) == len(prior.float_cost)


def _size(prior: AdditiveCost, shared: Transition) -> float:
    """The cost that a shared term is expected to be of the order of; nothing holds the one of all layers."""
    if _is_of_all(prior, shared):
        return _FREE * float(prior.full)
    return _SHARED * sum(float(prior.float_cost[name]) for name in shared.layers) / len(shared.layers)


def _states(prior: AdditiveCost, choice: Collection[str]) -> np.ndarray:
    """1 for each layer that is float, and for each option that is chosen."""
    chosen, taken = set(choice), precisions_of(choice)
    floats, options = (layer not in taken for layer in prior.float_cost), (name in chosen for name in prior.names)
    return np.array([*floats, *options], dtype=float)
