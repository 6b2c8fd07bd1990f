"""Fit the additive time T(x) = t0 + sum_i [float_i (1 - x_i) + binary_i x_i] to measured whole networks.

The per-layer table is the prior: all terms start as its values times one common scale, and the measurements move them.
A ridge of strength lambda holds the terms to the scaled prior; the lambda with the least leave-one-out error is taken.
With few networks the fit is an offset and a scale on top of the table; with many, each layer finds its own cost.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.table import NetworkRow
from b2nn_tvm.errors import InputError

RIDGES = tuple(10.0**power for power in np.arange(2, -4.5, -0.5))  # strongest first: ties go to the table
_WEAK = 1e-4  # holds the offset and the scale where the measurements leave them open


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


def fit(prior: AdditiveCost, networks: Sequence[MeasuredNetwork | NetworkRow]) -> FittedCost:
    """Correct ``prior`` by whole-network times, by non-negative least squares on relative errors (needs scipy).

    Raises InputError where there is no measurement, or where a measurement is not positive or names an unknown layer.
    """
    if not networks:
        raise InputError("fitting a cost needs at least one measured network; measure the float network first")
    for network in networks:
        if not (math.isfinite(network.ms) and network.ms > 0):
            raise InputError(f"a measured network took {network.ms} ms; expected a number above zero")
        prior.total(network.binary)  # refuses unknown layers
    scored = [(_leave_one_out(prior, networks, ridge), ridge) for ridge in RIDGES]
    errors, ridge = min(scored, key=lambda pair: np.mean(pair[0])) if len(networks) > 1 else ([math.nan], RIDGES[0])
    plain = [abs(float(prior.total(network.binary)) / network.ms - 1) for network in networks]
    cost = _solve(prior, networks, ridge)
    return FittedCost(cost, float(np.mean(errors)), float(np.max(errors)), float(np.mean(plain)), ridge, len(networks))


def _leave_one_out(prior: AdditiveCost, networks: Sequence[MeasuredNetwork | NetworkRow], ridge: float) -> list[float]:
    if len(networks) < 2:
        return [math.nan]
    errors = []
    for left_out, network in enumerate(networks):
        others = [other for index, other in enumerate(networks) if index != left_out]
        predicted = _solve(prior, others, ridge).total(network.binary)
        errors.append(abs(float(predicted) / network.ms - 1))
    return errors


def _solve(prior: AdditiveCost, networks: Sequence[MeasuredNetwork | NetworkRow], ridge: float) -> AdditiveCost:
    """Unknowns: [t0, scale, float_1 .. float_n, binary_1 .. binary_n], all at least zero."""
    from scipy.optimize import nnls

    names, count = prior.names, len(prior.names)
    tabled = np.array([*prior.float_cost.values(), *(prior.binary_cost[name] for name in names)], dtype=float)
    typical = float(np.median([network.ms for network in networks]))
    measured = np.zeros((len(networks), 2 + 2 * count))
    for row, network in zip(measured, networks, strict=True):
        row[0] = 1.0
        row[2:] = _states(names, network.binary)
        row /= network.ms  # so that residuals are relative errors
    # A term's freedom grows with its size, but a tiny term may still move by a thousandth of the network.
    weight = math.sqrt(ridge) / (tabled + 1e-3 * typical)
    held = np.zeros((2 * count, 2 + 2 * count))
    held[:, 1] = -tabled * weight
    held[:, 2:] = np.diag(weight)
    open_ended = np.zeros((2, 2 + 2 * count))
    open_ended[0, 0], open_ended[1, 1] = _WEAK / typical, _WEAK
    system = np.concatenate([measured, held, open_ended])
    right = np.concatenate([np.ones(len(networks)), np.zeros(2 * count), [_WEAK * float(prior.fixed) / typical, _WEAK]])
    solution, _ = nnls(system, right, maxiter=100 * system.shape[1])
    terms = [float(term) for term in solution[2:]]
    return AdditiveCost(
        prior.unit,
        float(solution[0]),
        dict(zip(names, terms[:count], strict=True)),
        dict(zip(names, terms[count:], strict=True)),
        prior.fixed_parts,
    )


def _states(names: Sequence[str], binary: Collection[str]) -> np.ndarray:
    chosen = np.array([name in set(binary) for name in names], dtype=float)
    return np.concatenate([1 - chosen, chosen])
