"""Layers of a few bits are known by the values of their input and weights; what is in the way is said."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.bitserial_layers import BitserialLayer, Obstacle, match_bitserial
from b2nn_tvm.passes.patterns.possible_values import PossibleValues
from b2nn_tvm.relax_query import calls, definitions
from tests.support.passes.relax_functions import const, module, random_signs

SHAPE = (1, 4, 6, 5)
SIGNS = random_signs((8, 4, 3, 3))
TERNARY = np.random.default_rng(0).integers(-1, 2, (8, 4, 3, 3)).astype(np.float32)
TWO_BITS = np.random.default_rng(0).integers(-2, 2, (8, 4, 3, 3)).astype(np.float32)


def quantized(x, low=0, high=3):
    return op.multiply(op.clip(op.round(x), low, high), const(0.5))


def conv(x, weight=SIGNS, **kwargs):
    return op.nn.conv2d(x, const(weight * np.float32(0.3)), **kwargs)


def pad(x, value, widths=(0, 0, 0, 0, 1, 2, 3, 4)):
    return op.nn.pad(x, list(widths), "constant", value)


def match(body, *shapes):
    mod = module(body, *(shapes or (SHAPE,)))
    look = definitions(mod["main"])
    *_, (_, call) = calls(mod["main"])
    return match_bitserial(call, look, PossibleValues(look, mod))


FOUND = {
    "w1a2": (lambda x: conv(quantized(x), padding=1), (1, 1, 1, 1), 0),
    "w2a2": (lambda x: conv(quantized(x), TWO_BITS, padding=(1, 0, 2, 1)), (1, 0, 2, 1), 0),
    "w1a4": (lambda x: conv(quantized(x, 0, 15)), (0, 0, 0, 0), 0),
    "w2a1": (lambda x: conv(quantized(x, 0, 1), TERNARY), (0, 0, 0, 0), 0),
    "w2a4": (lambda x: conv(pad(quantized(x, -8, 7), 1.5), TWO_BITS), (1, 3, 2, 4), 11),
    "w1a3": (lambda x: conv(op.nn.max_pool2d(quantized(x, 0, 7), (2, 2))), (0, 0, 0, 0), 0),
}


@pytest.mark.parametrize("word", FOUND)
def test_what_is_found(word):
    body, padding, code = FOUND[word]
    found = match(body)
    assert isinstance(found, BitserialLayer)
    assert (found.word, found.padding, found.pad_code) == (word, padding, code)


def test_a_dense_layer():
    weight = const(random_signs((12, 5)) * np.float32(0.2))
    found = match(lambda x: op.matmul(quantized(x), weight), (3, 12))
    assert (found.word, found.padding) == ("w1a2", (0, 0, 0, 0))


def test_zeros_between_two_codes_are_zeros_in_every_plane():
    found = match(lambda x: conv(op.subtract(quantized(x), const(0.75)), padding=1))
    assert (found.word, found.pad_code, found.levels.centre) == ("w1a2", None, 0)


OBSTACLES = {
    "its groups are narrower than 16 channels": lambda x: conv(quantized(x), SIGNS[:, :2], groups=2),
    "padded with 0.3, which is none of its input's levels": lambda x: conv(pad(quantized(x), 0.3)),
    "padded with 0, which is none of": lambda x: conv(op.add(quantized(x), const(0.1)), padding=1),
    "padded twice": lambda x: conv(pad(quantized(x), 0), padding=1),
    "or along the batch or the channels": lambda x: conv(pad(quantized(x), 0, (0, 1, 0, 0, 0, 0, 0, 0))),
}


@pytest.mark.parametrize("reason", OBSTACLES)
def test_what_is_in_the_way(reason):
    found = match(OBSTACLES[reason])
    assert isinstance(found, Obstacle)
    assert found.reason.startswith("its input has 2 bits and its weights 1")
    assert reason in found.reason


def test_more_planes_than_pay():
    weight = np.random.default_rng(0).integers(-4, 4, (8, 4, 3, 3)).astype(np.float32)
    found = match(lambda x: conv(quantized(x, 0, 7), weight))
    assert "3 bits and its weights 3: 9 binary convolutions, one for each pair" in found.reason


def test_sums_that_float32_does_not_hold():
    weight = const(random_signs((2**20, 1)) * np.float32(2))
    found = match(lambda x: op.matmul(quantized(x, 0, 15), weight), (1, 2**20))
    assert found.reason.endswith("a sum of 1048576 products is not exact in float32")


OTHERS = {
    "binary": lambda x: conv(op.sign(x)),
    "Sign, which is 0 at 0": lambda x: conv(
        op.subtract(op.astype(op.greater(x, const(0)), "float32"), op.astype(op.less(x, const(0)), "float32"))
    ),
    "a bit by ±alpha": lambda x: conv(quantized(x, 0, 1)),
    "float activations": conv,
    "eight bits": lambda x: conv(quantized(x, 0, 255)),
    "float weights": lambda x: conv(quantized(x), np.random.default_rng(0).standard_normal((8, 4, 3, 3))),
    "no layer": quantized,
}


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_other_layers_are_none(body):
    assert match(body) is None
