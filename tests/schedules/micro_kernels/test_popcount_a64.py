"""The popcount micro-kernel for AArch64: what it executes, and its cycles by llvm-mca's models (static estimates)."""

from __future__ import annotations

import pytest

from b2nn_tvm.targets.target import get
from tests.support.schedules.compiled import AARCH64, AARCH64_CPUS, STAGES, inner_loop
from tests.support.schedules.functions import binary_conv

# Cycles for 4,096 binary MACs: three operations of 128 bits at one (A53) or two a cycle, and a quarter more; of the A72
# less.
CYCLES = {"cortex-a53": 1.25 * 96, "cortex-a72": 53, "cortex-a76": 1.25 * 48}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", AARCH64)
def test_cycles_are_near_the_bound_of_the_cpu(llvm_tools, name, stage):
    """The code for all 64-bit boards on each of them, the others on their own."""
    loop = inner_loop(name, STAGES[stage], binary_conv, "v?cnt")
    for cpu in AARCH64_CPUS if name == "arm" else (get(name).mcpu,):
        (cycles,) = llvm_tools.cycles([loop.instructions], triple="aarch64", cpu=cpu)
        assert cycles * 4096 / (128 * loop.count("cnt")) <= CYCLES[cpu], cpu
