"""After Prabhu et al., Hybrid Binary Networks (WACV 2018): binary weights everywhere, binary inputs where they pay.

    M_l = norm(E_l) + gamma * norm(1 / MACs_l)

E_l is the error of binarizing the input of layer l, so that cheap layers with large errors score high and keep their
float inputs. The constants of the original and the definition of norm are not public; here norm maps to 0..1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d, unsupported
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.scoring.input_error import ERRORS, InputErrorMetric
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.training.loss import device_of, evaluating
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.plan import Plan, Precision


@dataclass(frozen=True)
class Hybrid:
    """``metric`` is a name in input_error.ERRORS or an InputErrorMetric; ``gamma`` weighs the cost against it.

    ``trained`` is the trained fully binary network whose inputs are measured, as in the original; without it the task's
    network is made fully binary, untrained, and its batch norms are re-estimated. ``float_inputs`` is the largest share
    R of the layers that keep float inputs. Raises InputError where gamma or the share is out of range, or the metric is
    unknown.
    """

    metric: str | InputErrorMetric = "rms"
    gamma: float = 1.0
    float_inputs: float = 0.25
    trained: nn.Module | None = None

    name: ClassVar[str] = "hybrid"

    def __post_init__(self) -> None:
        if isinstance(self.metric, str) and self.metric not in ERRORS:
            raise InputError(f"there is no input error {self.metric!r}; choose one of {', '.join(ERRORS)}")
        if not (self.gamma >= 0 and 0 <= self.float_inputs <= 1):
            raise InputError(
                f"gamma is at least 0 and the share of float inputs from 0 to 1, not {self.gamma} and "
                f"{self.float_inputs}"
            )

    def score(self, task: ScoringTask) -> Sensitivity:
        errors = self.errors(task)
        table = trace(task.model, task.batches[0][0].shape[1:])
        cheapness = {name: 1 / table[name].workload.macs for name in task.layers}
        weighed = {name: value * self.gamma for name, value in _norm(cheapness).items()}
        scores = {name: value + weighed[name] for name, value in _norm(errors).items()}
        return Sensitivity(self.name, scores)

    def errors(self, task: ScoringTask) -> dict[str, float]:
        """E_l of every layer; raises InputError where one of them is not binary in ``trained``."""
        binary = self.trained
        if binary is None:
            binary = reestimate(task.convert(task.layers), task.batches)
        metric = ERRORS[self.metric] if isinstance(self.metric, str) else self.metric
        sums = {name: torch.zeros(metric.sums, dtype=torch.float64) for name in task.layers}
        handles = []
        try:
            for name in task.layers:
                layer = dict(binary.named_modules()).get(name)
                if not (isinstance(layer, BinaryConv2d) and layer.input_binary):
                    raise InputError(
                        f"layer {name} is not binary in the fully binary network whose inputs are measured"
                    )
                handles.append(layer.register_forward_pre_hook(_adder(sums[name], metric)))
            with evaluating(binary), torch.no_grad():
                for images, _ in task.batches:
                    binary(images.to(device_of(binary)))
        finally:
            for handle in handles:
                handle.remove()
        return {name: metric.value(total) for name, total in sums.items()}

    def plan(self, task: ScoringTask, *, model: str = "") -> Plan:
        """A plan of three states: binary inputs and weights, binary weights alone, or float for all other layers."""
        scores = self.score(task).scores
        keep = top_cluster(scores, self.float_inputs)
        states = {}
        for row in trace(task.model, task.batches[0][0].shape[1:]):
            if row.name in scores and row.name not in keep:
                states[row.name] = Precision.BINARY
                continue
            layer = task.model.get_submodule(row.name)
            possible = isinstance(layer, nn.Conv1d | nn.Conv2d) and not unsupported(layer)
            states[row.name] = Precision.WEIGHT_BINARY if possible else Precision.FLOAT
        return Plan(states, model=model, method=self.name)


def top_cluster(scores: Mapping[str, float], share: float) -> frozenset[str]:
    """The layers of the highest cluster, with as few clusters as leave at most ``share`` of all layers in it.

    The clusters are those of one-dimensional k-means over ``scores``. The set is empty where even the highest single
    score is shared by too many layers.
    """
    from sklearn.cluster import KMeans

    names, values = list(scores), torch.tensor(list(scores.values()), dtype=torch.float64)[:, None].numpy()
    for count in range(1, len(set(scores.values())) + 1):
        found = KMeans(count, n_init=10, random_state=0).fit(values)
        top = int(found.cluster_centers_[:, 0].argmax())
        members = frozenset(name for name, label in zip(names, found.labels_, strict=True) if label == top)
        if len(members) <= share * len(names):
            return members
    return frozenset()


def _norm(values: Mapping[str, float]) -> dict[str, float]:
    """``values`` scaled so that the least is 0 and the largest is 1; all 0 where they are equal."""
    low, high = min(values.values()), max(values.values())
    return {name: (value - low) / (high - low) if high > low else 0.0 for name, value in values.items()}


def _adder(total: torch.Tensor, metric: InputErrorMetric) -> Callable[[BinaryConv2d, Iterable[torch.Tensor]], None]:
    def add(layer: BinaryConv2d, arguments: Iterable[torch.Tensor]) -> None:
        (x,) = arguments
        total.add_(
            metric.add(x if layer.threshold is None else x - layer.threshold.reshape(-1, *[1] * (x.dim() - 2))).cpu()
        )

    return add
