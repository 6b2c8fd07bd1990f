"""The Winograd micro-kernels for x86-64: their products, their scratch memory, and what they refuse. Whether their sums
are right is asked of compiled layers (tests/ops/test_int8_conv2d.py).
"""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.winograd.stride1_x86 import (
    Avx2WinogradKernel,
    Avx512WinogradKernel,
    AvxVnniWinogradKernel,
    VnniWinogradKernel,
)
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import window_tile

# The kernel, its lanes, and the instructions of a product of whole registers.
KERNELS = {
    VnniWinogradKernel: (16, ("vpdpwssd",)),
    Avx512WinogradKernel: (16, ("vpmaddwd", "vpaddd")),
    AvxVnniWinogradKernel: (8, ("{vex} vpdpwssd",)),
    Avx2WinogradKernel: (8, ("vpmaddwd", "vpaddd")),
}


def rows(kind, *, height: int = 4, width: int = 8, blocks: int = 2, channels: int = 32, m: int = 4):
    """The kernel of all pixels of an image, which tiles may leave over at its end."""
    geometry = window_tile(
        (1, height + 2, width + 2, channels * kind.code),
        (3, 3),
        stride=(1, 1),
        dilation=(1, 1),
        tile=Tile(height, width, blocks),
        lanes=KERNELS[kind][0],
    )
    return kind(geometry, m)


def count(lines: list[str], start: str) -> int:
    return sum(line.startswith(start) for line in lines)


@pytest.mark.parametrize("kind", KERNELS)
def test_a_word_of_a_tile_is_broadcast_once_for_two_vectors_of_filters(kind):
    """Two tiles of 4x4 pixels: two words of each, by two vectors of weights, in the innermost loop."""
    lines = rows(kind).assembly().splitlines()
    broadcasts = [line for line in lines if line.startswith("vpbroadcastd") and "(" in line]
    assert len(broadcasts) == 2 * 2
    first = KERNELS[kind][1][0]
    assert count(lines, first) == 2 * 2 * 2
    assert "mov $$36, %r10" in lines and "mov $$8, %r11" in lines  # elements of a tile; 16 words, two at a time


@pytest.mark.parametrize("kind", KERNELS)
def test_tiles_share_the_registers_in_groups_of_nearly_equal_size(kind):
    """14 tiles by two vectors of filters: AVX2 holds sums of 5, AVX-512 of 14, or of 13 beside a product."""
    lines = rows(kind, height=4, width=56).assembly().splitlines()
    groups = {VnniWinogradKernel: 1, Avx512WinogradKernel: 2}.get(kind, 3)
    assert count(lines, "mov $$8, %r11") == groups


def test_codes_of_a_byte_are_widened_as_they_are_loaded():
    assert count(rows(VnniWinogradKernel).assembly().splitlines(), "vpmovzxbw") == 36
    assert count(rows(Avx2WinogradKernel).assembly().splitlines(), "vpmovzxbw") == 0


def test_channels_that_fill_half_a_register_are_transformed_in_half_registers():
    transforms = lambda channels: [
        line for line in rows(VnniWinogradKernel, channels=channels).assembly().splitlines() if "vpsllw" in line
    ]
    assert all("%zmm" in line for line in transforms(32)) and all("%ymm" in line for line in transforms(48))


@pytest.mark.parametrize(("m", "inverse", "shift"), [(4, 1, 6), (2, 0, 2)])
def test_the_scale_is_divided_off_exactly(m, inverse, shift):
    """9 * 954437177 = 1 modulo 2^32, and 576 = 9 * 2^6."""
    lines = rows(Avx2WinogradKernel, m=m).assembly().splitlines()
    assert count(lines, "mov $$954437177, %eax") == inverse
    assert {line.split()[1] for line in lines if line.startswith("vpsrad")} == {f"$${shift},"}
    assert 9 * 954437177 % 2**32 == 1


def test_the_last_tiles_store_what_lies_in_the_image():
    """A result of 6x7 by tiles of 4x4: 4x4, 4x3, 2x4 and 2x3 sums of two vectors of filters."""
    lines = rows(Avx2WinogradKernel, height=6, width=7).assembly().splitlines()
    stores = [line for line in lines if line.startswith("vmovdqu") and line.endswith("(%r14)")]
    assert len(stores) == 2 * (4 + 2) * (4 + 3)


def test_the_scratch_memory_holds_a_tile_on_its_way_all_transformed_tiles_and_products():
    kernel = rows(Avx2WinogradKernel, width=8, blocks=6, channels=48)
    assert kernel.scratch_bytes == 64 + 36 * 64 + 2 * 36 * 48 * 2 + 2 * 36 * 2 * 8 * 4


def test_channels_that_fill_no_register_are_refused():
    with pytest.raises(ValueError, match="24 channels are no multiple of 16"):
        rows(Avx2WinogradKernel, channels=24)
