"""The methods that score layers, by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.layers import trace
from b2nn_tvm.mixbin.mixbin_grad import mixbin_grad
from b2nn_tvm.mixbin.mixbin_loss import mixbin_loss
from b2nn_tvm.mixbin.sensitivity import Batches, Progress, Sensitivity
from b2nn_tvm.mixbin.uninformed import front, random, rear

_MEASURED: dict[str, Callable[..., Sensitivity]] = {"mixbin-loss": mixbin_loss, "mixbin-grad": mixbin_grad}
_DRAWN: dict[str, Callable[..., Sensitivity]] = {"random": random}
_ORDERED: dict[str, Callable[..., Sensitivity]] = {"front": front, "rear": rear}


def names() -> tuple[str, ...]:
    """The names of all methods."""
    return (*_MEASURED, *_DRAWN, *_ORDERED)


def score(
    method: str,
    model: nn.Module,
    batches: Batches,
    *,
    layers: Sequence[str] | None = None,
    seed: int = 0,
    path: str | os.PathLike | None = None,
    progress: Progress | None = None,
    **options,
) -> Sensitivity:
    """One score per layer (default: every eligible one) by the method of that name; the lowest is binarized first.

    ``seed`` is read by "random" alone; ``path``, ``progress`` and the other options of ``sensitivity.measure`` by those
    that measure. Raises InputError, which lists the choices, for an unknown method, and what the methods raise.
    """
    if method not in names():
        raise InputError(f"unknown method {method!r}; choose one of {', '.join(names())}")
    if layers is None:
        layers = trace(model, batches[0][0].shape[1:]).eligible
    if not layers:
        raise InputError(f"no layer of this {type(model).__name__} can be binarized; there is nothing to score")
    if method in _MEASURED:
        return _MEASURED[method](model, batches, names=layers, path=path, progress=progress, **options)
    return _DRAWN[method](layers, seed=seed) if method in _DRAWN else _ORDERED[method](layers)
