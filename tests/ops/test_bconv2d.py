"""The sums of the binary convolution cannot overflow."""

import numpy as np
import pytest
from tvm import te

from b2nn_tvm.ops.bconv2d import bconv2d
from b2nn_tvm.ops.bit_layout import pack_channels, pack_weights
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.scheduled import compile_tensors

# Channels and kernel around the limits: 31 and 32 bytes in uint8, 65,535 bits in uint16.
LIMITS = [
    (248, 1),
    (256, 1),
    (249, 3),
    (80, 3),
    (88, 3),
    (32, 7),
    (1024, 1),
    (7281, 3),
    (7282, 3),
    (65535, 1),
    (65536, 1),
]


@pytest.mark.in_turn("target")
@pytest.mark.parametrize(("channels", "kernel"), LIMITS)
def test_the_largest_sums_are_exact(channels, kernel, target):
    """All bits differ, or none, filter by filter."""
    workload = ConvWorkload(1, channels, kernel, kernel + 1, 16, (kernel, kernel))
    layout = vector_unit_named(target.vector).layout
    signs = np.ones((16, channels, kernel, kernel), np.int8)
    signs[::2] = -1
    packed_weight = pack_weights(signs, word=layout.word, lanes=layout.binary_lanes(16))
    packed = pack_channels(np.ones((1, kernel, kernel + 1, channels)), word=layout.word)
    x, weight = (te.placeholder(a.shape, a.dtype, name=n) for n, a in (("x", packed), ("w", packed_weight)))
    count = channels * kernel * kernel
    result = compile_tensors([x, weight, bconv2d(x, weight, count, workload=workload)], target)(packed, packed_weight)
    assert result.shape == (1, 1, 2, 16)
    np.testing.assert_array_equal(result[..., ::2], -count)
    np.testing.assert_array_equal(result[..., 1::2], count)
