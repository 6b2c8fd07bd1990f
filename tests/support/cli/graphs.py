"""ONNX files made of nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save_graph(
    path: Path,
    nodes: list,
    constants: dict,
    input_shape: list,
    output_shape: list,
    *,
    opset: int = 18,
    domains: tuple[str, ...] = (),
) -> Path:
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    initializers = [numpy_helper.from_array(np.asarray(each, np.float32), name) for name, each in constants.items()]
    graph = helper.make_graph(
        nodes, path.stem, [value("input", input_shape)], [value("output", output_shape)], initializers
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path
