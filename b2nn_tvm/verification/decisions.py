"""Where a network decides: comparisons and roundings, whose result jumps where their input crosses a threshold.

In a copy of the network each of them can be forced:

    p = GreaterOrEqual (x, t)    ->    q = GreaterOrEqual (x, t)    p = Or (And (q, free), forced)
    y = Floor (x)                ->    z = Floor (x)                y = Where (free, z, forced)

``free`` and ``forced`` are new inputs. With ``free`` true and ``forced`` false the network is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from b2nn_tvm.verification.exact_values import ROUNDED, Exactness, Level

COMPARISONS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "GreaterOrEqual": np.greater_equal,
    "Greater": np.greater,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Equal": np.equal,
}
ROUNDINGS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "Sign": np.sign,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Cast": np.trunc,  # of floats to integers
}
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)
_FORCED = (*_FLOATS, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL)  # onnxruntime's Where has these


@dataclass(frozen=True)
class Decision:
    """One deciding node: the names of its input, of its threshold ("" for a rounding) and of its own result, the type
    of the result, and whether its side of 0, or of any threshold, is exact.
    """

    op: str
    x: str
    threshold: str
    result: str
    element: int
    exact: bool
    exact_at_zero: bool

    @property
    def free(self) -> str:
        return f"{self.result}_b2nn_free"

    @property
    def forced(self) -> str:
        return f"{self.result}_b2nn_forced"

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a run has to compute to see how close the decision was."""
        return tuple(filter(None, (self.x, self.threshold, self.result)))

    def uncertain(self, x: np.ndarray, threshold: np.ndarray | None, margin: float) -> dict[int, np.ndarray]:
        """The flat places where another x, up to ``margin`` away, gives another result, and that result."""
        if self.exact or not np.issubdtype(x.dtype, np.floating):
            return {}
        if threshold is not None:
            decide = lambda value: COMPARISONS[self.op](value, threshold.astype(np.float64))
        else:
            decide = ROUNDINGS[self.op]
        value = x.astype(np.float64)
        with np.errstate(invalid="ignore"):
            sides = decide(value - margin), decide(value), decide(value + margin)
        others = (sides[0] != sides[1]) | (sides[2] != sides[1])
        if self.exact_at_zero and threshold is not None:
            others &= np.broadcast_to(threshold != 0, others.shape)
        elif self.exact_at_zero:
            others &= value != 0
        other = np.where(sides[0] != sides[1], sides[0], sides[2])
        places = np.flatnonzero(others & np.isfinite(np.broadcast_to(value, others.shape)))
        return {int(place): other.flat[place] for place in places}


def seen(name: str) -> str:
    """The output of the changed network that shows this value."""
    return f"{name}_b2nn_seen"


def make_forceable(
    model: onnx.ModelProto, types: Mapping[str, int], exactness: Mapping[str, Exactness]
) -> list[Decision]:
    """Change ``model``, in which functions are inlined, so that each decision can be seen and forced; return them.

    ``types`` has the element type of every value, ``exactness`` says how exactly it is computed.
    """
    found: list[Decision] = []
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.append(node)
        decision = _decision(node, types, exactness)
        if decision is None:
            continue
        found.append(decision)
        output, node.output[0] = node.output[0], decision.result
        nodes += _force(decision, output)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for decision in found:
        model.graph.input.append(_value(decision.free, TensorProto.BOOL))
        model.graph.input.append(_value(decision.forced, decision.element))
    for name in dict.fromkeys(name for decision in found for name in decision.outputs):
        model.graph.node.append(helper.make_node("Identity", [name], [seen(name)]))
        model.graph.output.append(onnx.ValueInfoProto(name=seen(name)))
    return found


def _decision(node: onnx.NodeProto, types: Mapping[str, int], exactness: Mapping[str, Exactness]) -> Decision | None:
    if node.domain not in ("", "ai.onnx") or types.get(node.input[0] if node.input else "", 0) not in _FLOATS:
        return None
    result = f"{node.output[0]}_b2nn_result"
    x = exactness.get(node.input[0], ROUNDED).level
    if node.op_type in COMPARISONS:
        threshold = exactness.get(node.input[1], ROUNDED).level
        exact = x == threshold == Level.EXACT
        at_zero = x >= Level.SIGNED and threshold == Level.EXACT
        return Decision(node.op_type, node.input[0], node.input[1], result, TensorProto.BOOL, exact, at_zero)
    if node.op_type not in ROUNDINGS:
        return None
    element = types.get(node.input[0], TensorProto.FLOAT)
    if node.op_type == "Cast":
        element = next(attribute.i for attribute in node.attribute if attribute.name == "to")
        if element not in (TensorProto.INT32, TensorProto.INT64):
            return None
    at_zero = x >= Level.SIGNED and node.op_type == "Sign"
    return Decision(node.op_type, node.input[0], "", result, element, x == Level.EXACT, at_zero)


def _force(decision: Decision, output: str) -> list[onnx.NodeProto]:
    if decision.element == TensorProto.BOOL:
        kept = f"{output}_b2nn_kept"
        return [
            helper.make_node("And", [decision.result, decision.free], [kept]),
            helper.make_node("Or", [kept, decision.forced], [output]),
        ]
    return [helper.make_node("Where", [decision.free, decision.result, decision.forced], [output])]


def _value(name: str, element: int) -> onnx.ValueInfoProto:
    value = onnx.ValueInfoProto(name=name)
    value.type.tensor_type.elem_type = element  # of any shape
    return value
