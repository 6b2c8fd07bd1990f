"""Which convolution of an ONNX file each layer of a plan is; plans know layers by the names of torch modules."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.onnx_convolutions import OnnxConvolution
from b2nn_tvm.plan import QUANTIZED, Plan, Precision
from b2nn_tvm.workload import ConvWorkload, differences

_CLOSE, _LISTED = 3, 8


def match_plan(plan: Plan, convolutions: Sequence[OnnxConvolution]) -> dict[str, Precision]:
    """The precision of each convolution that is not to stay float, by the name of its node, in graph order.

    All convolutions that share the weights of a name become binary together. Layers that the plan leaves float need not
    be in the file, and convolutions that the plan does not name stay float. Raises InputError, which names the layers,
    where a layer is not in the file (with the names that come close), has no binary form, or is another convolution
    than in the plan.
    """
    found: dict[str, Precision] = {}
    problems: dict[str, list[str]] = {}
    for layer in plan.chosen:
        alike = [conv for conv in convolutions if layer in conv.names]
        if not alike:
            problems.setdefault("it has no convolution", []).append(f"{layer}{_close(layer, convolutions)}")
        for conv in alike:
            obstacle = conv.obstacle or _difference(plan, layer, conv) or _needs_training(plan, layer)
            earlier = found.setdefault(conv.name, Precision(plan.layers[layer]))
            if obstacle:
                problems.setdefault("these cannot be made binary as the plan says:", []).append(f"{layer} ({obstacle})")
            elif earlier != plan.layers[layer]:
                problems.setdefault("these have two precisions, under different names:", []).append(layer)
    if problems:
        texts = [f"{words} {', '.join(layers)}" for words, layers in problems.items()]
        raise InputError(
            f"the plan{f' for {plan.model}' if plan.model else ''} does not fit this ONNX file: {'; '.join(texts)};"
            " take the plan of this network, or edit the names in the plan"
        )
    return {conv.name: found[conv.name] for conv in convolutions if conv.name in found}


def _close(layer: str, convolutions: Sequence[OnnxConvolution]) -> str:
    """The names that come close to a missing one, or some of those that there are."""
    names = [name for conv in convolutions for name in conv.names if not name.endswith(".weight")]
    close = difflib.get_close_matches(layer, names, n=_CLOSE)
    if close:
        return f" (close to it: {', '.join(close)})"
    some = [conv.names[-1] if conv.names[-1] in names else conv.name for conv in convolutions[:_LISTED]]
    return f" (its convolutions are {', '.join(some)}{' ...' if len(convolutions) > _LISTED else ''})"


def _needs_training(plan: Plan, layer: str) -> str:
    """The scales of quantized layers come from data, which a file does not have."""
    precision = plan.layers[layer]
    return f"{precision} needs calibration: export the calibrated network" if precision in QUANTIZED else ""


def _difference(plan: Plan, layer: str, conv: OnnxConvolution) -> str:
    key = plan.workloads.get(layer)
    if not key or conv.workload is None:
        return ""
    found = differences(ConvWorkload.parse(key), conv.workload)
    return f"another convolution: {found}" if found else ""
