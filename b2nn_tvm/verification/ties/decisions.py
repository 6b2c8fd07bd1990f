"""Where a network decides: comparisons and roundings, whose result jumps where their input crosses a threshold.

In a copy of the network each of them can be forced:

    p = GreaterOrEqual (x, t)    ->    q = GreaterOrEqual (x, t)    p = Or (And (q, free), forced)
    y = Floor (x)                ->    z = Floor (x)                y = Where (free, z, forced)
    y = QuantizeLinear (x, s)    ->    q = QuantizeLinear (x, s)    y = Cast (Where (free, Cast (q), forced))

``free`` and ``forced`` are new inputs. With ``free`` true and ``forced`` false the network is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, helper

from b2nn_tvm.verification.ties.exact_values import ROUNDED, Exactness, Level
from b2nn_tvm.verification.ties.show_sides import shown_by

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
LARGEST = {"ArgMax": 1, "ArgMin": -1}  # the side of the numbers whose first index is the result
QUANTIZE = "QuantizeLinear"
DECIDING = frozenset((*COMPARISONS, *ROUNDINGS, *LARGEST, QUANTIZE))
# Inside of these something is rounded or chosen as well, which cannot be forced.
OPAQUE = frozenset(("DynamicQuantizeLinear", "TopK", "Hardmax", "NonMaxSuppression", "QLinearConv", "QLinearMatMul"))
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)


@dataclass(frozen=True)
class Decision:
    """One deciding node: the names of its input, of its threshold ("" for a rounding) and of its own result, the type
    of the result, and whether its side of 0, or of any threshold, is exact. ``shown`` is the value that shows the
    result (show_sides).
    """

    op: str
    x: str
    threshold: str
    result: str
    element: int
    exact: bool
    exact_at_zero: bool
    axis: int = 0
    shown: str = ""

    @property
    def free(self) -> str:
        return f"{self.result}_b2nn_free"

    @property
    def forced(self) -> str:
        return f"{self.result}_b2nn_forced"

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a run has to compute to see how close the decision was."""
        return tuple(filter(None, (self.x, self.threshold, self.result, self.shown)))

    def uncertain(
        self, x: np.ndarray, threshold: np.ndarray | None, result: np.ndarray, margin: float
    ) -> dict[int, np.ndarray]:
        """The flat places of the ``result`` that may be another one, and that one, where x is off by ``margin`` or
        less.
        """
        if self.exact or not np.issubdtype(x.dtype, np.floating):
            return {}
        value = x.astype(np.float64)
        if self.op in LARGEST:
            others, other = _second(value * LARGEST[self.op], self.axis, margin)
        else:
            decide = self._decide(value.ndim, threshold)
            with np.errstate(invalid="ignore", divide="ignore"):
                lower, here, upper = decide(value - margin), decide(x), decide(value + margin)
            others, other = (lower != here) | (upper != here), np.where(upper != here, upper, lower)
            if self.op == QUANTIZE:
                other = result + np.nan_to_num(other - here)
        if self.exact_at_zero:
            others = others & (np.broadcast_to(value if threshold is None else threshold, others.shape) != 0)
        places = np.flatnonzero(others)
        return {int(place): np.asarray(other.flat[place]) for place in places}

    def _decide(self, rank: int, threshold: np.ndarray | None) -> Callable[[np.ndarray], np.ndarray]:
        if threshold is None:
            return ROUNDINGS[self.op]
        if self.op == QUANTIZE:  # the quotient is rounded to the type of its operands before it is rounded to a code
            shape = [-1 if axis == self.axis % rank else 1 for axis in range(rank)] if threshold.size > 1 else ()
            return lambda value: np.rint(value / threshold.reshape(shape).astype(value.dtype))
        limit, compare = threshold.astype(np.float64), COMPARISONS[self.op]
        return lambda value: compare(value, limit)


def _second(value: np.ndarray, axis: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the second largest number along the axis is within rounding of the largest, and its index."""
    if value.shape[axis] < 2:
        return np.zeros(np.delete(value.shape, axis), bool), np.zeros(np.delete(value.shape, axis), np.int64)
    order = np.argsort(-value, axis=axis, kind="stable")
    first, second = (np.take(order, [place], axis=axis) for place in (0, 1))
    gap = np.take_along_axis(value, first, axis) - np.take_along_axis(value, second, axis)
    return gap <= 2 * margin, second


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
    shown = shown_by(model.graph, DECIDING)
    for node in model.graph.node:
        nodes.append(node)
        decision = _decision(node, types, exactness)
        if decision is None:
            continue
        decision = replace(decision, shown=shown[node.output[0]])
        found.append(decision)
        output = node.output[0]
        if decision.op == QUANTIZE:
            node.output[0] = f"{output}_b2nn_quantized"
            nodes.append(helper.make_node("Cast", [node.output[0]], [decision.result], to=decision.element))
        else:
            node.output[0] = decision.result
        nodes += _force(decision, output, types.get(output, TensorProto.UINT8))
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
    if node.op_type == QUANTIZE:
        axis = _attribute(node, "axis", 1)
        return Decision(
            QUANTIZE,
            node.input[0],
            node.input[1],
            result,
            TensorProto.INT32,
            exact=False,
            exact_at_zero=False,
            axis=axis,
        )
    if node.op_type in LARGEST:
        if _attribute(node, "select_last_index", 0):
            return None
        axis = _attribute(node, "axis", 0)
        return Decision(
            node.op_type, node.input[0], "", result, TensorProto.INT64, x == Level.EXACT, exact_at_zero=False, axis=axis
        )
    if node.op_type not in ROUNDINGS:
        return None
    element = types.get(node.input[0], TensorProto.FLOAT)
    if node.op_type == "Cast":
        element = next(attribute.i for attribute in node.attribute if attribute.name == "to")
        if element not in (TensorProto.INT32, TensorProto.INT64):
            return None
    at_zero = x >= Level.SIGNED and node.op_type == "Sign"
    return Decision(node.op_type, node.input[0], "", result, element, x == Level.EXACT, at_zero)


def _force(decision: Decision, output: str, element: int) -> list[onnx.NodeProto]:
    """Nodes that choose the ``output``, of this element type, from the decision's result and the forced one."""
    kept = f"{output}_b2nn_kept"
    if decision.element == TensorProto.BOOL:
        return [
            helper.make_node("And", [decision.result, decision.free], [kept]),
            helper.make_node("Or", [kept, decision.forced], [output]),
        ]
    chosen = [decision.free, decision.result, decision.forced]
    if decision.op != QUANTIZE:
        return [helper.make_node("Where", chosen, [output])]
    return [helper.make_node("Where", chosen, [kept]), helper.make_node("Cast", [kept], [output], to=element)]


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


def _value(name: str, element: int) -> onnx.ValueInfoProto:
    value = onnx.ValueInfoProto(name=name)
    value.type.tensor_type.elem_type = element  # of any shape
    return value
