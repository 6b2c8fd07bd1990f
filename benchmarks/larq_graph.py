"""An ONNX network of binary layers -> its arrays and operations as an archive that larq_call.py reads without onnx."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from b2nn_tvm import reference


def write_graph(path: Path, output: Path) -> Path:
    """Write the constants of the network to ``output`` (.npz), and its operations as JSON under "graph".

    Weights are HWIO, and signs are +1 and -1.
    """
    model = onnx.load(path)
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    arrays: dict[str, np.ndarray] = {}
    operations = []
    for node in graph.node:
        attributes = {a.name: _plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
        if node.op_type == "Constant":
            (tensor,) = (a.t for a in node.attribute if a.name == "value")
            constants[node.output[0]] = numpy_helper.to_array(tensor)
            continue
        inputs = list(node.input)
        if node.op_type == "BinaryConv2d":
            x, weight, scale, threshold = inputs
            if constants[threshold].any():
                raise ValueError(f"{node.name}: only thresholds of zero are translated")
            signs = reference.unpack(constants[weight], attributes["channels"])  # [O, H, W, C]
            arrays[weight] = np.ascontiguousarray(signs.transpose(1, 2, 3, 0)).astype(np.float32)
            arrays[scale] = constants[scale]
            inputs = [x, weight, scale]
        elif node.op_type == "Conv":
            arrays[inputs[1]] = np.ascontiguousarray(constants[inputs[1]].transpose(2, 3, 1, 0))
        arrays.update({name: constants[name] for name in inputs if name in constants and name not in arrays})
        operations.append({"type": node.op_type, "inputs": inputs, "output": node.output[0], "attributes": attributes})
    (given,) = (value for value in graph.input if value.name not in constants)
    described = {
        "input": given.name,
        "shape": [d.dim_value for d in given.type.tensor_type.shape.dim],
        "output": graph.output[0].name,
        "operations": operations,
    }
    np.savez(
        output, graph=np.array(json.dumps(described)), **{f"array:{name}": value for name, value in arrays.items()}
    )
    return output


def _plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return (
        list(value)
        if isinstance(value, (list, tuple)) or (hasattr(value, "__len__") and not isinstance(value, str))
        else value
    )
