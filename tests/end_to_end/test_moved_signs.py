"""Binary layers read signs through operators that only move them, and tensors of any two values."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from tests.support.networks.onnx_models import model, onnxruntime_output, save
from tests.support.passes.relax_functions import random_signs

# Each makes ``moved`` of ``s``, signs [1, 16, 6, 6], or of ``x``, the floats before them.
MOVES = {
    "concat": "n = Neg (s) moved = Concat <axis = 1> (s, n)",
    "split": "a, b = Split <axis = 1, num_outputs = 2> (s) moved = Concat <axis = 1> (b, a)",
    "crop": "moved = Slice (s, begin, end, axes)",
    "gather": "moved = Gather <axis = 1> (s, order)",
    "shuffle": "g = Reshape (s, groups) h = Transpose <perm = [0, 2, 1, 3, 4]> (g) moved = Reshape (h, whole)",
    "edge": 'moved = Pad <mode = "edge"> (s, widths)',
    "reflect": 'moved = Pad <mode = "reflect"> (s, widths)',
    "nearest": 'moved = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric",'
    ' nearest_mode = "floor"> (s, , scales)',
    "expand": "p = GlobalMaxPool (s) moved = Expand (p, whole)",
    "space to depth": "moved = SpaceToDepth <blocksize = 2> (s)",
    "max pooling": "moved = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (s)",
    "zero and one": "g = Greater (x, t) moved = Cast <to = 1> (g)",
    "two values": "g = Greater (x, t) moved = Where (g, high, low)",
    "flipped channels": "moved = Mul (s, flips)",
    "bools": "g = Greater (x, t) h = Concat <axis = 1> (g, g) moved = Where (h, one, minus)",
    "x / |x|": "a = Abs (x) moved = Div (x, a)",
}
FAST = ("edge", "two values")
CONSTANTS = {
    "one": np.float32(1),
    "minus": np.float32(-1),
    "high": np.float32(1.75),
    "low": np.float32(0.5),
    "t": np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 16, 1, 1),
    "flips": np.where(np.arange(16) % 3, 0.5, -0.5).astype(np.float32).reshape(1, 16, 1, 1),
    "begin": np.array([1, 1]),
    "end": np.array([5, 6]),
    "axes": np.array([2, 3]),
    "order": np.arange(16)[::-1].copy(),
    "groups": np.array([1, 4, 4, 6, 6]),
    "whole": np.array([1, 16, 6, 6]),
    "widths": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "scales": np.array([1, 1, 2, 2], np.float32),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in FAST else pytest.mark.sweep) for n in MOVES])
def test_a_convolution_of_moved_signs_is_binary(tmp_path, name):
    channels = {"concat": 32, "bools": 32, "space to depth": 64}.get(name, 16)
    nodes = (
        f"q = GreaterOrEqual (x, t) s = Where (q, one, minus) {MOVES[name]}"
        " output = Conv <pads = [1, 1, 1, 1]> (moved, weight)"
    )
    built = model(nodes, CONSTANTS | {"weight": random_signs((8, channels, 3, 3))}, inputs="float[1,16,6,6] x")
    path = save(tmp_path, built)
    x = np.random.default_rng(0).standard_normal((1, 16, 6, 6)).astype(np.float32)
    with compile_model(path, output=tmp_path / "library") as artifact:
        (found,) = artifact.run({"x": x}).values()
        assert "binary" in [row.precision for row in artifact.layers]
    np.testing.assert_allclose(found, onnxruntime_output(path, x), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("kind", ["bool", pytest.param("dense", marks=pytest.mark.sweep)])
def test_the_networks_own_input_may_be_bits(tmp_path, kind):
    if kind == "bool":
        nodes = "f = Cast <to = 1> (x) d = Mul (f, two) s = Sub (d, one) output = Conv (s, weight)"
        weight, shape = random_signs((8, 16, 3, 3)), (1, 16, 6, 6)
    else:
        nodes, weight, shape = "s = Where (x, one, minus) output = MatMul (s, weight)", random_signs((64, 8)), (5, 64)
    constants = {"two": np.float32(2), "one": np.float32(1), "minus": np.float32(-1), "weight": weight}
    outputs = "float[N,C,H,W] output" if kind == "bool" else "float[N,C] output"
    built = model(nodes, constants, inputs=f"bool[{','.join(map(str, shape))}] x", outputs=outputs)
    path = save(tmp_path, built)
    x = np.random.default_rng(0).random(shape) < 0.5
    with compile_model(path, output=tmp_path / "library") as artifact:
        (found,) = artifact.run({"x": x}).values()
        assert [row.precision for row in artifact.layers].count("binary") == 1
    np.testing.assert_array_equal(found, onnxruntime_output(path, x))
