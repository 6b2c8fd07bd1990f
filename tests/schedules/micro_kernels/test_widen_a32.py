"""The 8-bit micro-kernel for ARMv7: its sums, its registers, and its smallest tile word for word."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.schedules.micro_kernels.widen_a32 import A32WidenEachKernel, A32WidenKernel
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import int8_conv
from tests.support.schedules.compiled import inner_loop
from tests.support.schedules.interpret import SHAPES, check_tile, definition, sums_of
from tests.support.schedules.micro_kernels import executed, word_tile
from tests.support.schedules.registers import check_registers

PROJECTION = ConvWorkload(1, 64, 14, 14, 32, (1, 1))


@pytest.mark.parametrize("kernel", [A32WidenKernel, A32WidenEachKernel])
def test_the_sums_are_those_of_the_definition(kernel):
    for shape in SHAPES:
        check_tile(kernel, shape, least=-127)
    check_tile(A32WidenEachKernel, SHAPES[-1], least=-128)


def test_two_products_of_minus_128_need_the_kernel_for_any_weights():
    tile = word_tile(8, pixels=1, blocks=1)
    image, weights = (np.full(size, -128, np.int8) for size in (9 * 30 * 8, tile.block_bytes))
    right = definition(tile, image, weights)
    np.testing.assert_array_equal(sums_of(A32WidenEachKernel(tile), image, weights), right)
    assert (sums_of(A32WidenKernel(tile), image, weights) != right).all()


def test_eight_codes_of_one_pixel_by_four_filters():
    lines = executed(A32WidenKernel(word_tile(8, pixels=1, blocks=1, kernel=1)).assembly())
    assert lines == [
        *("add r4, r0, #0", "add r10, r1, #0", "vmov.i32 q8, #0", "vmov.i32 q9, #0"),
        *("vld1.8 {d8-d11}, [r10]!", "vld1.32 {d4[]}, [r4]!", "vld1.32 {d5[]}, [r4]!"),
        *("vmull.s8 q0, d8, d4", "vmull.s8 q1, d9, d4", "vmlal.s8 q0, d10, d5", "vmlal.s8 q1, d11, d5"),
        *("vpadal.s16 q8, q0", "vpadal.s16 q9, q1", "add r4, r4, #232"),
        *("vpadd.i32 d16, d16, d17", "vpadd.i32 d17, d18, d19", "add r4, r2, #0", "vst1.32 {d16-d17}, [r4]"),
    ]


@pytest.mark.parametrize("kernel", [A32WidenKernel, A32WidenEachKernel])
def test_the_registers_are_those_that_are_declared_and_every_product_is_there_once(kernel):
    for words, *shape in SHAPES:
        pixels, blocks, side, _ = shape
        made = kernel(word_tile(4 * words, pixels=pixels, blocks=blocks, kernel=side))
        check_registers(made)
        products = sum(line.startswith(("vmull", "vmlal")) for line in executed(made.assembly()))
        assert products == 2 * words * side * side * pixels * blocks


def test_layers_take_little_more_than_their_products():
    loop = inner_loop("armv7", PROJECTION, int8_conv, "vm[lu]")
    steps = loop.count("vm[lu]") + loop.count("vpadal")
    assert loop.count("vm[lu]") == 2 * loop.count("vpadal") >= 32
    assert len(loop.instructions) <= 1.4 * steps
