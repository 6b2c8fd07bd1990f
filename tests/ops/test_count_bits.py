"""The sums of packed planes under each window equal those of their signs."""

import numpy as np
import pytest
from tvm import te

from b2nn_tvm.ops.bit_layout import pack_channels
from b2nn_tvm.ops.count_bits import count_bits
from b2nn_tvm.reference import sign
from b2nn_tvm.reference.binary import binary_conv2d
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.scheduled import compile_tensors


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("kernel", [(1, 1), (3, 2)])
def test_equals_a_convolution_by_ones(kernel, target):
    word = vector_unit_named(target.vector).layout.word
    workload = ConvWorkload(2, 37, 9, 8, 1, kernel, (2, 1), (0, 0, 0, 0), (1, 2))
    planes = sign(np.random.default_rng(0).standard_normal((2, 2, 37, 9, 8)))
    packed = pack_channels(planes.reshape(4, 37, 9, 8).transpose(0, 2, 3, 1), word=word)
    x = te.placeholder(packed.shape, word, name="x")
    found = compile_tensors([x, count_bits(x, workload=workload, factor=-3)], target)(packed)
    ones = np.ones((1, 37, *kernel), np.int8)
    low, high = (binary_conv2d(plane, ones, stride=(2, 1), dilation=(1, 2)) for plane in planes)
    np.testing.assert_array_equal(found.transpose(0, 3, 1, 2), -3.0 * (low + 2 * high))
