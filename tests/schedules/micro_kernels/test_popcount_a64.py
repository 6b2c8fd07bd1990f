"""The popcount micro-kernel for AArch64: what it executes, and its cycles by llvm-mca's models (static estimates)."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.popcount_a64 import A64PopcountKernel
from b2nn_tvm.targets.target import get
from tests.support.schedules.compiled import AARCH64, AARCH64_CPUS, STAGES, inner_loop
from tests.support.schedules.functions import binary_conv
from tests.support.schedules.micro_kernels import executed, popcount_tile
from tests.support.sweep import few

# Cycles for 4,096 binary MACs: three operations of 128 bits at one (A53) or two a cycle, and a quarter more; of the A72
# less.
CYCLES = {"cortex-a53": 1.25 * 96, "cortex-a72": 53, "cortex-a76": 1.25 * 48}


@pytest.mark.parametrize("stage", few(STAGES, (64, 512)))
@pytest.mark.parametrize(
    "name", ["arm", *(pytest.param(name, marks=pytest.mark.sweep) for name in AARCH64 if name != "arm")]
)
def test_cycles_are_near_the_bound_of_the_cpu(llvm_tools, name, stage):
    """The code for all 64-bit boards on each of them, the others on their own."""
    loop = inner_loop(name, STAGES[stage], binary_conv, "v?cnt")
    for cpu in AARCH64_CPUS if name == "arm" else (get(name).mcpu,):
        (cycles,) = llvm_tools.cycles([loop.instructions], triple="aarch64", cpu=cpu)
        assert cycles * 4096 / (128 * loop.count("cnt")) <= CYCLES[cpu], cpu


def test_one_byte_of_one_pixel_and_sixteen_filters():
    kernel = A64PopcountKernel(popcount_tile(1, pixels=1, lanes=16, kernel=1))
    assert kernel.assembly().splitlines() == [
        *("add x4, x0, #0", "add x12, x1, #0", "mov x13, x3"),
        *("ldr q1, [x12, #0]", "ldr b2, [x4, #0]", "dup v3.16b, v2.b[0]"),
        *("eor v4.16b, v3.16b, v1.16b", "cnt v0.16b, v4.16b"),
        *("add x4, x4, #1", "add x12, x12, #16", "str q0, [x13, #0]", "add x13, x13, #16"),
        *("add x4, x4, #8", "mov x13, x3", "ldr q16, [x13, #0]"),
        *("ushll v0.8h, v16.8b, #0", "ushll2 v1.8h, v16.16b, #0", "str q0, [x2, #0]", "str q1, [x2, #16]"),
    ]


@pytest.mark.parametrize("size", [1, 3, 8, 31, 33])
@pytest.mark.parametrize("pixels", [1, 4, 7])
def test_each_byte_of_a_pixel_meets_each_vector_of_filters_once(size, pixels):
    """And of each the first popcount is the sum, so that many additions less are needed."""
    kernel = A64PopcountKernel(popcount_tile(size, pixels=pixels, lanes=32))
    kinds = [line.split()[0] for line in executed(kernel.assembly()) if ".16b, v" in line]
    updates = 9 * size * pixels * 2
    assert (kinds.count("eor"), kinds.count("cnt")) == (updates, updates)
    assert kinds.count("add") == updates - kernel.chunks * pixels * 2
