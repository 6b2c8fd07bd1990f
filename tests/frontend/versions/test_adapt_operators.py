"""Operators with another meaning in old opsets: the file computes what onnxruntime computes from it as it was."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.frontend.versions.convert_opset import convert_opset
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import assert_same, image, run

CHANNELS = np.array([1, -2, 3, 0.5], np.float32)

# (nodes, the first and the last opset in which they have this form)
FORMS = (
    ("output = Softmax (input)", 7, 12),
    ("output = Softmax <axis = 3> (input)", 7, 12),
    ("output = LogSoftmax <axis = 2> (input)", 7, 12),
    ("f = Flatten (input) output = Softmax (f)", 7, 12),
    ("output = Hardmax <axis = 2> (input)", 7, 12),
    ('output = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 3.0]> (input)', 7, 8),
    ('output = Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 2.0]> (input)', 7, 8),
    ("output = PRelu (input, slope)", 7, 17),
    ("n = BatchNormalization <epsilon = 0.01> (input, c, c, c, p) output = Relu (n)", 7, 17),
)


@pytest.mark.parametrize(
    ("nodes", "opset"),
    [
        (nodes, opset)
        for nodes, first, last in FORMS
        for opset in (7, 8, 9, 10, 11, 12, 13, 17)
        if first <= opset <= last
    ],
)
def test_operators_of_old_opsets(nodes, opset):
    constants = {"slope": CHANNELS.reshape(4, 1, 1), "c": CHANNELS, "p": np.abs(CHANNELS)}
    used = {name: value for name, value in constants.items() if f"{name}," in nodes or f"{name})" in nodes}
    before = model(nodes, used, opset=opset, outputs="float output")
    assert_same(before, convert_opset, image())


@pytest.mark.parametrize(
    ("nodes", "opset"),
    [
        ('output = Upsample <mode = "nearest"> (input, scales)', 9),
        ('output = Upsample <mode = "linear"> (input, scales)', 9),
        ('output = Resize <mode = "nearest"> (input, scales)', 10),
        ('output = Resize <mode = "linear"> (input, scales)', 10),
    ],
)
@pytest.mark.parametrize("scales", [(1, 1, 2, 3), (1, 1, 1.5, 2.5)])
def test_pixels_stay_where_old_resizes_put_them(nodes, opset, scales):
    before = model(nodes, {"scales": np.array(scales, np.float32)}, opset=opset, outputs="float output")
    assert_same(before, convert_opset, image())


@pytest.mark.parametrize(
    ("nodes", "b"),
    [
        ("output = Add <axis = 1, broadcast = 1> (input, b)", CHANNELS),
        ("output = Mul <broadcast = 1> (input, b)", image((6, 5))),
        ("output = Sub <axis = 0, broadcast = 1> (input, b)", image((1, 4))),
        ("output = Div <axis = 2, broadcast = 1> (input, b)", image((6,))),
        ("output = PRelu (input, b)", CHANNELS),
    ],
)
def test_broadcast_along_an_axis(nodes, b):
    """onnxruntime no longer runs these opsets, so numpy says what they compute."""
    built = model(nodes, {"b": b}, opset=6, outputs="float output")
    x = image()
    places = {"PRelu": 1, "Add": 1, "Sub": 0, "Div": 2, "Mul": 2}
    word = nodes.split()[2]
    shape = [1] * places[word] + list(b.shape)
    full = b.reshape(shape + [1] * (4 - len(shape)))
    compute = {"Add": np.add, "Mul": np.multiply, "Sub": np.subtract, "Div": np.divide}
    expected = np.where(x >= 0, x, x * full) if word == "PRelu" else compute[word](x, full)
    convert_opset(built)
    np.testing.assert_allclose(run(built, x)[0], expected, rtol=1e-6)


def test_statistics_for_each_pixel():
    """onnxruntime no longer computes it, so numpy says what it is."""
    scale, shift, mean, variance = (image((4, 6, 5), seed) for seed in range(1, 5))
    constants = {"s": scale, "b": shift, "m": mean, "v": np.abs(variance)}
    built = model("output = BatchNormalization <spatial = 0, epsilon = 0.5> (input, s, b, m, v)", constants, opset=8)
    convert_opset(built)
    expected = (image() - mean) / np.sqrt(np.abs(variance) + 0.5) * scale + shift
    np.testing.assert_allclose(run(built, image())[0], expected, rtol=1e-5, atol=1e-6)


def test_tiles_and_sizes_that_were_inputs_of_opset_1():
    constants = {"tiles": np.float32([3]), "axis": np.float32([1]), "sizes": np.float32([4, 8])}
    nodes = "t = Tile (input, tiles, axis) output, rest = Split <axis = 1> (t, sizes)"
    built = model(nodes, constants, opset=1, outputs="float output, float rest")
    convert_opset(built)
    expected = np.concatenate([image()] * 3, axis=1)
    for got, part in zip(run(built, image()), (expected[:, :4], expected[:, 4:]), strict=True):
        np.testing.assert_array_equal(got, part)


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        (
            "output, m, v, a, b = BatchNormalization (input, c, c, c, c)",
            r"batch norm in training mode; .*model.eval\(\)",
        ),
        ('output = Upsample <mode = "nearest"> (input)', "it has no scales"),
    ],
)
def test_forms_without_a_later_one_are_refused(nodes, text):
    built = model(nodes, {"c": CHANNELS}, opset=8)
    with pytest.raises(B2nnError, match=f"(?s)node .* of opset 8: {text}"):
        convert_opset(built)
