"""A network in onnxruntime whose comparisons and roundings can be forced, one by one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

from b2nn_tvm.verification.oracle_model import element_types
from b2nn_tvm.verification.outline import StoredWeights
from b2nn_tvm.verification.ties.decisions import COMPARISONS, OPAQUE, Decision, make_forceable, seen
from b2nn_tvm.verification.ties.exact_values import exact_values

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Choices = dict[str, dict[int, np.ndarray]]  # by a decision's result: other results by their flat places
ROUNDING = 5e-7  # of a value: what sums of a few dozen terms are off by in float32
RUNS = 3
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
_SMALLEST = np.finfo(np.float32).tiny


@dataclass
class Computed:
    """The ``outputs`` of a run, and the ``values`` at its decisions by name."""

    outputs: dict[str, np.ndarray]
    values: dict[str, np.ndarray] = field(default_factory=dict)

    def at(self, decision: Decision) -> tuple[np.ndarray, np.ndarray | None]:
        """What the decision was made of: its input, and its threshold."""
        return self.values[decision.x], self.values[decision.threshold] if decision.threshold else None


class ForcedOracle:
    """The network ``model``, whose functions are inlined; ``make_session`` makes onnxruntime's sessions of models, and
    ``folder`` is that of weights in files.
    """

    def __init__(
        self, model: onnx.ModelProto, make_session: Callable[[onnx.ModelProto], InferenceSession], folder: Path
    ) -> None:
        self._model, self._make_session = model, make_session
        self._outputs = [output.name for output in model.graph.output]
        self._constants = _constants(model.graph, folder)

    @cached_property
    def decisions(self) -> list[Decision]:
        """The decisions of the network in the order of computation; none where onnxruntime cannot force them."""
        return self._forced[1]

    @property
    def opaque(self) -> bool:
        """Whether something inside of an operator is rounded or chosen that cannot be forced."""
        return any(node.op_type in OPAQUE for node in self._model.graph.node)

    @property
    def thresholds(self) -> np.ndarray:
        """The constants with which the network compares."""
        nodes = [node for node in self._model.graph.node if node.op_type in COMPARISONS and len(node.input) == 2]
        found = [self._constants[name].ravel() for node in nodes for name in node.input if name in self._constants]
        return np.concatenate(found) if found else np.zeros(0)

    def run(self, inputs: Mapping[str, np.ndarray], forced: Choices, shapes: Mapping[str, tuple[int, ...]]) -> Computed:
        """Compute with the results ``forced``; ``shapes`` are those of all decisions that are forced somewhere."""
        fed = dict(inputs)
        for decision in self.decisions:
            chosen = forced.get(decision.result, {})
            shape = shapes[decision.result] if chosen else ()
            free, value = np.ones(shape, bool), np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(decision.element))
            for place, other in chosen.items():
                free.flat[place], value.flat[place] = False, other
            fed[decision.free], fed[decision.forced] = free, value
        return self._run(self._forced[0], fed)

    def run_with(self, inputs: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray]) -> Computed:
        """Compute with these whole ``results``; decisions without one are free."""
        return self._run(self._forced[0], self._fed(inputs, results))

    def results(self, computed: Computed, forced: Choices) -> dict[str, np.ndarray]:
        """The result of every decision, made or ``forced``, by its name."""
        found = {decision.result: computed.values[decision.result] for decision in self.decisions}
        for name, choices in forced.items():
            found[name] = found[name].copy()
            for place, other in choices.items():
                found[name].flat[place] = other
        return found

    def noise(
        self, inputs: Mapping[str, np.ndarray], computed: Computed, results: Mapping[str, np.ndarray]
    ) -> Computed:
        """How far rounding may move each output and each value at a decision from what was ``computed`` with these
        ``results``; decisions without one are free to jump.

        The network is computed with random numbers within ROUNDING added behind every node, RUNS times (Monte Carlo
        arithmetic; Parker, 1997).
        """
        fed = self._fed(inputs, results)
        runs = [self._run(self._rounded, fed) for _ in range(RUNS)]
        return Computed(
            {name: _largest(value, [run.outputs[name] for run in runs]) for name, value in computed.outputs.items()},
            {name: _largest(value, [run.values[name] for run in runs]) for name, value in computed.values.items()},
        )

    def _fed(self, inputs: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        fed = dict(inputs)
        for decision in self.decisions:
            value = results.get(decision.result)
            nothing = np.zeros((), onnx.helper.tensor_dtype_to_np_dtype(decision.element))
            fed[decision.free], fed[decision.forced] = np.array(value is None), nothing if value is None else value
        return fed

    def largest(self, inputs: Mapping[str, np.ndarray]) -> float:
        """The largest finite magnitude of any float of the network, computed on these inputs or constant."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        outputs = {output.name for output in model.graph.output}
        floats = {name for name, element in element_types(model).items() if element in _FLOATS}
        computed = (name for node in model.graph.node for name in node.output if name in floats - outputs)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in computed)
        values = [*self._make_session(model).run(None, dict(inputs)), *self._constants.values(), *inputs.values()]
        magnitudes = (np.abs(each[np.isfinite(each)]).max(initial=0.0) for each in values if each.dtype.kind == "f")
        return float(max(magnitudes, default=0.0))

    def closest_tie(self, inputs: Mapping[str, np.ndarray]) -> float:
        """The smallest distance |x - threshold| at any comparison or Sign, relative to the largest magnitude there."""
        computed = self.run(inputs, {}, {})
        signs = [d for d in self.decisions if d.op in {*COMPARISONS, "Sign"} - {"Equal"}]
        return min((_distance(*computed.at(decision)) for decision in signs), default=np.inf)

    @cached_property
    def _forced(self) -> tuple[InferenceSession, list[Decision]]:
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        exactness = exact_values(model.graph, self._constants, _shapes(model))
        decisions = make_forceable(model, element_types(model), exactness)
        return self._make_session(model), decisions

    @cached_property
    def _rounded(self) -> InferenceSession:
        """The network with forced decisions, in which every value that is computed is changed at random."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        make_forceable(model, element_types(model), {})
        round_at_random(model, element_types(model))
        return self._make_session(model)

    def _run(self, session: InferenceSession, fed: Mapping[str, np.ndarray]) -> Computed:
        names = [output.name for output in session.get_outputs()]
        values = dict(zip(names, session.run(names, dict(fed)), strict=True))
        outputs = {name: values[name] for name in self._outputs}
        known = {name for decision in self.decisions for name in decision.outputs}
        return Computed(outputs, {name: values[seen(name)] for name in known})


def round_at_random(model: onnx.ModelProto, types: Mapping[str, int]) -> None:
    """Change ``model`` so that every float that a node computes is off by a random share of itself, up to ROUNDING.

    y = op (x)    ->    z = op (x)    r = RandomUniformLike (z)    e = Mul (z, r)    y = Add (z, e)
    """
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.append(node)
        for index, name in enumerate(node.output):
            if types.get(name) != onnx.TensorProto.FLOAT or node.op_type in ("Constant", "Identity"):
                continue
            exact, share, error = (f"{name}_b2nn_{word}" for word in ("exact", "share", "error"))
            node.output[index] = exact
            nodes += [
                helper.make_node("RandomUniformLike", [exact], [share], low=-ROUNDING, high=ROUNDING),
                helper.make_node("Mul", [exact, share], [error]),
                helper.make_node("Add", [exact, error], [name]),
            ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _largest(value: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """The largest distance from ``value`` of any number of the ``others``, in each place."""
    if value.dtype.kind != "f":
        return np.zeros(value.shape)
    with np.errstate(invalid="ignore"):
        distances = [np.abs(other.astype(np.float64) - value.astype(np.float64)) for other in others]
    largest: np.ndarray = np.max(distances, axis=0)
    return largest


def _distance(x: np.ndarray, threshold: np.ndarray | None) -> float:
    """The smallest |x - threshold| relative to the largest of both; inf between integers, which are compared
    exactly.
    """
    if not np.issubdtype(x.dtype, np.floating):
        return np.inf
    other = np.zeros((), x.dtype) if threshold is None else threshold
    distance = np.abs(x - other)
    scale = max(np.abs(values[np.isfinite(values)]).max(initial=0.0) for values in (x, other))
    return float(np.nanmin(distance, initial=np.inf) / max(scale, _SMALLEST))


def _constants(graph: onnx.GraphProto, folder: Path) -> Mapping[str, np.ndarray]:
    stored = StoredWeights(graph, folder)
    inside = (tensor for tensor in graph.initializer if tensor.name not in stored)
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in inside}
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name == "value":
                found[node.output[0]] = numpy_helper.to_array(attribute.t)
            elif attribute.name == "value_float":
                found[node.output[0]] = np.asarray(attribute.f, np.float32)
            elif attribute.name == "value_floats":
                found[node.output[0]] = np.asarray(attribute.floats, np.float32)
    for node in graph.node:  # thresholds per channel: exporters shape them beside the comparison
        if node.op_type in ("Unsqueeze", "Identity", "Reshape") and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return ChainMap(found, stored)  # type: ignore[arg-type]  # nothing is written into it


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    try:
        graph = shape_inference.infer_shapes(model).graph
    except (shape_inference.InferenceError, ValueError):  # then sums of unknown length count as rounded
        return {}
    return {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info)
        if all(dim.dim_value > 0 for dim in value.type.tensor_type.shape.dim)
    }
