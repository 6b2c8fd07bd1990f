"""Loops and additions in A32, instruction by instruction."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.multiply_a32 import A32MultiplyKernel
from tests.support.schedules.micro_kernels import multiply_tile, unrolled


@pytest.fixture
def kernel() -> A32MultiplyKernel:
    """Any kernel in A32 that has not written anything yet."""
    return A32MultiplyKernel(multiply_tile(1, pixels=1, blocks=1))


def test_a_number_is_added_eight_bits_at_a_time(kernel):
    kernel.add("r4", "r0", 0x12345)
    assert kernel.lines == ["add r4, r0, #69", "add r4, r4, #8960", "add r4, r4, #65536"]


@pytest.mark.parametrize("number", [0, 255, 256, 1 << 24, 0xFFFFFFFF, -3, -0x10203])
def test_each_part_is_one_that_an_instruction_holds_and_they_add_up(kernel, number):
    """An immediate of A32 is eight bits at an even place."""
    kernel.add("r4", "r0", number)
    name, parts = ("add" if number >= 0 else "sub"), [int(line.split("#")[1]) for line in kernel.lines]
    assert sum(parts) == abs(number)
    assert all(any(part & ~(0xFF << place) == 0 for place in range(0, 32, 2)) for part in parts)
    assert [line.split(", ")[:2] for line in kernel.lines] == [
        [f"{name} r4", "r4" if index else "r0"] for index in range(len(parts))
    ]


def test_a_loop_counts_down_in_a_register_of_its_own(kernel):
    kernel.repeat(0, 3, lambda: kernel.repeat(1, 2, lambda: kernel.emit("body")))
    outer, inner = ".Lb2nn_${:uid}_1", ".Lb2nn_${:uid}_2"
    assert kernel.lines == [
        *("movw r9, #3", f"{outer}:", "movw lr, #2", f"{inner}:", "body"),
        *("subs lr, lr, #1", f"bne {inner}", "subs r9, r9, #1", f"bne {outer}"),
    ]
    assert unrolled("\n".join(kernel.lines)).split() == ["body"] * 6
