"""MixBin_Loss: score_j = Delta_j, rise of the loss with layer j alone binary (MixBin, equation 6, sign corrected)."""

from __future__ import annotations

from torch import nn

from b2nn_tvm.mixbin.sensitivity import Batches, Sensitivity, measure


def mixbin_loss(model: nn.Module, batches: Batches, **options) -> Sensitivity:
    """Score the layers by Delta alone; ``options`` and errors are those of ``sensitivity.measure``.

    The printed rule sorts kappa = -Delta ascending, which inverts the order; the scores here are Delta, lowest first.
    """
    return measure(model, batches, method="mixbin-loss", scoring=_delta, **options)


def _delta(delta, binary, name, batches, loss) -> float:
    return delta
