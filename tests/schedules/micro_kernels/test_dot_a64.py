"""The 8-bit micro-kernel for AArch64 with dot products."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.dot_a64 import A64DotKernel
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import int8_conv
from tests.support.schedules.assembly import innermost_loop
from tests.support.schedules.compiled import STAGES, assembly, inner_loop
from tests.support.schedules.interpret import SHAPES, check_tile
from tests.support.schedules.micro_kernels import executed, multiply_tile

LAYERS = {
    **{f"3x3 {channels}ch": workload for channels, workload in STAGES.items()},
    "1x1": ConvWorkload(1, 256, 14, 14, 256, (1, 1)),
    "strided": ConvWorkload(1, 64, 56, 56, 128, (3, 3), (2, 2), (1, 1, 1, 1)),
    "projection": ConvWorkload(1, 256, 14, 14, 512, (1, 1), (2, 2)),
}


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


@pytest.mark.parametrize(
    "case", ["3x3 128ch", *(pytest.param(case, marks=pytest.mark.sweep) for case in LAYERS if case != "3x3 128ch")]
)
def test_cycles_are_near_the_bound_of_the_cpu(llvm_tools, case):
    """Of 32 multiply-accumulates in a cycle, two instructions of 16."""
    loop = inner_loop("rpi5", LAYERS[case], int8_conv, "sdot")
    (cycles,) = llvm_tools.cycles([loop.instructions], triple="aarch64", cpu="cortex-a76")
    assert 16 * loop.count("sdot") / cycles >= 28


def test_the_sums_are_those_of_the_definition():
    for shape in SHAPES:
        check_tile(A64DotKernel, shape, least=-128)


def test_other_boards_have_no_dot_products():
    text = assembly("rpi4", int8_conv, ConvWorkload(1, 64, 14, 14, 64, (3, 3), padding=(1, 1, 1, 1)))
    assert "sdot" not in text and "smlal" in text
