"""A model is read without its weights, which onnxruntime then finds in the file of the model itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.outline import LARGE, StoredWeights, read_outline

INPUTS = LARGE // 4


def weights(seed: int, outputs: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((INPUTS, outputs), np.float32)


def written(path: Path, *tensors: TensorProto) -> Path:
    """A file of one MatMul for each tensor."""
    nodes = [helper.make_node("MatMul", ["x", each.name], [f"y{at}"]) for at, each in enumerate(tensors)]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, INPUTS])
    outputs = [helper.make_tensor_value_info(f"y{at}", TensorProto.FLOAT, None) for at in range(len(nodes))]
    graph = helper.make_graph(nodes, "products", [x], outputs, tensors, doc_string="behind the weights")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def is_external(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL


@pytest.mark.parametrize("name", ["w", "w1", "w12", "w123"])  # so that the bytes begin at any address
def test_the_weights_stay_in_the_file(tmp_path: Path, name: str) -> None:
    tensors = [numpy_helper.from_array(weights(0), name), numpy_helper.from_array(weights(1)[:, :1], f"{name}'")]
    path = written(tmp_path / "net.onnx", *tensors)
    outline = read_outline(path)
    assert list(map(is_external, outline.graph.initializer)) == [True, True]
    assert outline.ByteSize() < 2000 < path.stat().st_size
    onnx.load_external_data_for_model(outline, str(tmp_path))
    for found, stored in zip(outline.graph.initializer, tensors, strict=True):
        np.testing.assert_array_equal(numpy_helper.to_array(found), numpy_helper.to_array(stored))
        del found.external_data[:]
        found.ClearField("data_location")
    assert outline == onnx.load(path)


def test_onnxruntime_computes_with_them(tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", numpy_helper.from_array(weights(0), "odd name"))
    x = np.random.default_rng(2).integers(-3, 4, (2, INPUTS)).astype(np.float32)
    exact = x.astype(np.float64) @ weights(0)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.onnx"
    link.symlink_to(path)
    for each in (path, link):
        np.testing.assert_allclose(Oracle(each).run({"x": x})["y0"], exact, rtol=0, atol=1e-5 * np.abs(exact).max())


def test_what_is_small_or_in_another_form_stays_in_the_model(tmp_path: Path) -> None:
    numbers = helper.make_tensor("numbers", TensorProto.FLOAT, [INPUTS, 1], weights(0)[:, :1].ravel())
    small = numpy_helper.from_array(weights(1)[:, :1].astype(np.float16), "small")
    large = numpy_helper.from_array(weights(2), "large")
    path = written(tmp_path / "net.onnx", numbers, small, large)
    assert list(map(is_external, read_outline(path).graph.initializer)) == [False, False, True]


def test_external_data_stay_where_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", numpy_helper.from_array(weights(0), "w"))
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="net.data", size_threshold=0)
    (tensor,) = read_outline(path).graph.initializer
    assert {entry.key: entry.value for entry in tensor.external_data}["location"] == "net.data"
    x = np.ones((2, INPUTS), np.float32)
    np.testing.assert_allclose(Oracle(path).run({"x": x})["y0"], x @ weights(0), rtol=1e-3, atol=1e-2)


def test_a_file_that_is_no_model_is_refused_as_by_onnx(tmp_path: Path) -> None:
    whole = written(tmp_path / "net.onnx", numpy_helper.from_array(weights(0), "w")).read_bytes()
    for content in (whole[: len(whole) // 2], b"no model at all", bytes(8) + whole):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(DecodeError):
            read_outline(tmp_path / "bad.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"")
    assert read_outline(tmp_path / "bad.onnx") == onnx.ModelProto()


def test_stored_weights_are_read_one_at_a_time(tmp_path: Path) -> None:
    small = numpy_helper.from_array(weights(1)[:5], "small")
    path = written(tmp_path / "net.onnx", numpy_helper.from_array(weights(0), "w"), small)
    outline = read_outline(path)
    before = outline.ByteSize()
    stored = StoredWeights(outline.graph, tmp_path)
    assert list(stored) == ["w"]
    np.testing.assert_array_equal(stored["w"], weights(0))
    assert outline.ByteSize() == before


@pytest.mark.parametrize("opset", [9, 13])
def test_decisions_of_a_network_with_large_weights_are_forced(tmp_path: Path, monkeypatch, opset: int) -> None:
    """The one of opset 9 is converted first, and kept in a file of its own."""
    monkeypatch.setattr("b2nn_tvm.verification.oracle.LARGEST_IN_MEMORY", LARGE)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["sums"]),
        helper.make_node("Greater", ["sums", "zero"], ["above"]),
        helper.make_node("Cast", ["above"], ["y"], to=TensorProto.FLOAT),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, INPUTS])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])
    tensors = [numpy_helper.from_array(weights(0), "w"), numpy_helper.from_array(np.float32(0), "zero")]
    graph = helper.make_graph(nodes, "signs", [x], [y], tensors)
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4), path)
    oracle = Oracle(path)
    (decision,) = oracle.forced.decisions
    values = {"x": np.ones((2, INPUTS), np.float32)}
    free = oracle.forced.run(values, {}, {}).outputs["y"]
    np.testing.assert_array_equal(free, oracle.run(values)["y"])
    turned = oracle.forced.run(values, {decision.result: {0: not free.flat[0]}}, {decision.result: (2, 3)})
    assert turned.outputs["y"].flat[0] == 1 - free.flat[0]
    assert oracle.closest_tie(values) > 0
