from __future__ import annotations

import itertools

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.kernel_attrs import Role, role_of
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.lower.lower_bitserial import LowerBitserial
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from b2nn_tvm.reference.bitserial import bitserial_conv2d, bitserial_dense
from b2nn_tvm.relax_query import calls, constant, dtype, op_name
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_stays, const, module, random_input, run

BYTES = VectorLayout(float_lanes=8, word="uint8", max_binary_lanes=32)
SHAPE = (1, 6, 5, 17)  # NHWC
STEP = np.float32(0.5)


def quantized(x, bits=2):
    return op.multiply(op.clip(op.round(op.divide(x, const(STEP))), 0, 2**bits - 1), const(STEP))


def codes(x, bits=2):
    return np.clip(np.rint(x / STEP), 0, 2**bits - 1).astype(int)


def conv(x, weight, **kwargs):
    return op.nn.conv2d(x, const(weight.transpose(2, 3, 1, 0)), data_layout="NHWC", kernel_layout="HWIO", **kwargs)


def whole(bits, shape):
    rng = np.random.default_rng(bits)
    half = 2 ** (bits - 1)
    weight = rng.choice((-1, 1), shape) if bits == 1 else rng.integers(-half, half, shape)
    if bits > 1:
        weight.reshape(shape[0], -1)[:, :2] = (-half, 1)
    return weight


def lower(mod, **given):
    return LowerBitserial(context(layout=BYTES, **given))(mod)


def roles(mod):
    found = [role_of(mod[call.args[0]].attrs) for _, call in calls(mod["main"]) if op_name(call) == "relax.call_tir"]
    return [found.count(role) for role in (Role.PACK_SIGNS, Role.CONVOLUTION, Role.COUNT_BITS)]


# Bits of activations and weights; the packings, convolutions and counts that they are.
BITS = {(2, 1): [1, 2, 0], (3, 2): [1, 6, 1], (1, 2): [1, 2, 1]}


@pytest.mark.parametrize(("bits", "kernels"), BITS.items(), ids=map(str, BITS))
def test_a_convolution_is_the_sum_of_its_planes(bits, kernels):
    """Its input is read where it is not divided yet, and asymmetric padding is code 0."""
    activation_bits, weight_bits = bits
    weight = whole(weight_bits, (5, 17, 3, 2))
    scale = np.array([0.5, 1, 2, -1, 4], np.float32).reshape(-1, 1, 1, 1)
    window = {"padding": (1, 0, 2, 1), "dilation": (1, 2), "stride": (2, 1)}
    attrs = {"padding": window["padding"], "dilation": window["dilation"], "strides": window["stride"]}
    body = lambda x: conv(quantized(x, activation_bits), (weight * scale).astype(np.float32), **attrs)
    after = lower(module(body, SHAPE))
    assert roles(after) == kernels
    x = random_input(SHAPE)
    expected = bitserial_conv2d(
        codes(x, activation_bits).transpose(0, 3, 1, 2),
        weight,
        activation_bits=activation_bits,
        weight_bits=weight_bits,
        **window,
    )
    np.testing.assert_array_equal(run(after, x), (expected * scale[:, :, 0] * STEP).transpose(0, 2, 3, 1))


def test_each_convolution_adds_its_sums_to_those_of_the_one_before():
    """Four pairs of planes: three partial sums in int32, of which each has one reader, and the result."""
    weight = whole(2, (5, 17, 3, 3)).astype(np.float32)
    after = lower(module(lambda x: conv(quantized(x), weight), SHAPE))
    found = [(var, call) for var, call in calls(after["main"]) if op_name(call) == "relax.call_tir"]
    convolutions = [(var, call) for var, call in found if role_of(after[call.args[0]].attrs) is Role.CONVOLUTION]
    assert [dtype(call) for _, call in convolutions] == ["int32", "int32", "int32", "float32"]
    for (before, _), (_, call) in itertools.pairwise(convolutions[:3]):
        assert any(before.same_as(argument) for argument in call.args[1].fields)


def test_a_padding_with_another_code():
    """Zero is code 2 of the levels from -1 to 1/2."""
    weight = whole(2, (5, 17, 3, 3))
    body = lambda x: conv(op.subtract(quantized(x), const(2 * STEP)), weight.astype(np.float32), padding=1)
    x = random_input(SHAPE)
    found = codes(x).transpose(0, 3, 1, 2)
    sums = bitserial_conv2d(
        found, weight, activation_bits=2, weight_bits=2, padding=(1, 1, 1, 1), pad_code=2
    ) - 2 * weight.sum(axis=(1, 2, 3)).reshape(-1, 1, 1)
    np.testing.assert_array_equal(run(lower(module(body, SHAPE)), x), (sums * STEP).transpose(0, 2, 3, 1))


def test_levels_around_zero_are_padded_with_nothing():
    weight = whole(1, (5, 17, 3, 3))
    body = lambda x: conv(op.subtract(quantized(x), const(1.5 * STEP)), weight.astype(np.float32), padding=1)
    x = random_input(SHAPE)
    padded = np.pad(codes(x) * 2.0 - 3, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = np.einsum("nhwcij,ocij->nhwo", windows, weight) * STEP / 2
    np.testing.assert_array_equal(run(lower(module(body, SHAPE)), x), expected)


def test_groups_and_pixels_that_are_skipped():
    weight = whole(2, (6, 16, 1, 1))
    shape = (1, 6, 5, 32)
    body = lambda x: conv(quantized(x), weight.astype(np.float32), strides=2, groups=2)
    x = random_input(shape)
    expected = bitserial_conv2d(
        codes(x).transpose(0, 3, 1, 2), weight, activation_bits=2, weight_bits=2, stride=(2, 2), groups=2
    )
    np.testing.assert_array_equal(run(lower(module(body, shape)), x), (expected * STEP).transpose(0, 2, 3, 1))


@pytest.mark.parametrize("shape", [(3, 40), (2, 3, 40)])
def test_a_dense_layer_is_a_convolution_of_one_row(shape):
    weight = whole(2, (7, 40))
    body = lambda x: op.matmul(quantized(x), const(weight.T.astype(np.float32)))
    x = random_input(shape)
    after = lower(module(body, shape))
    assert roles(after) == [1, 4, 1]
    expected = bitserial_dense(codes(x).reshape(-1, 40), weight, activation_bits=2, weight_bits=2)
    np.testing.assert_array_equal(run(after, x), (expected * STEP).reshape(*shape[:-1], 7))


def test_the_planes_are_packed_once_for_all_their_readers():
    first, second = whole(1, (5, 17, 1, 1)), whole(1, (6, 17, 1, 1))

    def body(x):
        q = quantized(x)
        return op.concat([conv(q, weight.astype(np.float32)) for weight in (first, second)], axis=3)

    assert roles(lower(module(body, SHAPE))) == [1, 4, 0]


def test_the_index_of_kernels_learns_name_and_precision():
    weight = whole(2, (5, 17, 3, 3)).astype(np.float32)
    own = context(layout=BYTES, layers=[NamedLayer("body.conv", "conv2d", weight_digest(weight))])
    after = LowerBitserial(own)(module(lambda x: conv(quantized(x), weight), SHAPE))
    kernels = [call for _, call in calls(after["main"]) if op_name(call) == "relax.call_tir"]
    constants = [[value for arg in call.args[1] if (value := constant(arg)) is not None] for call in kernels]
    found = [layer for values in constants if (layer := own.kernels.find(values))]
    assert {(layer.name, layer.precision) for layer in found} == {("body.conv", "w2a2")}
    assert len(found) == 4
    (entry,) = own.log.in_order(["body.conv"])
    assert (entry.layer, entry.applied) == ("body.conv", True)
    assert entry.reason == "is w2a2: its input has 4 levels; popcounts of 2 x 2 planes"


OTHERS = {
    "binary": lambda x: conv(op.sign(x), whole(1, (5, 17, 3, 3)).astype(np.float32)),
    "float weights": lambda x: conv(quantized(x), random_input((5, 17, 3, 3)) + np.float32(0.123)),
    "float activations": lambda x: conv(x, whole(1, (5, 17, 3, 3)).astype(np.float32)),
}


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_other_layers_stay(body):
    assert_stays(lower, body, SHAPE)
