"""A plan that was found with one data set, applied to a network for another.

A plan knows layers by name. It fits a network whose eligible layers have the same names, and whose binary layers are
the same convolutions except for the batch and the size of the image, which come from the data. (MixBin's tables on
transfer: a choice found with ImageNet does as well on smaller sets as a choice found on them.)
"""

from __future__ import annotations

from dataclasses import replace

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.network.layers import LayerTable
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.workload import ConvWorkload, differences


def transfer(plan: Plan, layers: LayerTable, *, model: str = "") -> Plan:
    """``plan`` applied to the network with these traced ``layers``: its layers, their workloads, the plan's precisions.

    Layers that the plan leaves float (the first convolution and the classifier among them) may differ. Where the plan
    gives no workload, the name alone counts. ``predicted`` and ``certificate`` are not carried over, because the cost
    of the network depends on the size of the image. Raises InputError, which names the layers, where layers are
    missing, may not be binary or differ, and where the plan does not mention an eligible layer.
    """
    known = {layer.name: layer for layer in layers}
    wanted = {name: precision for name, precision in plan.layers.items() if precision != Precision.FLOAT}
    missing = [name for name in wanted if name not in known]
    barred = [
        f"{name} as {precision} ({reason})"
        for name, precision in wanted.items()
        if precision != Precision.WEIGHT_BINARY and name in known and (reason := known[name].against(precision))
    ]
    differing = [
        f"{name} ({difference})"
        for name in wanted
        if name in known
        and (key := plan.workloads.get(name))
        and (difference := differences(ConvWorkload.parse(key), known[name].workload))
    ]
    unnamed = [name for name in layers.eligible if name not in plan.layers]
    problems = [
        f"{words} {', '.join(names)}"
        for words, names in (
            ("the network has no", missing),
            ("these cannot have their precision:", barred),
            ("these are other convolutions than in the plan:", differing),
            ("the plan says nothing of", unnamed),
        )
        if names
    ]
    if problems:
        raise InputError(
            f"the plan{f' for {plan.model}' if plan.model else ''} does not fit this network: {'; '.join(problems)};"
            " take the plan of a network with the same layers (only the size of images may differ), or search anew"
        )
    return replace(
        plan,
        layers={layer.name: wanted.get(layer.name, Precision.FLOAT) for layer in layers},
        workloads={layer.name: layer.workload.key for layer in layers},
        model=model or plan.model,
        predicted=0.0,
        certificate=None,
    )
