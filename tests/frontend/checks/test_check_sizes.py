"""Sizes and work that no device can take are refused before anything is allocated."""

from __future__ import annotations

import resource

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_sizes import LARGEST_VALUE, MOST_MACS, check_shapes, check_work
from b2nn_tvm.frontend.fold_constants import fold_constants
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.frontend.static_shapes import input_shapes
from tests.support.networks.onnx_models import model, save


def static(tmp_path, *args, **kwargs):
    loaded = load_model(save(tmp_path, model(*args, **kwargs)))
    return fold_constants(loaded, input_shapes(loaded, None))


def test_the_largest_value():
    check_shapes({"x": (LARGEST_VALUE,), "scalar": (), "empty": (0, 2**62)})
    with pytest.raises(InputError, match=f"'y' has the shape 2x{LARGEST_VALUE}, which is more than {LARGEST_VALUE}"):
        check_shapes({"x": (1,), "y": (2, LARGEST_VALUE)})


@pytest.mark.parametrize(
    ("nodes", "shapes", "macs"),
    [
        ("y = Conv (x, w)", {"x": (1, 4, 9, 9), "w": (8, 4, 3, 3), "y": (1, 8, 7, 7)}, 8 * 49 * 36),
        ("y = Conv <group = 4> (x, w)", {"x": (1, 4, 9, 9), "w": (4, 1, 3, 3), "y": (1, 4, 7, 7)}, 4 * 49 * 9),
        ("y = ConvTranspose (x, w)", {"x": (1, 4, 5, 5), "w": (4, 8, 2, 2), "y": (1, 8, 6, 6)}, 100 * 32),
        ("y = MatMul (x, w)", {"x": (5, 7), "w": (7, 3), "y": (5, 3)}, 105),
        ("y = Gemm <transB = 1> (x, w)", {"x": (5, 7), "w": (3, 7), "y": (5, 3)}, 105),
        ("y = Gemm <transA = 1> (x, w)", {"x": (7, 5), "w": (7, 3), "y": (5, 3)}, 105),
        ("y = Relu (x)", {"x": (5, 7), "y": (5, 7)}, 0),
        ("y = Conv (x, w)", {}, 0),
    ],
)
def test_work(nodes, shapes, macs, monkeypatch):
    node = model(nodes).graph.node
    monkeypatch.setattr("b2nn_tvm.frontend.checks.check_sizes.MOST_MACS", macs)
    check_work(node, shapes)
    monkeypatch.setattr("b2nn_tvm.frontend.checks.check_sizes.MOST_MACS", macs - 1)
    with pytest.raises(InputError, match="multiply-accumulates, more than"):
        check_work(node, shapes)
    assert MOST_MACS == 10**13


@pytest.mark.parametrize(
    ("nodes", "constants", "inputs"),
    [
        ("output = Relu (input)", {}, "float[1,3,2147483648,8] input"),
        ("output = Relu (input)", {}, "float[1,3,4611686018427387904,4611686018427387904] input"),
        ("a = Expand (input, s) output = Relu (a)", {"s": np.array([2**31, 1, 1, 1])}, "float[1,4,6,5] input"),
        ("a = ConstantOfShape (s) output = Add (a, input)", {"s": np.array([2**31, 1, 1, 1])}, "float[1,4,6,5] input"),
        ("a = Tile (w, s) output = Add (a, input)", {"w": np.ones(8), "s": np.array([2**31])}, "double[1,4,6,8] input"),
        (
            "r = Range (zero, n, one) output = Add (r, input)",
            {"zero": np.int64(0), "n": np.int64(2**40), "one": np.int64(1)},
            "int64[1] input",
        ),
        (
            "s = Concat <axis = 0> (n, n) t = Mul (s, s) a = ConstantOfShape (t) b = Mul (a, input) output = Relu (b)",
            {"n": np.array([2**20])},
            "float[1] input",
        ),
        ("output = Pad (input, p)", {"p": np.array([0, 0, 0, 0, 0, 0, 2**40, 0])}, "float[1,4,6,5] input"),
        (
            "a = MatMul (c, r) output = Add (a, input)",
            {"c": np.ones((2**16, 1)), "r": np.ones((1, 2**16))},
            "double[1] input",
        ),
    ],
)
def test_what_would_be_huge_is_not_allocated(nodes, constants, inputs, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="has the shape .*, which is more than 268435456 elements"):
        static(tmp_path, nodes, constants, inputs=inputs, outputs="float[N] output")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 2**10  # KiB


def test_what_constants_are_computed_to_has_a_limit(tmp_path, monkeypatch):
    """Each value is small enough, and all of them together are not."""
    monkeypatch.setattr(f"{fold_constants.__module__}._MOST_FOLDED", 2**20)
    count = 12
    nodes = "".join(f"a{i} = ConstantOfShape (s) " for i in range(count))
    nodes += f"output = Sum (input, {', '.join(f'a{i}' for i in range(count))})"
    with pytest.raises(InputError, match=r"node 'ConstantOfShape_\d+' .* need more than 1 GiB above eight times"):
        static(tmp_path, nodes, {"s": np.array([2**15])}, inputs="float[1] input", outputs="float[N] output")
