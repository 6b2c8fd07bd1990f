"""The multiply micro-kernel for AArch64: its smallest tile word for word, and in what order a larger one loads."""

from __future__ import annotations

import re

import pytest

from b2nn_tvm.schedules.micro_kernels.multiply_a64 import A64MultiplyKernel
from tests.support.schedules.micro_kernels import executed, multiply_tile


def test_four_floats_of_one_pixel_times_four_filters():
    kernel = A64MultiplyKernel(multiply_tile(4, pixels=1, blocks=1, kernel=1))
    assert kernel.assembly().splitlines() == [
        *("add x4, x0, #0", "add x12, x1, #0", "movi v0.2d, #0", "mov x17, #0"),
        *("ld1 {v16.4s, v17.4s, v18.4s, v19.4s}, [x12]", "ldr q24, [x4, x17]"),
        *("add x12, x12, #64", "add x17, x17, #16"),
        *(f"fmla v0.4s, v{16 + k}.4s, v24.s[{k}]" for k in range(4)),
        *("add x4, x4, #480", "str q0, [x2, #0]"),
    ]


@pytest.mark.parametrize("channels", [4, 8, 12])
def test_all_loads_of_a_turn_stand_in_front_of_its_multiply_adds(channels):
    kernel = A64MultiplyKernel(multiply_tile(channels, pixels=8, blocks=2))
    kinds = [line.split()[0] for line in executed(kernel.assembly())]
    kinds = "".join({"ld1": "L", "ldr": "L", "fmla": "F"}.get(kind, "") for kind in kinds)
    assert set(re.findall("L+F+", kinds)) == {"L" * 10 + "F" * 64}
