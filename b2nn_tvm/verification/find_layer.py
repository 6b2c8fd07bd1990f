"""Which layer of a network is the first whose value in the compiled library is not that of the reference.

The network is compiled once more with values inside of it as outputs, and run on the inputs on which it was wrong. A
few values are looked at first, and then those between the last right and the first wrong one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.verification.ties.show_sides import with_outputs

AT_ONCE = 12  # values that are outputs of one library; more of them would take its kernels apart

Compile = Callable[[Path, Path], None]
Compare = Callable[[Path, Path], dict[str, float]]


@dataclass(frozen=True)
class Layer:
    """A node of the file, and the relative ``difference`` of its ``value``."""

    name: str
    op: str
    value: str
    difference: float

    @property
    def text(self) -> str:
        return f"the first layer that differs is {self.name!r} ({self.op}), by {self.difference:.1e}"


def find_layer(onnx_path: Path, *, compile_here: Compile, compare: Compare) -> Layer | None:
    """The first node whose value is wrong; None where none is wrong on its own, or where that cannot be told.

    ``compile_here`` makes a library for this machine of an ONNX file. ``compare`` runs the library in a folder beside
    an ONNX file, and returns the relative difference of each output that is wrong.
    """
    model = load_model(onnx_path)
    nodes = _nodes(model.graph)
    found: Layer | None = None
    while nodes:
        chosen = nodes if len(nodes) <= AT_ONCE else nodes[len(nodes) // AT_ONCE :: len(nodes) // AT_ONCE]
        try:
            wrong = _wrong(model, [node.output[0] for node in chosen], compile_here, compare)
        except B2nnError:
            return found  # what is right with one output may be refused with others: the search ends here
        first = next((node for node in chosen if node.output[0] in wrong), None)
        if first is not None:
            found = Layer(first.name, first.op_type, first.output[0], wrong[first.output[0]])
        if chosen is nodes:
            return found
        end = nodes.index(first) if first is not None else len(nodes)
        right = [node for node in chosen if node.output[0] not in wrong and nodes.index(node) < end]
        nodes = nodes[nodes.index(right[-1]) + 1 if right else 0 : end]
    return found


def _wrong(model: onnx.ModelProto, values: list[str], compile_here: Compile, compare: Compare) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
        path, folder = Path(name) / "tapped.onnx", Path(name) / "library"
        onnx.save(with_outputs(model, values), path)
        compile_here(path, folder)
        return compare(folder, path)


def _nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that depend on an input of the network."""
    constants = {tensor.name for tensor in graph.initializer}
    variable = {value.name for value in graph.input} - constants
    found = []
    for node in graph.node:
        if any(name in variable for name in node.input):
            variable |= set(node.output)
            found.append(node)
    return found
