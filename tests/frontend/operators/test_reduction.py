import numpy as np
import onnx
import pytest
from onnx import helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import assert_agree, compiled, operators_model
from tests.support.passes.relax_functions import random_input

X = np.random.default_rng(0).integers(0, 2, (3, 2, 4)).astype(bool)


def test_any_and_all(tmp_path):
    nodes = {
        "any": ("ReduceMax", ["x", "axes"], {"keepdims": 0}),
        "all": ("ReduceMin", ["x", "axes"], {}),
        "of_all": ("ReduceMax", ["x"], {"keepdims": 0}),
        "of_none": ("ReduceMin", ["x"], {"noop_with_empty_axes": 1}),
    }
    found = compiled(tmp_path, operators_model(nodes, {"x": X}, {"axes": np.array([-1, 0])}, opset=20), {"x": X})
    np.testing.assert_array_equal(found["any"], X.any((0, 2)))
    np.testing.assert_array_equal(found["all"], X.all((0, 2), keepdims=True))
    assert found["of_all"].dtype == bool and found["of_all"] == X.any()
    np.testing.assert_array_equal(found["of_none"], X)


def test_axes_that_are_computed_are_refused(tmp_path):
    inputs = {"x": X, "axes": np.array([1])}
    with pytest.raises(UnsupportedError, match="its axes are no constants"):
        import_onnx(save(tmp_path, operators_model({"y": ("ReduceMax", ["x", "axes"], {})}, inputs, opset=20)))


@pytest.mark.parametrize("axis", [1, -2])
def test_cumulative_sums(tmp_path, axis):
    nodes = {
        f"y{name}_{exclusive}{reverse}": ("CumSum", [name, "axis"], {"exclusive": exclusive, "reverse": reverse})
        for name in ("x", "n")
        for exclusive in (0, 1)
        for reverse in (0, 1)
    }
    inputs = {"x": random_input((2, 7, 1)), "n": np.arange(14).reshape(1, 2, 7)}
    assert_agree(tmp_path, operators_model(nodes, inputs, {"axis": np.array(axis)}), inputs)


def test_cumulative_products(tmp_path):
    nodes = {
        f"y{exclusive}{reverse}": ("CumProd", ["x", "axis"], {"exclusive": exclusive, "reverse": reverse})
        for exclusive in (0, 1)
        for reverse in (0, 1)
    }
    x = random_input((2, 7, 1))
    products = np.cumprod(x, 1)
    found = compiled(tmp_path, operators_model(nodes, {"x": x}, {"axis": np.array(1)}, opset=26), {"x": x})
    np.testing.assert_allclose(found["y00"], products, rtol=1e-5)
    np.testing.assert_allclose(found["y01"], np.cumprod(x[:, ::-1], 1)[:, ::-1], rtol=1e-5)
    np.testing.assert_allclose(found["y10"], np.insert(products[:, :-1], 0, 1, 1), rtol=1e-5)
    np.testing.assert_allclose(found["y11"][:, :-1], found["y01"][:, 1:], rtol=1e-5)
    assert (found["y11"][:, -1] == 1).all()


def test_an_axis_that_is_computed_is_refused(tmp_path):
    inputs = {"x": random_input((2, 3)), "axis": np.array([1])}
    with pytest.raises(UnsupportedError, match="its axis is no constant"):
        import_onnx(save(tmp_path, operators_model({"y": ("CumSum", ["x", "axis"], {})}, inputs)))


def test_the_largest_and_the_smallest(tmp_path):
    x = random_input((2, 7, 3))  # with many equal elements
    nodes = [
        helper.make_node("TopK", ["x", "k"], [f"v{axis}{largest}", f"i{axis}{largest}"], axis=axis, largest=largest)
        for axis in (1, 2)
        for largest in (0, 1)
    ]
    model = operators_model({"y": ("Relu", ["x"], {})}, {"x": x}, {"k": np.array([2])}, before=nodes)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for node in nodes for name in node.output)
    assert_agree(tmp_path, onnx.shape_inference.infer_shapes(model), {"x": x})


@pytest.mark.parametrize(("shape", "constants"), [((2, 3), {}), ((1, 8400), {"k": np.array([1])})])
def test_a_number_that_is_computed_and_too_many_pairs_are_refused(tmp_path, shape, constants):
    inputs = {"x": np.zeros(shape, np.float32)} | ({} if constants else {"k": np.array([1])})
    model = operators_model({}, inputs, constants, before=[helper.make_node("TopK", ["x", "k"], ["y", "i"])])
    model.graph.output.append(onnx.ValueInfoProto(name="y"))
    with pytest.raises(UnsupportedError, match="no library has kernels for them"):
        import_onnx(save(tmp_path, onnx.shape_inference.infer_shapes(model)))
