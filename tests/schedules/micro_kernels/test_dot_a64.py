"""The 8-bit micro-kernel for AArch64 with dot products."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.dot_a64 import A64DotKernel
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import int8_conv
from tests.support.schedules.assembly import innermost_loop
from tests.support.schedules.compiled import STAGES, assembly
from tests.support.schedules.micro_kernels import executed, multiply_tile


def test_sixteen_codes_of_one_pixel_by_four_filters():
    lines = executed(A64DotKernel(multiply_tile(4, pixels=1, blocks=1, kernel=1)).assembly())
    assert [line for line in lines if line.startswith("sdot")] == [
        f"sdot v0.4s, v{16 + k}.16b, v24.4b[{k}]" for k in range(4)
    ]
    assert not any(line.startswith("fmla") for line in lines)


@pytest.mark.parametrize("stage", [128, *(pytest.param(n, marks=pytest.mark.sweep) for n in (64, 256, 512))])
def test_layers_on_a_raspberry_pi_5_are_dot_products(stage):
    loop = innermost_loop(assembly("rpi5", int8_conv, STAGES[stage]), "sdot")
    products = loop.count("sdot")
    assert products >= 96
    assert len(loop.instructions) <= 1.4 * products


def test_other_boards_have_no_dot_products():
    text = assembly("rpi4", int8_conv, ConvWorkload(1, 64, 14, 14, 64, (3, 3), padding=(1, 1, 1, 1)))
    assert "sdot" not in text and "smlal" in text
