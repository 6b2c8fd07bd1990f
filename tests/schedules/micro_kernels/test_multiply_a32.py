"""The multiply micro-kernel for ARMv7: its smallest tile word for word, and when a larger one loads its weights."""

from __future__ import annotations

import re

from b2nn_tvm.schedules.micro_kernels.multiply_a32 import A32MultiplyKernel
from tests.support.schedules.micro_kernels import executed, multiply_tile


def test_one_float_of_one_pixel_times_four_filters():
    kernel = A32MultiplyKernel(multiply_tile(1, pixels=1, blocks=1, kernel=1))
    assert kernel.assembly().splitlines() == [
        *("add r4, r0, #0", "add r10, r1, #0", "vmov.i32 q8, #0"),
        *("vld1.32 {d0[0]}, [r4]!", "vld1.32 {d8-d9}, [r10]!", "vmla.f32 q8, q4, d0[0]"),
        *("add r4, r4, #116", "add r4, r2, #0", "vst1.32 {d16-d17}, [r4]"),
    ]


def test_the_weights_of_the_next_float_are_loaded_while_those_of_one_are_in_use():
    """Never into the register that the multiply-adds right behind the load read."""
    kernel = A32MultiplyKernel(multiply_tile(8, pixels=4, blocks=2))
    lines = executed(kernel.assembly())
    loaded = [
        (at, int(found[1])) for at, line in enumerate(lines) if (found := re.match(r"vld1.32 {d(\d+)-.*\[r1", line))
    ]
    assert len(loaded) == 9 * 8 * 2
    ahead = [
        at for at, first in loaded if lines[at + 1].startswith("vmla") and f", q{first // 2}," not in lines[at + 1]
    ]
    assert len(ahead) == 9 * 8 * 3 // 4  # one load in front of each float's multiply-adds, but of the last of four
