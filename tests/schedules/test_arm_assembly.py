"""The inner loops of the ARM kernels: operations for the work, counted in the text, and cycles by llvm-mca's models
(static estimates).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
import tvm

from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.assembly import Loop, innermost_loop
from tests.support.schedules.functions import binary_conv, float_conv, winograd

STAGES = {
    channels: ConvWorkload(1, channels, size, size, channels, (3, 3), padding=(1, 1, 1, 1))
    for channels, size in ((64, 56), (128, 28), (256, 14), (512, 7))
}
AARCH64 = ("arm", "rpi3", "rpi4", "rpi5")
ARITHMETIC = {"aarch64": r"(?!ld|st)\w+ v\d+\.", "armv7l": r"v(?!ld|st)[\w.]+ q\d+"}
# Cycles for 4,096 binary MACs: three operations of 128 bits at one (A53) or two a cycle, and a quarter more; of the A72
# less.
CYCLES = {"cortex-a53": 1.25 * 96, "cortex-a72": 53, "cortex-a76": 1.25 * 48}


FLOATS = {
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


@cache
def inner_loop(name: str, workload: ConvWorkload, make: Callable = binary_conv, pattern: str = "v?cnt") -> Loop:
    info = get(name)
    vector_unit = vector_unit_named(info.vector)
    function, _ = schedule_function(
        make(workload, vector_unit.layout), vector_unit=vector_unit, records=Records(vector_unit.name)
    )
    module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    return innermost_loop(tvm.tirx.build(module, target=info.tvm_target()).inspect_source("asm"), pattern)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", [*AARCH64, "armv7"])
def test_binary_macs_take_three_operations_and_a_quarter(name, stage):
    loop, arch = inner_loop(name, STAGES[stage]), get(name).arch
    xor, count, add, spread = {
        "aarch64": (r"eor v\d+\.16b", r"cnt v\d+\.16b", r"add v\d+\.16b", r"dup v\d+\.16b"),
        "armv7l": (r"veor q", r"vcnt\.8 q", r"vadd\.i8 q", r"vdup\.8 q"),
    }[arch]
    updates = loop.count(count)
    assert updates >= 8 * 24
    assert loop.count(xor) == updates
    assert loop.count(spread) == updates / 4  # four vectors of filters share a broadcast
    arithmetic = loop.count(ARITHMETIC[arch])
    assert arithmetic == loop.count(f"{xor}|{count}|{add}|{spread}") <= 3.3 * updates
    sums = updates - loop.count(add)  # of each, the first popcount is the sum
    assert updates / sums <= 31  # bytes of eight bits that are summed in uint8
    assert not any(re.search(r"\bsp\b", instruction) for instruction in loop.instructions)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", AARCH64)
def test_cycles_are_near_the_bound_of_the_cpu(llvm_tools, name, stage):
    """The code for all 64-bit boards on each of them, the others on their own."""
    loop = inner_loop(name, STAGES[stage])
    for cpu in CYCLES if name == "arm" else (get(name).mcpu,):
        (cycles,) = llvm_tools.cycles([loop.instructions], triple="aarch64", cpu=cpu)
        assert cycles * 4096 / (128 * loop.count("cnt")) <= CYCLES[cpu], cpu


@pytest.mark.parametrize("case", FLOATS)
@pytest.mark.parametrize("name", [*AARCH64, "armv7"])
def test_float_convolutions_take_little_more_than_their_multiply_adds(llvm_tools, name, case):
    """At least 70 % of what the CPU could do were there nothing but the multiply-adds, by its model and by its
    width.
    """
    make, workload = FLOATS[case]
    info = get(name)
    loop = inner_loop(name, workload, make, MULTIPLY_ADD[info.arch])
    alone = [instruction for instruction in loop.instructions if re.match(MULTIPLY_ADD[info.arch], instruction)]
    assert len(alone) >= 56
    assert not any(re.search(r"\bsp\b", instruction) for instruction in loop.instructions)
    for cpu in CYCLES if name == "arm" else (info.mcpu,):
        whole, bound = llvm_tools.cycles([loop.instructions, alone], triple=info.triple, cpu=cpu)
        assert bound >= 0.7 * whole, cpu
        assert len(alone) >= 0.7 * RATE.get(cpu, 0) * whole, cpu


@pytest.mark.parametrize("size", [7, 8, 14, 28])
@pytest.mark.parametrize(("name", "groups"), [("arm", 2), ("arm", 8), ("arm", 16), ("armv7", 2)])
def test_grouped_convolutions_keep_their_sums_in_registers(name, groups, size):
    """Their inner loops are LLVM's, not a micro-kernel's; what is on the stack there has been spilled."""
    workload = ConvWorkload(1, 64, size, size, 64, (3, 3), padding=(1, 1, 1, 1), groups=groups)
    loop = inner_loop(name, workload, float_conv, r"fmla v|vfma\.f32 q")
    assert not any(re.search(r"\bsp\b", instruction) for instruction in loop.instructions)
