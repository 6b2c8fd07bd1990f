"""Loops, additions and registers in x86-64, instruction by instruction."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.dot_x86 import Avx2DotKernel, VnniDotKernel
from b2nn_tvm.schedules.micro_kernels.x86 import X86Kernel, named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import window_tile


def kernel(kind: type[X86Kernel] = VnniDotKernel) -> X86Kernel:
    """Any kernel in x86-64 that has not written anything yet."""
    return kind(window_tile((1, 1, 1, 4), (1, 1), stride=(1, 1), dilation=(1, 1), tile=Tile(1, 1, 1), lanes=16))


def test_only_what_changes_a_register_is_an_addition():
    tested = kernel()
    for to, register, number in (("%r8", "%r8", 0), ("%r8", "%rdi", 0), ("%r8", "%r8", -16)):
        tested.add(to, register, number)
    assert tested.lines == ["lea 0(%rdi), %r8", "lea -16(%r8), %r8"]


def test_a_loop_counts_down_in_a_register_of_its_own():
    tested = kernel()
    tested.repeat(0, 3, lambda: tested.repeat(1, 2, lambda: tested.emit("body")))
    outer, inner = ".Lb2nn_${:uid}_1", ".Lb2nn_${:uid}_2"
    assert tested.lines == [
        *("mov $$3, %r10", f"{outer}:", "mov $$2, %r11", f"{inner}:", "body"),
        *("dec %r11", f"jnz {inner}", "dec %r10", f"jnz {outer}"),
    ]


@pytest.mark.parametrize("times", [0, 1])
def test_what_runs_once_or_never_is_no_loop(times):
    tested = kernel()
    tested.repeat(0, times, lambda: tested.emit("body"))
    assert tested.lines == ["body"] * times


@pytest.mark.parametrize(
    ("kind", "move", "clear"), [(VnniDotKernel, "vmovdqu32", "vpxord"), (Avx2DotKernel, "vmovdqu", "vpxor")]
)
def test_registers_of_512_bits_take_instructions_of_avx512(kind, move, clear):
    tested = kernel(kind)
    register = tested.registers[0]
    tested.clear(register)
    tested.move("0(%rsi)", register)
    assert tested.lines == [f"{clear} {register}, {register}, {register}", f"{move} 0(%rsi), {register}"]
    assert {"r8", register.removeprefix("%"), "flags"} < set(tested.clobbers)


def test_a_part_of_a_register_has_the_name_of_its_width():
    assert [named("%zmm17", width) for width in (16, 32, 64)] == ["%xmm17", "%ymm17", "%zmm17"]
