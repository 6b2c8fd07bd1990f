"""The Winograd micro-kernels of stride 2 for x86-64: how many products they take, what they leave out at the end of an
image, and their scratch memory. Whether their sums are right is asked of compiled layers
(tests/ops/test_int8_conv2d.py).
"""

from __future__ import annotations

import re

import pytest

from b2nn_tvm.schedules.micro_kernels.winograd.stride2_x86 import (
    SUMS,
    TERMS,
    Avx2StridedWinogradKernel,
    Avx512StridedWinogradKernel,
)
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import window_tile

LANES = {Avx2StridedWinogradKernel: 8, Avx512StridedWinogradKernel: 16}


def rows(kind, *, height: int = 4, width: int = 8, blocks: int = 2, channels: int = 32):
    """The kernel of all pixels of a result of this size."""
    geometry = window_tile(
        (1, 2 * height + 1, 2 * width + 1, channels * kind.code),
        (3, 3),
        stride=(2, 2),
        dilation=(1, 1),
        tile=Tile(height, width, blocks),
        lanes=LANES[kind],
    )
    return kind(geometry)


def count(lines: list[str], start: str) -> int:
    return sum(line.startswith(start) for line in lines)


def executed(lines: list[str], instruction: str) -> int:
    """How often an instruction is executed: those inside of loops as often as the loops turn."""
    times, counters, total = [1], {}, 0
    for line in lines:
        if setting := re.fullmatch(r"mov \$\$(\d+), (%r\w+)", line):
            counters[setting[2]] = int(setting[1])
            times.append(times[-1] * int(setting[1]))
        elif line.startswith("dec ") and line.split()[1] in counters:
            times.pop()
        total += times[-1] * line.startswith(instruction)
    return total


@pytest.mark.parametrize("kind", LANES)
@pytest.mark.parametrize(
    ("height", "width", "products"), [(4, 8, 10 * 20), (7, 7, 18 * 18), (1, 8, 3 * 20), (1, 1, 9), (2, 5, 5 * 13)]
)
def test_two_lines_take_five_products_and_a_last_one_three(kind, height, width, products):
    """Of 16 words of 32 channels by two vectors of filters, in both directions."""
    lines = rows(kind, height=height, width=width).assembly().splitlines()
    assert executed(lines, "vpmaddwd") == products * 16 * 2


def test_both_lines_are_the_sums_of_their_terms():
    """Lines 0 to 4 of ones by a filter of three numbers: each line of the result is the sum of three."""
    image, (g0, g1, g2) = (3, 5, 7, 11, 13), (2, 17, 19)
    sums = (g0, g1, g2, g0 + g2)
    first, second, both = (
        sum((image[line] - (0 if less is None else image[less])) * sums[at + k] for k, (line, less) in enumerate(terms))
        for terms, at in zip(TERMS, (0, 1, 3), strict=True)
    )
    assert len(sums) == SUMS
    assert (first + both, second + both) == (3 * g0 + 5 * g1 + 7 * g2, 7 * g0 + 11 * g1 + 13 * g2)


def test_no_code_beyond_the_last_window_is_read():
    """A result of one pixel reads 3x3 pixels of 64 bytes, half of each at a time, before any weights."""
    lines = rows(Avx2StridedWinogradKernel, height=1, width=1).assembly().splitlines()
    of_the_image = lines[: lines.index("lea 0(%rsi), %r14")]
    read = {int(found[1]) for line in of_the_image if (found := re.match(r"v\w+ (\d+)\(%r8\), ", line))}
    assert read == {pixel * 64 for pixel in range(9)}


def test_a_word_of_weights_is_widened_once_and_summed_in_both_directions():
    lines = rows(Avx2StridedWinogradKernel).assembly().splitlines()
    assert count(lines, "vpmovsxbw") == 9 and executed(lines, "vpmovsxbw") == 9 * 16 * 2
    assert count(lines, "vpaddw") == 3 + 4


def test_a_few_channels_at_a_time_have_their_weights_near():
    """Of 96 channels 32 at a time, and of 48, which 32 do not divide, 16."""
    for channels, few in ((96, 32), (48, 16)):
        lines = rows(Avx2StridedWinogradKernel, channels=channels).assembly().splitlines()
        (start,) = (line for line in lines if line.endswith("%rcx") and line.startswith("mov $$-"))
        (step,) = (line for line in lines if line.endswith("%rcx") and line.startswith("add $$"))
        assert int(start.split()[1][3:].rstrip(",")) * few == int(step.split()[1][2:].rstrip(",")) * channels
        assert count(lines, "prefetcht0") == 9 * 2 * few * 8 // 64


def test_the_registers_of_the_arguments_keep_their_values():
    lines = rows(Avx2StridedWinogradKernel).assembly().splitlines()
    (saved,) = (line for line in lines if line.startswith("mov %rcx, "))
    assert lines[-1] == f"mov {saved.split()[2]}, %rcx"
    assert not [line for line in lines if re.search(r", %(rdi|rsi|rdx)$", line)]


def test_the_scratch_memory_holds_differences_sums_of_weights_products_and_a_pointer():
    kernel = rows(Avx2StridedWinogradKernel, blocks=6, channels=48)
    tiles = 2 * 4
    assert kernel.scratch_bytes == 64 + 25 * tiles * 48 * 2 + 2 * 16 * 16 * 2 * 8 + 9 * tiles * 2 * 8 * 4 + 8


def test_channels_that_fill_no_register_and_other_tiles_are_refused():
    with pytest.raises(ValueError, match="24 channels are no multiple of 16"):
        rows(Avx2StridedWinogradKernel, channels=24)
    with pytest.raises(ValueError, match="tiles of 2x2 pixels, not 4x4"):
        Avx2StridedWinogradKernel(rows(Avx2StridedWinogradKernel).tile, 4)
