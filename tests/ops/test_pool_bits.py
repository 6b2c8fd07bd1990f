"""Max pooling of packed signs is the sign of max pooling, for windows that overlap, leave gaps and hang over every
border.
"""

import numpy as np
import pytest

from b2nn_tvm import reference
from b2nn_tvm.kernel_attrs import BORDERED
from b2nn_tvm.ops.bit_layout import pack_channels
from b2nn_tvm.ops.pool_bits import pool_bits
from b2nn_tvm.ops.pooling import Pooling
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.targets.target import get
from tests.support.ops.poolings import HEIGHT, POOLINGS, WIDTH
from tests.support.ops.scheduled import build, compile_function

CHANNELS = (1, 3, 31, 32, 33, 64, 65, 128)
CASES = [
    (name, channels, word)
    for i, name in enumerate(POOLINGS)
    for j, channels in enumerate(CHANNELS)
    for k, word in enumerate(("uint8", "uint32"))
    if (i + j + k) % 2 == 0
]


def max_pool(x: np.ndarray, pooling: Pooling) -> np.ndarray:
    """The definition, [N, H, W, C]: the maximum over the taps inside the image, -1 where there is none."""
    (sh, sw), (dh, dw), (kh, kw) = pooling.stride, pooling.dilation, pooling.kernel
    out = np.full((x.shape[0], pooling.out_height, pooling.out_width, x.shape[3]), -1, x.dtype)
    for h, w, a, b in np.ndindex(pooling.out_height, pooling.out_width, kh, kw):
        r, q = h * sh + a * dh - pooling.padding[0], w * sw + b * dw - pooling.padding[1]
        if 0 <= r < x.shape[1] and 0 <= q < x.shape[2]:
            out[:, h, w] = np.maximum(out[:, h, w], x[:, r, q])
    return out


def signs_of(shape, seed=0):
    """Signs of which few are +1, so that windows of both kinds are common."""
    return np.where(np.random.default_rng(seed).random(shape) < 0.15, 1, -1).astype(np.int8)


def assert_pools(name, channels, word, target, compiled=compile_function):
    """Also with channels that are turned, and with no border or one of ones."""
    pooling = POOLINGS[name]
    x = signs_of((2, HEIGHT, WIDTH, channels), channels)
    turned = signs_of(channels, 1)
    pad_value, border = ((1, (1, 0, 2, 1)), (0, (0, 0, 0, 0)))[channels % 2]
    packed = pack_channels(x, word=word)
    function = pool_bits(packed.shape, pooling, border, channels=channels, word=word, pad_value=pad_value)
    got = compiled(function, target)(packed, pack_channels(turned, word=word))
    top, left, bottom, right = border
    width = ((0, 0), (top, bottom), (left, right), (0, 0))
    expected = np.pad(max_pool(x, pooling) * -turned, width, constant_values=1)
    np.testing.assert_array_equal(got, pack_channels(expected, word=word))


@pytest.mark.parametrize(("name", "channels", "word"), CASES)
def test_is_the_maximum_of_the_signs(name, channels, word):
    assert_pools(name, channels, word, get("native"))


@pytest.mark.parametrize("channels", [3, 64])
@pytest.mark.parametrize("name", POOLINGS)
def test_the_definition_itself_is_the_maximum_of_the_signs(name, channels):
    """Before the written loops take its place."""
    assert_pools(name, channels, ("uint8", "uint32")[channels == 64], get("native"), compiled=build)


def test_on_every_instruction_set(target):
    assert_pools("3x3, stride 2", 64, vector_unit_named(target.vector).layout.word, target)


@pytest.mark.parametrize("pad_value", [0, -1])
def test_a_border_of_zero_bits_is_left_to_the_memory(pad_value):
    pooling, border = POOLINGS["3x3, stride 2"], (1, 2, 1, 0)
    x = signs_of((1, HEIGHT, WIDTH, 64))
    packed = pack_channels(x, word="uint32")
    function = pool_bits(packed.shape, pooling, border, channels=64, word="uint32", pad_value=pad_value)
    assert BORDERED in function.attrs
    got = compile_function(function, get("native"))(packed, np.zeros(2, np.uint32))
    np.testing.assert_array_equal(got[:, 1:5, 2:6], pack_channels(max_pool(x, pooling), word="uint32"))


def test_the_definition_pads_below_every_sign():
    """A window of padding alone has the bit 0, as the sign of minus infinity."""
    x = signs_of((1, 2, 2, 3))
    pooling = Pooling((1, 1), (3, 3), (0, 0, 3, 3), (1, 1), 2, 2)
    assert (max_pool(x, pooling)[:, 1, 1] == reference.sign(np.float32(-np.inf))).all()
