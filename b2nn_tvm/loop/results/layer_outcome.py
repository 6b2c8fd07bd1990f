"""What became of each layer: its precision, what it takes in each measured precision, and why it stayed float."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.eligibility import BECAUSE
from b2nn_tvm.costs.options import layer_of, precision_of
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, exact_cost
from b2nn_tvm.plan import Plan, Precision


@dataclass(frozen=True)
class LayerOutcome:
    """One layer with its ``precision``; ``why`` says why it is float, and is empty where it is not.

    ``ms`` holds the measured milliseconds and ``size_bytes`` the bytes of parameters, both by precision, as far as they
    are known. ``harm`` is the score of the layer in its precision, that of its least harmful option where it is float,
    and NaN where it has none.
    """

    name: str
    kind: str
    workload: str
    precision: str
    why: str
    harm: float
    ms: Mapping[str, float]
    size_bytes: Mapping[str, int]

    @property
    def now_ms(self) -> float:
        """The milliseconds in the layer's precision, NaN where they were not measured."""
        return self.ms.get(self.precision, math.nan)


def layer_outcomes(
    job: Job, plan: Plan, scores: Mapping[str, float], measured: MeasuredCost, *, imported: bool
) -> tuple[LayerOutcome, ...]:
    """The outcomes of all layers with weights, in network order; with ``imported`` the plan came from a file."""
    times: dict[str, dict[str, float]] = {}
    for row in measured.table.layers:
        times.setdefault(row.layer, {})[row.precision] = row.ms
    size = exact_cost(job, "bytes")
    of: dict[str, dict[str, str]] = {}
    for each in job.options:
        of.setdefault(layer_of(each), {})[precision_of(each)] = each
    found = []
    for layer in job.layers:
        precision = Precision(plan.layers.get(layer.name, Precision.FLOAT)).value
        ms, options = times.get(layer.name, {}), of.get(layer.name, {})
        if options:
            sizes = {"float": int(size.float_cost[layer.name])}
            sizes |= {word: int(size.binary_cost[each]) for word, each in options.items()}
            if Precision.BINARY in options:
                sizes[Precision.WEIGHT_BINARY.value] = sizes[Precision.BINARY.value]
        else:
            sizes = {"float": int(size.fixed_parts[layer.name])}
        harms = {word: scores[each] for word, each in options.items() if each in scores}
        harm = harms.get(precision, min(harms.values(), default=math.nan))
        reason = "" if options else layer.reason
        why = "" if precision != "float" else _why(reason, ms, harm, tuple(options), imported=imported)
        found.append(LayerOutcome(layer.name, layer.kind, layer.workload.key, precision, why, harm, ms, sizes))
    for other in job.layers.others:
        ms = times.get(other.name, {})
        found.append(LayerOutcome(other.name, other.kind, "", "float", other.reason, math.nan, ms, {}))
    return tuple(found)


def rest_ms(layers: tuple[LayerOutcome, ...], measured: MeasuredCost) -> float:
    """The milliseconds of what is none of the ``layers``, such as pooling and additions, in the all-float network."""
    known = {layer.name for layer in layers}
    return sum(row.ms for row in measured.table.layers if row.precision == "float" and row.layer not in known)


def _why(reason: str, ms: Mapping[str, float], harm: float, options: Sequence[str], *, imported: bool) -> str:
    """Why a layer is float: the rule's ``reason`` with its cause, else what its ``options`` would have brought."""
    if reason:
        return f"{reason}: {BECAUSE[reason]}" if reason in BECAUSE else reason
    if imported:
        return "the plan leaves it float"
    known = {word: ms[word] for word in options if word in ms and "float" in ms}
    saving = ms["float"] - min(known.values()) if known else math.nan
    if saving <= 0:
        times = ", ".join(f"{value:.4g} {word}" for word, value in known.items())
        return f"{' or '.join(known)} is no faster on this device: {ms['float']:.4g} ms float, {times}"
    saved = "" if math.isnan(saving) else f", saving {saving:.3g} ms"
    return f"the budget is kept without it: harm {harm:.3g}{saved}"
