"""Codes of a few bits are moved as bytes, and the layers behind compute what they did."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from tvm import relax
from tvm.relax import op

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.lower.lower_bitserial import LowerBitserial
from b2nn_tvm.relax_query import calls, dtype, op_name
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import const, module, random_input, run

BYTES = VectorLayout(float_lanes=8, word="uint8", max_binary_lanes=32)
SHAPE = (1, 6, 4, 16)  # NHWC
STEP = np.float32(0.5)
GAIN = np.array([0.25, 0.5, 1, 2] * 4, np.float32)


def quantized(x, most=3):
    return op.multiply(op.clip(op.round(op.divide(x, const(STEP))), 0, most), const(STEP))


def conv(x, outputs=3, **kwargs):
    channels = int(x.ty.shape[3])
    weight = np.random.default_rng(channels).choice((-1, 1), (3, 3, channels, outputs))
    return op.nn.conv2d(x, const(weight), data_layout="NHWC", kernel_layout="HWIO", padding=1, **kwargs)


def dense(x, inputs, outputs=3):
    return op.matmul(x, const(np.random.default_rng(inputs).choice((-1, 1), (inputs, outputs))))


def pooled(x, **kwargs):
    return op.nn.max_pool2d(x, **{"pool_size": 2, "strides": 2, "layout": "NHWC", **kwargs})


def bound(builder):
    """A body of which each call is bound to a variable, so that its type is known to the next one."""
    return lambda *inputs: builder(relax.BlockBuilder.current().emit, *inputs)


def shuffled(emit, x):
    apart = emit(op.permute_dims(emit(op.reshape(x, (1, 6, 4, 4, 4))), (0, 1, 2, 4, 3)))
    return emit(op.reshape(apart, SHAPE))


def halves(emit, x):
    parts = emit(op.split(x, 2, axis=3))
    return emit(parts[1]), emit(parts[0])


# What moves the values between a quantizer and its layers.
MOVES = {
    "pooling": lambda emit, x: conv(emit(pooled(emit(quantized(x))))),
    "overlapping pooling": lambda emit, x: conv(emit(pooled(emit(quantized(x)), pool_size=3, padding=1))),
    "concatenation": lambda emit, x: conv(
        emit(op.concat([emit(quantized(x)), emit(quantized(emit(op.negative(x)), most=1))], axis=3))
    ),
    "channel shuffle": lambda emit, x: conv(shuffled(emit, emit(quantized(x)))),
    "split": lambda emit, x: conv(emit(op.concat(list(halves(emit, emit(quantized(x)))), axis=3))),
    "slice": lambda emit, x: conv(emit(op.strided_slice(emit(quantized(x)), [3], [5], [12]))),
    "padded pooling": lambda emit, x: conv(
        emit(pooled(emit(op.nn.pad(emit(quantized(x)), [0, 0, 1, 1, 0, 2, 0, 0], pad_value=float(STEP)))))
    ),
    "flattened": lambda emit, x: dense(emit(op.reshape(emit(quantized(x)), (1, 384))), 384),
    "channels first": lambda emit, x: dense(
        emit(op.reshape(emit(op.permute_dims(emit(quantized(x)), (0, 3, 1, 2))), (1, 384))), 384
    ),
    "behind a pooling": lambda emit, x: conv(emit(quantized(emit(pooled(emit(op.multiply(x, const(2)))))))),
    "batch norm behind a pooling": lambda emit, x: conv(
        emit(quantized(emit(op.multiply(emit(pooled(emit(op.multiply(x, const(2))))), const(GAIN)))))
    ),
}


def lower(mod):
    return LowerBitserial(context(layout=BYTES))(mod)


def moved_types(mod):
    """The types of the results of operators that move values."""
    moves = {"relax.concat", "relax.nn.max_pool2d", "relax.permute_dims", "relax.strided_slice", "relax.nn.pad"}
    return Counter(dtype(call) for _, call in calls(mod["main"]) if op_name(call) in moves)


def kernels(mod):
    names = [call.args[0].name_hint for _, call in calls(mod["main"]) if op_name(call) == "relax.call_tir"]
    return Counter(name.rstrip("0123456789").rstrip("_") for name in names)


@pytest.mark.parametrize("body", MOVES.values(), ids=MOVES)
def test_bytes_are_moved(body):
    after = lower(module(bound(body), SHAPE))
    assert set(moved_types(after)) <= {"uint8"}
    assert kernels(after)["quantize"] in (1, 2)


@pytest.mark.sweep
@pytest.mark.parametrize("body", MOVES.values(), ids=MOVES)
def test_the_results_stay(body):
    before = module(bound(body), SHAPE)
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(lower(before), x), run(before, x))


def test_what_has_another_reader_stays_float():
    """The values are a result of the network, too."""

    def body(emit, x):
        values = emit(pooled(emit(quantized(x))))
        return relax.Tuple([emit(conv(values)), values])

    assert moved_types(lower(module(bound(body), SHAPE))) == {"float32": 1}


def test_bytes_are_made_once_for_all_readers():
    """One layer reads them as they are, two read them pooled, one of these behind one more pooling."""

    def body(emit, x):
        values = emit(quantized(x))
        small = emit(pooled(values))
        rows = [conv(values), conv(small), conv(small, outputs=4), conv(emit(pooled(small, strides=1)))]
        return relax.Tuple([emit(row) for row in rows])

    after = lower(module(bound(body), SHAPE))
    assert kernels(after) == {"quantize": 1, "pack_signs": 3, "bconv2d": 8}


def test_a_layer_that_reads_its_quantizer_compares_floats():
    after = lower(module(bound(lambda emit, x: conv(emit(quantized(x)))), SHAPE))
    assert kernels(after) == {"pack_signs": 1, "bconv2d": 2}
