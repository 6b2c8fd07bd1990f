"""Score layers one by one: each alone becomes binary (or int8, W1A2, W2A2) in the trained float network, and the losses
are compared.

Nothing is trained. Delta_j = L(only j binary) - L(float) is positive where binarizing harms. MixBin (algorithm 1)
prints kappa_j = -Delta_j and "sort kappa ascending, take the first k", which would take the most harmful layers; here
the least harmful go first, and kappa is never exposed, so that the order cannot be reversed unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from b2nn_tvm.mixbin.modules.clipping import Histogram
from b2nn_tvm.mixbin.modules.quantized_layer import quantized_layers
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.scoring.shared_runs import SharedRuns, Variant
from b2nn_tvm.mixbin.training.calibrate import CALIBRATION, input_histograms
from b2nn_tvm.plan import QUANTIZED

# Maps (delta, the re-estimated network with one layer converted, the name of this layer) to the layer's score.
Scoring = Callable[[float, Variant, str], float]


def one_by_one(task: ScoringTask, *, method: str, scoring: Scoring) -> Sensitivity:
    """Score each layer of ``task`` by the loss with this layer alone in the task's precision.

    Batch norm statistics are re-estimated on the batches after binarizing, and for the float reference too, so that
    Delta comes from the binarization alone. The part of the network in front of a layer is computed once for all
    layers. Raises InputError where the loss is not finite.
    """
    found = Sensitivity.begun(task.path, method=method, subject=task.digest(method))
    names = task.in_order
    missing = [name for name in names if name not in found.scores]
    if missing or found.reference_loss is None:
        runs = SharedRuns(task.convert(()), task.batches)
        reference = runs.loss(task.loss) if found.reference_loss is None else found.reference_loss
        found = replace(found, reference_loss=reference)
        inputs = _inputs(task, runs, missing)
        for done, name in enumerate(missing, len(names) - len(missing)):
            task.progress(method, done, len(names))
            student = task.alone(name)
            for each, layer in quantized_layers(student).items():
                layer.input_quantizer.calibrate(inputs[each], CALIBRATION)
            variant = runs.reestimated(student)
            delta = variant.loss(task.loss) - reference
            score = scoring(delta, variant, name)
            found = replace(found, scores={**found.scores, name: score}, deltas={**found.deltas, name: delta})
            if task.path is not None:
                found.save(task.path)
    task.progress(method, len(names), len(names))
    scores, deltas = ({name: values[name] for name in task.layers} for values in (found.scores, found.deltas))
    return replace(found, scores=scores, deltas=deltas)


def _inputs(task: ScoringTask, runs: SharedRuns, names: Sequence[str]) -> Mapping[str, Histogram]:
    """What the layers read in the float network, which is what each of them reads where it alone is quantized."""
    if task.precision not in QUANTIZED:
        return {}
    layers = {name: runs.reference.get_submodule(name) for name in names}
    return input_histograms(runs.reference, layers, task.batches)
