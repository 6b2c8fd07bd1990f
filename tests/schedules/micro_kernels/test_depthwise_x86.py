"""The depthwise micro-kernels for x86-64: their instructions, the scratch memory, and what they refuse. Whether the
sums are right is asked of compiled layers (tests/ops/test_int8_conv2d.py).
"""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.depthwise_x86 import (
    Avx2DepthwiseKernel,
    AvxVnniDepthwiseKernel,
    VnniDepthwiseKernel,
)
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import window_tile

# The kernel, its lanes, the bytes of a code, and how many vectors of channels the widest load takes.
KERNELS = {
    VnniDepthwiseKernel: (16, 1, 4),
    AvxVnniDepthwiseKernel: (8, 1, 4),
    Avx2DepthwiseKernel: (8, 2, 2),
}


def row(kind, *, pixels: int = 6, blocks: int = 4, kernel: int = 3, stride: int = 1, dilation: int = 1):
    """The kernel of a row of pixels of an image of 9x30."""
    lanes, size, _ = KERNELS[kind]
    channel_bytes = blocks * lanes * size
    return kind(
        window_tile(
            (1, 9, 30, channel_bytes),
            (kernel, kernel),
            stride=(stride, stride),
            dilation=(dilation, dilation),
            tile=Tile(1, pixels, blocks),
            lanes=lanes,
            channel_bytes=channel_bytes,
        )
    )


def count(lines: list[str], start: str) -> int:
    return sum(line.startswith(start) for line in lines)


@pytest.mark.parametrize("kind", KERNELS)
def test_a_column_is_interleaved_once_and_multiplied_by_all_columns_of_taps(kind):
    """Of a window of 3x3: three loads of each part of a column; one product for each pixel, column of taps and word."""
    lines = row(kind).assembly().splitlines()
    parts = 4 // KERNELS[kind][2]
    loads = count(lines, "vpermd") + count(lines, "vpermq")
    assert loads == 3 * parts
    products = count(lines, "vpmaddwd") + count(lines, "vpdpbusd") + count(lines, "{vex} vpdpbusd")
    assert products == 6 * 3 * (2 if kind.taps == 2 else 1)
    assert f"mov $$8, {kind.counters[0]}" in lines  # columns that 6 pixels read
    assert f"mov $$4, {kind.counters[1]}" in lines  # vectors of channels


@pytest.mark.parametrize("kind", KERNELS)
def test_the_scratch_memory_holds_the_words_of_all_columns(kind):
    lanes, *_ = KERNELS[kind]
    words = 2 if kind.taps == 2 else 1
    assert row(kind).scratch_bytes == 128 + 8 * words * 4 * lanes * 4
    assert row(kind, stride=2).scratch_bytes == 128 + 13 * words * 4 * lanes * 4
    assert row(kind, kernel=1, stride=2).scratch_bytes == 128 + 6 * 4 * lanes * 4  # no column between two that are read


def test_channels_that_fill_no_wide_register_are_loaded_into_narrower_ones():
    """Of 7 vectors of 16 channels, a byte each: 64, 32 and 16 bytes."""
    lines = row(VnniDepthwiseKernel, blocks=7).assembly().splitlines()
    loads = [line for line in lines if "(%r8), %" in line or line.startswith("vpermd")]
    assert [sum(kind in line.rsplit(", ", 1)[1] for line in loads) for kind in ("zmm", "ymm", "xmm")] == [3, 3, 3]


def test_pixels_are_summed_in_groups_of_nearly_equal_size():
    """14 pixels are twice 7, 9 pixels are 4 and 5."""
    stores = lambda pixels: [
        line for line in row(Avx2DepthwiseKernel, pixels=pixels).assembly().splitlines() if line.endswith("(%r10)")
    ]
    assert [len(stores(pixels)) for pixels in (6, 14, 9)] == [6, 7, 9]


def test_codes_that_no_register_takes_are_refused():
    with pytest.raises(ValueError, match="8 bytes of codes are no multiple of 16"):
        row(AvxVnniDepthwiseKernel, blocks=1).assembly()
