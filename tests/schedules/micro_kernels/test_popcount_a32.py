"""The popcount micro-kernel for ARMv7: its smallest tile word for word, and what larger ones execute."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.popcount_a32 import A32PopcountKernel
from tests.support.schedules.micro_kernels import executed, popcount_tile


def test_one_byte_of_one_pixel_and_sixteen_filters():
    kernel = A32PopcountKernel(popcount_tile(1, pixels=1, lanes=16, kernel=1))
    assert kernel.assembly().splitlines() == [
        *("add r4, r0, #0", "add r10, r1, #0", "mov r12, r3"),
        *("vld1.8 {d4[0]}, [r4]!", "vdup.8 q1, d4[0]", "vld1.8 {d6-d7}, [r10]!"),
        *("veor q3, q3, q1", "vcnt.8 q0, q3", "vst1.8 {d0-d1}, [r12]!", "add r4, r4, #8"),
        *("add r12, r3, #0", "vld1.8 {d16-d17}, [r12]!", "vmovl.u8 q0, d16", "vmovl.u8 q1, d17"),
        *("add r4, r2, #0", "vst1.16 {d0-d3}, [r4]"),
    ]


@pytest.mark.parametrize("size", [1, 3, 8, 31, 33])
@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_each_byte_of_a_pixel_meets_each_vector_of_filters_once(size, pixels):
    """And of each the first popcount is the sum, so that many additions less are needed."""
    kernel = A32PopcountKernel(popcount_tile(size, pixels=pixels, lanes=32))
    kinds = [line.split()[0] for line in executed(kernel.assembly())]
    updates = 9 * size * pixels * 2
    assert (kinds.count("veor"), kinds.count("vcnt.8")) == (updates, updates)
    assert kinds.count("vadd.i8") == updates - kernel.chunks * pixels * 2
