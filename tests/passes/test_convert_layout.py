"""The stage of the pipeline that brings a network to NHWC, with transposes at its borders only."""

from __future__ import annotations

import numpy as np
from tvm.relax import op

from b2nn_tvm.passes.pipeline import convert_layout
from tests.support.passes.compile_context import apply_stage
from tests.support.passes.relax_functions import SHAPE, assert_becomes, assert_stays, const, module, random_input, run

WEIGHT = random_input((5, 4, 3, 3), seed=1)
SCALE = random_input((5, 1, 1), seed=2)
NHWC = {"data_layout": "NHWC", "kernel_layout": "HWIO", "out_layout": "NHWC"}


def apply(mod):
    return apply_stage(convert_layout, mod)


def nchw(x):
    """conv - scale - clip - pad: Relax's ConvertLayout has no rule for the last two."""
    y = op.multiply(op.nn.conv2d(x, const(WEIGHT), padding=1), const(SCALE))
    return op.nn.pad(op.clip(y, -1, 1), [0, 0, 0, 0, 1, 2, 3, 4], "constant", 0.5)


def nhwc(x):
    weight, scale = WEIGHT.transpose(2, 3, 1, 0), SCALE.reshape(1, 1, 1, 5)
    y = op.nn.conv2d(op.permute_dims(x, [0, 2, 3, 1]), const(weight), padding=1, **NHWC)
    y = op.nn.pad(op.clip(op.multiply(y, const(scale)), -1, 1), [0, 0, 1, 2, 3, 4, 0, 0], "constant", 0.5)
    return op.permute_dims(y, [0, 3, 1, 2])


def test_convolutions_and_what_is_between_them_go_to_channels_last():
    assert_becomes(apply, nchw, nhwc)


def test_a_sign_ends_up_behind_the_transpose():
    weight = const(WEIGHT.transpose(2, 3, 1, 0))
    assert_becomes(
        apply,
        lambda x: op.nn.conv2d(op.sign(x), const(WEIGHT)),
        lambda x: op.permute_dims(
            op.nn.conv2d(op.sign(op.permute_dims(x, [0, 2, 3, 1])), weight, **NHWC), [0, 3, 1, 2]
        ),
    )


def test_a_network_without_convolutions_stays():
    assert_stays(apply, lambda x: op.nn.relu(op.add(x, const(np.ones((1, 4, 1, 1))))))


def test_the_numbers_are_the_same():
    before, x = module(nchw), random_input(SHAPE)
    np.testing.assert_allclose(run(apply(before), x), run(before, x), rtol=1e-5, atol=1e-5)


def test_a_3d_convolution_behind_a_2d_one():
    """ConvertLayout would give it the layout NHDWC of its input, by which its kernel takes depth for height."""
    weight = random_input((2, 5, 1, 3, 3), seed=3)

    def volumes(x):
        images = op.nn.relu(op.nn.conv2d(x, const(WEIGHT), padding=1))
        return op.nn.conv3d(op.expand_dims(images, 2), const(weight), padding=(0, 1, 1))

    before, x = module(volumes), random_input(SHAPE)
    np.testing.assert_allclose(run(apply(before), x), run(before, x), rtol=1e-5, atol=1e-5)
