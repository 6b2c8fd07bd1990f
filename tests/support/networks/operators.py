"""Many nodes of ONNX in one network, compiled once as users compile it, and compared with onnxruntime one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from b2nn_tvm.compiler import compile_model

Node = tuple[str, Sequence[str], Mapping[str, object]]  # operator, inputs, attributes


def operators_model(
    nodes: Mapping[str, Node],
    inputs: Mapping[str, np.ndarray],
    constants: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = 18,
    before: Sequence[onnx.NodeProto] = (),
) -> onnx.ModelProto:
    """A model in which each node writes an output of its name; ``before`` are nodes in front of all of them."""
    built = [*before, *(helper.make_node(op, list(args), [name], **attrs) for name, (op, args, attrs) in nodes.items())]
    graph = helper.make_graph(
        built,
        "operators",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in nodes],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def compiled(folder: Path, model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of the library that is compiled of the model."""
    path = folder / "operators.onnx"
    onnx.save(model, path)
    with compile_model(path, output=folder / "library", verify=False) as artifact:
        return artifact.run(inputs)


def by_onnxruntime(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs that onnxruntime computes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, dict(inputs)), strict=True))


def assert_agree(folder: Path, model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> None:
    """The library and onnxruntime give the same types, shapes and values."""
    found, expected = compiled(folder, model, inputs), by_onnxruntime(model, inputs)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
