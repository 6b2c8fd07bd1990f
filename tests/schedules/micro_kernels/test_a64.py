"""Loops, additions and constants in A64, instruction by instruction."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.multiply_a64 import A64MultiplyKernel
from tests.support.schedules.micro_kernels import multiply_tile, unrolled


@pytest.fixture
def kernel() -> A64MultiplyKernel:
    """Any kernel in A64 that has not written anything yet."""
    return A64MultiplyKernel(multiply_tile(1, pixels=1, blocks=1))


@pytest.mark.parametrize(
    ("number", "lines"),
    [
        (0, ["add x4, x0, #0"]),
        (4095, ["add x4, x0, #4095"]),
        (-16, ["sub x4, x0, #16"]),
        (4096, ["mov x16, #4096", "add x4, x0, x16"]),
        (-70_000, ["mov x16, #4464", "movk x16, #1, lsl #16", "sub x4, x0, x16"]),
    ],
)
def test_numbers_beyond_twelve_bits_are_added_from_a_register(kernel, number, lines):
    kernel.add("x4", "x0", number)
    assert kernel.lines == lines


@pytest.mark.parametrize("number", [0, 1, 65_535, 65_536, 1_000_000, 2**32 - 1])
def test_a_register_is_set_in_halves_of_sixteen_bits(kernel, number):
    kernel.set("x5", number)
    halves = [int(line.split("#")[1].partition(",")[0]) for line in kernel.lines]
    assert all(half < 1 << 16 for half in halves)
    assert sum(half << 16 * place for place, half in enumerate(halves)) == number


def test_a_loop_counts_down_in_a_register_of_its_own(kernel):
    kernel.repeat(0, 3, lambda: kernel.repeat(1, 2, lambda: kernel.emit("body")))
    outer, inner = ".Lb2nn_${:uid}_1", ".Lb2nn_${:uid}_2"
    assert kernel.lines == [
        *("mov x14, #3", f"{outer}:", "mov x15, #2", f"{inner}:", "body"),
        *("subs x15, x15, #1", f"b.ne {inner}", "subs x14, x14, #1", f"b.ne {outer}"),
    ]
    assert unrolled("\n".join(kernel.lines)).split() == ["body"] * 6


@pytest.mark.parametrize("times", [0, 1])
def test_what_runs_once_or_never_is_no_loop(kernel, times):
    kernel.repeat(0, times, lambda: kernel.emit("body"))
    assert kernel.lines == ["body"] * times
