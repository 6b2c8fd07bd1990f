"""The harm of each layer: it alone is binarized in the trained float network, without training, and the loss compared.

Delta_j = L(only j binary) - L(float) is positive where binarizing harms. MixBin (algorithm 1) prints kappa_j = -Delta_j
and "sort kappa ascending, take the first k", which would take the most harmful layers; here the least harmful go first,
and kappa is never exposed, so that the order cannot flip unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from b2nn_tvm.mixbin.sensitivity import Sensitivity
from b2nn_tvm.mixbin.shared_runs import SharedRuns, Variant
from b2nn_tvm.mixbin.subject import Subject

# From (delta, the re-estimated network with one binary layer, that layer's name) to the layer's score.
Scoring = Callable[[float, Variant, str], float]


def one_by_one(subject: Subject, *, method: str, scoring: Scoring) -> Sensitivity:
    """Score each layer of ``subject`` by what happens when it alone is binary.

    Batch norm statistics are re-estimated on the batches after binarizing, and for the float reference too, so that
    Delta is of the binarization alone. What lies in front of a layer is computed once for all layers. Raises InputError
    where the loss is not finite.
    """
    found = Sensitivity.begun(subject.path, method=method, subject=subject.digest(method))
    names = subject.in_order
    missing = [name for name in names if name not in found.scores]
    runs = SharedRuns(subject.convert(()), subject.batches) if missing else None
    if found.reference_loss is None:
        found = replace(found, reference_loss=runs.loss(subject.loss))
    for name in missing:
        subject.progress(len(found.scores), len(names))
        variant = runs.reestimated(subject.convert((name,)))
        delta = variant.loss(subject.loss) - found.reference_loss
        score = scoring(delta, variant, name)
        found = replace(found, scores={**found.scores, name: score}, deltas={**found.deltas, name: delta})
        if subject.path is not None:
            found.save(subject.path)
    subject.progress(len(names), len(names))
    pick = lambda values: {name: values[name] for name in subject.layers}
    return replace(found, scores=pick(found.scores), deltas=pick(found.deltas))
