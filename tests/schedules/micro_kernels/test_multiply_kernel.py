"""The assembly of float convolutions: its registers, and how much it computes. Its results are tested where it runs
(tests/arm).
"""

import re

import pytest

from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.compiled import AARCH64, AARCH64_CPUS, STAGES, inner_loop
from tests.support.schedules.functions import float_conv, winograd
from tests.support.schedules.micro_kernels import multiply_tile, unrolled
from tests.support.schedules.registers import check_registers

UNITS = ("neon", "neon_armv7")


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7, 8, 33])
def test_the_registers_are_those_that_are_declared_and_every_product_is_there_once(name, channels):
    for pixels in (1, 2, 3, 4, 7, 14):
        for blocks in (1, 2, 3):
            for kernel, dilation in ((1, 1), (3, 1), (3, 2)):
                made = vector_unit_named(name).multiply(
                    multiply_tile(channels, pixels=pixels, blocks=blocks, kernel=kernel, dilation=dilation)
                )
                check_registers(made)
                products = len(re.findall(r"^(?:fmla|vmla)", unrolled(made.assembly()), re.MULTILINE))
                assert products == kernel * kernel * channels * pixels * blocks
                stores = len(re.findall(r"^(?:str q|vst1)", made.assembly(), re.MULTILINE))
                assert stores == pixels * blocks


CONVOLUTIONS = {
    **{
        f"{make.__name__} {channels}ch": (make, stage)
        for channels, stage in STAGES.items()
        for make in (float_conv, winograd)
    },
    "stem": (float_conv, ConvWorkload(1, 3, 224, 224, 64, (7, 7), (2, 2), (3, 3, 3, 3))),
    "strided": (float_conv, ConvWorkload(1, 64, 56, 56, 128, (3, 3), (2, 2), (1, 1, 1, 1))),
    "projection": (float_conv, ConvWorkload(1, 256, 14, 14, 512, (1, 1), (2, 2))),
}


RATE = {"cortex-a53": 1, "cortex-a72": 1, "cortex-a76": 2}  # multiply-adds of four floats in a cycle
MULTIPLY_ADD = {"aarch64": r"fmla v", "armv7l": r"vmla\.f32 q"}


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize(
    "name", ["arm", "armv7", *(pytest.param(name, marks=pytest.mark.sweep) for name in AARCH64 if name != "arm")]
)
def test_float_convolutions_take_little_more_than_their_multiply_adds(llvm_tools, name, case):
    """At least 70 % of what the CPU could do were there nothing but the multiply-adds, by its model and by its
    width.
    """
    make, workload = CONVOLUTIONS[case]
    info = get(name)
    loop = inner_loop(name, workload, make, MULTIPLY_ADD[info.arch])
    alone = [instruction for instruction in loop.instructions if re.match(MULTIPLY_ADD[info.arch], instruction)]
    assert len(alone) >= 56
    assert not any(re.search(r"\bsp\b", instruction) for instruction in loop.instructions)
    for cpu in AARCH64_CPUS if name == "arm" else (info.mcpu,):
        whole, bound = llvm_tools.cycles([loop.instructions, alone], triple=info.triple, cpu=cpu)
        assert bound >= 0.7 * whole, cpu
        assert len(alone) >= 0.7 * RATE.get(cpu, 0) * whole, cpu
