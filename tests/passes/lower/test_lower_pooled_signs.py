"""Max-pooled signs become an OR of packed words, with the bits of turned channels flipped."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax
from tvm.relax import op

from b2nn_tvm import reference
from b2nn_tvm.ops.bit_layout import pack_channels, words_of
from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.ops.pool_bits import pool_bits
from b2nn_tvm.ops.pooling import Pooling
from b2nn_tvm.passes.framework.rewriter import rewrite_calls
from b2nn_tvm.passes.lower.lower_pooled_signs import lower_pooled_signs, pooling_of
from b2nn_tvm.passes.patterns.sign_patterns import match_pooled_signs
from b2nn_tvm.relax_query import calls, op_name, shape
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

POOLING = Pooling((3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 3, 3)
BORDER = (1, 0, 2, 1)


def pool(x):
    return op.nn.max_pool2d(x, (3, 3), (2, 2), (1, 1), layout="NHWC")


def turned(channels):
    return np.where(np.arange(channels) % 3 == 1, -1, 1).astype(np.float32)


def pooled_signs(x):
    return op.multiply(pool(op.sign(x)), const(turned(shape(x)[3]).reshape(1, 1, 1, -1)))


def lowering(word, border, pad_value, outermost="relax.multiply"):
    """Packs the signs and lowers their pooling, where ``outermost`` is its last operator."""

    def rule(call, context):
        found = match_pooled_signs(call, context.definition) if op_name(call) == outermost else None
        if found is None:
            return None
        x = found.sign.args[0]
        channels = shape(x)[3]
        kernel = pack_signs(shape(x), (0, 0, 0, 0), word=word, pad_value=0)
        out = relax.TensorType((*shape(x)[:3], words_of(channels, word=word)), word)
        words = context.emit(context.call_kernel(kernel, x, const(np.zeros(channels)), name="pack_signs", out=out))
        return lower_pooled_signs(found, words, context, border=border, pad_value=pad_value)

    return lambda mod: rewrite_calls(mod, rule)


def test_the_pooling_becomes_one_of_words():
    """The bits of the flips are 1 where the pooled sign is turned: channel 1 of 4."""

    def expected(x):
        builder = relax.BlockBuilder.current()
        pack = builder.add_func(pack_signs((1, 6, 5, 4), (0, 0, 0, 0), word="uint8", pad_value=0), "pack_signs")
        packed = relax.TensorType((1, 6, 5, 1), "uint8")
        words = builder.emit(relax.call_tir(pack, [x, const(np.zeros(4))], out_ty=packed))
        kernel = pool_bits((1, 6, 5, 1), POOLING, BORDER, channels=4, word="uint8", pad_value=1)
        out = relax.TensorType((1, 6, 4, 1), "uint8")
        flips = relax.const(np.array([0b0010], np.uint8))
        return relax.call_tir(builder.add_func(kernel, "pool_bits"), [words, flips], out_ty=out)

    assert_becomes(lowering("uint8", BORDER, 1), pooled_signs, expected, (1, 6, 5, 4))


def test_without_a_map_behind_it_no_bit_is_flipped():
    lower = lowering("uint32", (0, 0, 0, 0), 0, outermost="relax.nn.max_pool2d")
    after = lower(module(lambda x: pool(op.sign(x)), (1, 6, 5, 33)))
    _, (_, call) = calls(after["main"])
    assert call.args[0].name_hint == "pool_bits" and shape(call) == (1, 3, 3, 2)
    np.testing.assert_array_equal(call.args[1].fields[1].value.numpy(), np.zeros(2, np.uint32))


def test_what_is_no_pooling_of_signs_stays():
    assert_stays(lowering("uint8", BORDER, 0), lambda x: op.multiply(pool(x), const(-1)), (1, 6, 5, 4))


@pytest.mark.parametrize("word", ["uint8", "uint32"])
@pytest.mark.parametrize("channels", [3, 33])
def test_the_words_are_those_of_the_pooled_signs_in_a_border_of_ones(channels, word):
    x = random_input((1, 6, 5, channels), 1) - np.float32(1)  # +1 is rare, so that windows of both kinds are common
    words = run(lowering(word, BORDER, 1)(module(pooled_signs, x.shape)), x)
    padded = np.pad(reference.sign(x), ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-1)
    windows = [padded[:, i : i + 5 : 2, j : j + 5 : 2] for i in range(3) for j in range(3)]
    pooled = np.max(windows, axis=0)[:, :3, :3] * turned(channels).astype(np.int8)
    top, left, bottom, right = BORDER
    expected = np.pad(pooled, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=1)
    assert {-1, 1} == set(np.unique(pooled))
    np.testing.assert_array_equal(words, pack_channels(expected.astype(np.int8), word=word))


def test_the_geometry_of_a_pooling():
    mod = module(lambda x: op.nn.max_pool2d(x, (2, 3), (1, 2), (1, 0, 2, 1), (2, 1), layout="NHWC"), (1, 6, 5, 4))
    ((_, call),) = calls(mod["main"])
    assert pooling_of(call) == Pooling((2, 3), (1, 2), (1, 0, 2, 1), (2, 1), 7, 2)
