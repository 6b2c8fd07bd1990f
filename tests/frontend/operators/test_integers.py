"""Arithmetic of integers for all values: no signal, and numpy's or ONNX's results; and floats divided by zero."""

import numpy as np
import pytest

from tests.support.networks.operators import compiled, operators_model

# Where the divisor is 0 or the quotient too large, ONNX leaves the result open; what is asked is that there is one.
KINDS = (np.int8, np.int32, np.int64, np.uint8)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    nodes, inputs = {}, {}
    for kind in KINDS:
        name = np.dtype(kind).name
        limits = np.iinfo(kind)
        values = np.unique(np.array([limits.min, limits.min + 1, -7, -1, 0, 1, 2, 7, 100, limits.max], object))
        values = np.array([v for v in values if limits.min <= v <= limits.max], kind)
        a, b = (grid.reshape(-1) for grid in np.meshgrid(values, values))
        inputs |= {f"a_{name}": a, f"b_{name}": b}
        pair = [f"a_{name}", f"b_{name}"]
        nodes |= {
            f"div_{name}": ("Div", pair, {}),
            f"mod_{name}": ("Mod", pair, {}),
            f"fmod_{name}": ("Mod", pair, {"fmod": 1}),
            f"by_constant_{name}": ("Div", [f"a_{name}", f"c_{name}"], {}),
            f"left_{name}": ("BitShift", pair, {"direction": "LEFT"}),
            f"right_{name}": ("BitShift", pair, {"direction": "RIGHT"}),
        }
    constants = {f"c_{np.dtype(kind).name}": np.array(3, kind) for kind in KINDS}
    inputs["x"] = np.array([5.5, -5.5, 5.5, -5.5, np.inf, 3, -3], np.float32)
    inputs["y"] = np.array([2, 2, -2, -2, 2, np.inf, np.inf], np.float32)
    inputs["n"] = np.array([0, 1, 2, 3, 2, 1, 0])
    nodes |= {"mod": ("Mod", ["x", "y"], {}), "fmod": ("Mod", ["x", "y"], {"fmod": 1})}
    nodes |= {
        "powers": ("Pow", ["a_int32", "two"], {}),
        "mixed": ("Pow", ["x", "n"], {}),
        "square": ("Pow", ["x", "two"], {}),
        "by_zero": ("Div", ["z", "zero"], {}),
        "by_negative_zero": ("Div", ["z", "negative_zero"], {}),
    }
    inputs["z"] = np.array([2, -3, 0, np.inf, np.nan], np.float32)
    constants |= {"two": np.float32(2), "zero": np.float32(0), "negative_zero": np.array([-0.0], np.float32)}
    model = operators_model(nodes, inputs, constants)
    return inputs, compiled(tmp_path_factory.mktemp("integers"), model, inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_quotients_and_remainders(kind, results):
    inputs, found = results
    name = np.dtype(kind).name
    a, b = inputs[f"a_{name}"].astype(object), inputs[f"b_{name}"].astype(object)
    for place, (x, y) in enumerate(zip(a, b, strict=True)):
        quotient = 0 if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
        wrapped = np.array(quotient).astype(np.int64).astype(kind) if abs(quotient) < 2**63 else np.iinfo(kind).min
        assert found[f"div_{name}"][place] == wrapped
        assert found[f"mod_{name}"][place] == (0 if y == 0 else x % y)
        assert found[f"fmod_{name}"][place] == (0 if y == 0 else abs(x) % abs(y) * (-1 if x < 0 else 1))
        assert found[f"by_constant_{name}"][place] == abs(x) // 3 * (-1 if x < 0 else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_shifts(kind, results):
    inputs, found = results
    name, bits = np.dtype(kind).name, np.dtype(kind).itemsize * 8
    for place, (x, y) in enumerate(zip(inputs[f"a_{name}"].tolist(), inputs[f"b_{name}"].tolist(), strict=True)):
        inside = 0 <= y < bits
        left = np.array([(x << y) % 2**bits if inside else 0], np.uint64).astype(kind)[0]
        assert found[f"left_{name}"][place] == left
        assert found[f"right_{name}"][place] == (x >> y if inside else -1 if x < 0 else 0)


def test_remainders_and_powers_of_floats(results):
    inputs, found = results
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found["mod"], np.mod(inputs["x"], inputs["y"]))
        np.testing.assert_array_equal(found["fmod"], np.fmod(inputs["x"], inputs["y"]))
    np.testing.assert_allclose(found["mixed"], inputs["x"] ** inputs["n"].astype(np.float32))
    np.testing.assert_array_equal(found["square"], inputs["x"] * inputs["x"])
    small = np.abs(inputs["a_int32"].astype(np.int64)) < 2**15
    assert found["powers"].dtype == np.int32
    np.testing.assert_array_equal(found["powers"][small], inputs["a_int32"][small] ** 2)


def test_floats_by_zero(results):
    _, found = results
    np.testing.assert_array_equal(found["by_zero"], [np.inf, -np.inf, np.nan, np.inf, np.nan])
    np.testing.assert_array_equal(found["by_negative_zero"], [-np.inf, np.inf, np.nan, -np.inf, np.nan])
