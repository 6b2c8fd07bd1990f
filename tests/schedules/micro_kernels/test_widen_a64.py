"""The 8-bit micro-kernel for AArch64 without dot products: its sums, the order of its steps, and its cycles by
llvm-mca's models (static estimates).
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from b2nn_tvm.schedules.micro_kernels.widen_a64 import A64WidenEachKernel, A64WidenKernel
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import int8_conv, int8_conv_of_any_weights
from tests.support.schedules.compiled import AARCH64_CPUS, STAGES, inner_loop
from tests.support.schedules.interpret import SHAPES, check_tile, definition, sums_of
from tests.support.schedules.micro_kernels import executed, word_tile
from tests.support.schedules.registers import check_registers

PRODUCTS = "sm[lu]"  # smull, smlal, and those of the upper halves

LAYERS = {
    **{f"3x3 {channels}ch": workload for channels, workload in STAGES.items()},
    "1x1": ConvWorkload(1, 256, 14, 14, 256, (1, 1)),
    "strided": ConvWorkload(1, 64, 56, 56, 128, (3, 3), (2, 2), (1, 1, 1, 1)),
    "projection": ConvWorkload(1, 256, 14, 14, 512, (1, 1), (2, 2)),
    "stem": ConvWorkload(1, 3, 224, 224, 64, (7, 7), (2, 2), (3, 3, 3, 3)),
    "dense": ConvWorkload(1, 512, 1, 1, 1000, (1, 1)),
}
CASES = [
    pytest.param(name, case, marks=() if (name, case) == ("arm", "stem") else pytest.mark.sweep)
    for name, case in (*(("arm", case) for case in LAYERS), ("rpi3", "3x3 128ch"), ("rpi4", "3x3 128ch"))
]
# Multiply-accumulates in a cycle. The most is eight on Cortex-A72 and A76, of which one unit multiplies.
LEAST = {"cortex-a53": 3.5, "cortex-a72": 7.8, "cortex-a76": 7.8}
LEAST_OF_OTHERS = {"stem": {"cortex-a53": 2.5, "cortex-a72": 7.4}, "dense": {"cortex-a53": 2.8}}


@pytest.mark.parametrize("kernel", [A64WidenKernel, A64WidenEachKernel])
def test_the_sums_are_those_of_the_definition(kernel):
    for shape in SHAPES:
        check_tile(kernel, shape, least=-127)
    check_tile(A64WidenEachKernel, SHAPES[-1], least=-128)


def test_two_products_of_minus_128_need_the_kernel_for_any_weights():
    tile = word_tile(8, pixels=1, blocks=1)
    image, weights = (np.full(size, -128, np.int8) for size in (9 * 30 * 8, tile.block_bytes))
    right = definition(tile, image, weights)
    np.testing.assert_array_equal(sums_of(A64WidenEachKernel(tile), image, weights), right)
    assert (sums_of(A64WidenKernel(tile), image, weights) != right).all()


def test_eight_codes_of_one_pixel_by_four_filters():
    lines = executed(A64WidenKernel(word_tile(8, pixels=1, blocks=1, kernel=1)).assembly())
    assert lines == [
        *("add x4, x0, #0", "add x12, x1, #0", "movi v0.2d, #0", "movi v1.2d, #0", "mov x17, #0"),
        *("ldr d2, [x4, x17]", "ldr q3, [x12, #0]", "dup v5.4s, v2.s[0]", "dup v6.4s, v2.s[1]"),
        *("smull v7.8h, v3.8b, v5.8b", "smull2 v8.8h, v3.16b, v5.16b", "ldr q4, [x12, #16]"),
        *("smlal v7.8h, v4.8b, v6.8b", "smlal2 v8.8h, v4.16b, v6.16b", "sadalp v0.4s, v7.8h", "sadalp v1.4s, v8.8h"),
        *("add x12, x12, #32", "add x17, x17, #8", "add x4, x4, #240"),
        *("addp v0.4s, v0.4s, v1.4s", "str q0, [x2, #0]"),
    ]


@pytest.mark.parametrize("kernel", [A64WidenKernel, A64WidenEachKernel])
def test_the_registers_are_those_that_are_declared_and_every_product_is_there_once(kernel):
    for words, *shape in SHAPES:
        pixels, blocks, side, _ = shape
        made = kernel(word_tile(4 * words, pixels=pixels, blocks=blocks, kernel=side))
        check_registers(made)
        products = sum(line.startswith(("smull", "smlal")) for line in executed(made.assembly()))
        assert products == 2 * words * side * side * pixels * blocks


def test_a_result_is_read_six_instructions_after_it_was_begun():
    lines = executed(A64WidenKernel(word_tile(64, pixels=4, blocks=2)).assembly())
    vectors = [line for line in lines if re.match("dup|sm[lu]|sadalp", line)]
    begun: dict[str, int] = {}
    soon = 0
    for at, line in enumerate(vectors):
        to, *read = re.findall(r"v\d+", line)
        soon += sum(at - begun.get(one, -6) < 6 for one in read) > 0
        begun[to] = at
    assert soon <= len(vectors) // 10  # where four words begin and end, there are fewer products to alternate


@pytest.mark.parametrize(("name", "case"), CASES)
def test_cycles_are_near_the_bound_of_the_cpu(llvm_tools, name, case):
    for cpu in AARCH64_CPUS if name == "arm" else (get(name).mcpu,):
        rate = macs_per_cycle(llvm_tools, name, LAYERS[case], int8_conv, cpu)
        assert rate >= (LEAST | LEAST_OF_OTHERS.get(case, {}))[cpu], cpu


@pytest.mark.sweep
def test_weights_of_minus_128_cost_a_fourth_step(llvm_tools):
    for cpu, least in {"cortex-a53": 2.6, "cortex-a72": 7, "cortex-a76": 7}.items():
        assert macs_per_cycle(llvm_tools, "arm", STAGES[128], int8_conv_of_any_weights, cpu) >= least, cpu


def macs_per_cycle(llvm_tools, name, workload, make, cpu):
    """The multiply-accumulates of the inner loop in a cycle: each of its products has eight."""
    loop = inner_loop(name, workload, make, PRODUCTS)
    assert not any(re.search(r"\bsp\b", instruction) for instruction in loop.instructions)
    (cycles,) = llvm_tools.cycles([loop.instructions], triple="aarch64", cpu=cpu)
    return 8 * loop.count(PRODUCTS) / cycles
