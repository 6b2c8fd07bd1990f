"""The generic schedule: functions without a convolution compute what they did, in vectors where the channels allow."""

import numpy as np
import pytest
import tvm
from tvm import te, topi

from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from tests.support.ops.scheduled import build

CHANNELS = (1, 3, 31, 32, 33, 65)


def elementwise(x):
    """A chain: all but the last block are inlined."""
    return topi.nn.relu(topi.add(topi.multiply(x, tvm.tirx.const(2.0, "float32")), tvm.tirx.const(-1.0, "float32")))


def read_twice(x):
    """The sum of the channels is read by all of them: a reduction that is not inlined."""
    return topi.divide(x, topi.add(topi.sum(topi.abs(x), axis=3, keepdims=True), tvm.tirx.const(1.0, "float32")))


COMPUTATIONS = {
    "elementwise": (elementwise, lambda x: np.maximum(2 * x - 1, 0)),
    "normalized": (read_twice, lambda x: x / (np.abs(x).sum(axis=3, keepdims=True) + 1)),
    "mean of the image": (
        lambda x: topi.nn.global_pool(x, "avg", layout="NHWC"),
        lambda x: x.mean(axis=(1, 2), keepdims=True),
    ),
    "max of 2x2": (
        lambda x: topi.nn.pool2d(x, (2, 2), (2, 2), (1, 1), (0, 0, 0, 0), "max", layout="NHWC"),
        lambda x: x[:, :6, :4].reshape(3, 3, 2, 2, 2, -1).max(axis=(2, 4)),
    ),
    "transpose": (lambda x: topi.transpose(x, [0, 3, 1, 2]), lambda x: x.transpose(0, 3, 1, 2)),
    "pad": (
        lambda x: topi.nn.pad(x, [0, 1, 0, 0], [0, 0, 2, 0]),
        lambda x: np.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0))),
    ),
    "sum of all": (lambda x: topi.sum(x, axis=(0, 1, 2, 3), keepdims=True), lambda x: x.sum(keepdims=True)),
    "softmax": (
        lambda x: topi.nn.softmax(x, axis=3),
        lambda x: (e := np.exp(x - x.max(axis=3, keepdims=True))) / e.sum(axis=3, keepdims=True),
    ),
}


def scheduled(compute, shape, vector_unit):
    x = te.placeholder(shape, name="x")
    function = te.create_prim_func([x, compute(x)])
    result, description = schedule_function(function, vector_unit=vector_unit, records=Records(vector_unit.name))
    assert description == "generic"
    return result


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("name", COMPUTATIONS)
def test_computes_the_same(name, channels, native):
    compute, expected = COMPUTATIONS[name]
    x = np.random.default_rng(channels).standard_normal((3, 6, 4, channels)).astype(np.float32)
    function = scheduled(compute, x.shape, vector_unit_named(native.vector))
    wide = expected(x.astype(np.float64))
    np.testing.assert_allclose(build(function, native)(x).reshape(wide.shape), wide, rtol=1e-5, atol=1e-5)


def test_a_chain_becomes_one_block():
    text = scheduled(elementwise, (1, 4, 4, 32), vector_unit_named("neon")).script()
    assert text.count("T.sblock(") == 2  # the root and the output


@pytest.mark.parametrize(("channels", "lanes"), [(32, 4), (6, 2), (3, 0)])
def test_channels_are_vectorized_by_the_widest_vector_that_divides_them(channels, lanes):
    text = scheduled(elementwise, (1, 4, 4, channels), vector_unit_named("neon")).script()
    assert text.count("T.vectorized(") == (lanes > 0)
    assert (f"T.vectorized({lanes})" in text) == (lanes > 0)


def test_a_reduction_runs_outside_the_vector():
    """The window of a pooling: vectors of channels are compared whole."""
    text = scheduled(COMPUTATIONS["max of 2x2"][0], (1, 8, 8, 32), vector_unit_named("neon")).script()
    loops = [line.split(" in ")[1] for line in text[: text.index("_update")].splitlines() if " in T." in line]
    assert loops[-2:] == ["T.grid(2, 2):", "T.vectorized(4):"]


@pytest.mark.parametrize(("size", "loops"), [(8, 0), (64, 1)])
def test_only_large_ones_use_threads(size, loops):
    assert scheduled(elementwise, (1, size, size, 32), vector_unit_named("neon")).script().count("T.parallel(") == loops


def quantized_planes(x):
    """Codes of an image in NCHW, channels last, inside a border that other code fills."""
    n, c, h, w = (int(extent) for extent in x.shape)
    codes = te.compute((n, h, w, c), lambda n, h, w, c: (topi.round(x)[n, c, h, w] + 128.0).astype("uint8"))
    return te.compute((n, h, w, c), codes, name="codes")


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_planes_are_read_in_vectors_of_columns(channels, native):
    shape = (2, channels, 5, 32)
    x = (np.random.default_rng(0).standard_normal(shape) * 30).astype(np.float32)
    unit = vector_unit_named(native.vector)
    function = scheduled(quantized_planes, shape, unit)
    lanes = unit.layout.float_lanes
    text = function.script()
    assert f"T.vectorized({lanes})" in text and "T.Shuffle(" in text
    expected = (np.rint(x) + 128).astype(np.uint8).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(build(function, native)(x), expected)


@pytest.mark.parametrize("shape", [(1, 3, 5, 30), (1, 16, 5, 32)])
def test_columns_that_fill_no_vector_and_many_channels_run_as_they_lie(shape):
    text = scheduled(quantized_planes, shape, vector_unit_named("avx512vpopcntdq")).script()
    assert "T.Shuffle(" not in text


def test_bytes_fill_their_registers():
    moved = lambda x: te.compute(x.shape, lambda n, h, w, c: tvm.tirx.max(x[n, h, w, c], x[n, h, 3 - w, c]))
    for channels, width in ((128, 64), (96, 32), (24, 8)):
        x = te.placeholder((1, 4, 4, channels), "uint8", name="x")
        unit = vector_unit_named("avx512vpopcntdq")
        function, _ = schedule_function(
            te.create_prim_func([x, moved(x)]), vector_unit=unit, records=Records(unit.name)
        )
        assert f"T.vectorized({width})" in function.script()


def test_a_repeated_image(native):
    """LLVM 22 makes scatters of such a loop where the CPU has them, and computes wrong values (compare
    https://github.com/llvm/llvm-project/issues/186922): the targets say that it shall not.
    """
    shape, repeats = (2, 3, 4, 5), (1, 6, 4, 2)
    data = np.arange(120, dtype=np.float32).reshape(shape)
    function = scheduled(lambda x: topi.tile(x, repeats), shape, vector_unit_named(native.vector))
    np.testing.assert_array_equal(build(function, native)(data), np.tile(data, repeats))
