"""The part of a convolution that a micro-kernel computes: the windows of a few output pixels by a few blocks of
filters.
"""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.schedules.tiles.tile import Tile


@dataclass(frozen=True)
class WindowTile:
    """The sums of one call: ``pixels`` are the byte offsets of their windows in the image, ``runs`` the byte offsets of
    the runs of ``run_bytes`` neighbouring bytes in a kernel row. There are ``rows`` kernel rows, ``row_stride`` bytes
    apart.

    Weights: [blocks, rows, runs, elements of a run, lanes], contiguous. Result: [pixels, blocks * lanes].
    """

    pixels: tuple[int, ...]
    runs: tuple[int, ...]
    run_bytes: int
    rows: int
    row_stride: int
    blocks: int
    lanes: int

    @property
    def block_bytes(self) -> int:
        """The bytes of a block's weights: each byte of a window meets one byte of each filter."""
        return self.rows * len(self.runs) * self.run_bytes * self.lanes


def window_tile(
    image: tuple[int, ...],
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    tile: Tile,
    lanes: int,
    channel_bytes: int = 0,
) -> WindowTile:
    """The tile of a convolution of ``kernel`` (height, width) over a padded ``image`` [N, H, W, bytes of a pixel].

    A window reads ``channel_bytes`` neighbouring bytes of each pixel, those of a group, or all of them (0).
    """
    size, row = image[3], image[2] * image[3]
    neighbours = not channel_bytes and (dilation[1] == 1 or kernel[1] == 1)
    return WindowTile(
        pixels=tuple(r * stride[0] * row + q * stride[1] * size for r in range(tile.rows) for q in range(tile.columns)),
        runs=(0,) if neighbours else tuple(tap * dilation[1] * size for tap in range(kernel[1])),
        run_bytes=kernel[1] * size if neighbours else channel_bytes or size,
        rows=kernel[0],
        row_stride=dilation[0] * row,
        blocks=tile.blocks,
        lanes=lanes,
    )


def product_tile(tiles_wide: int, size: int, channels: int, *, tile: Tile, lanes: int) -> WindowTile:
    """The tile of one element of the products of a Winograd convolution, whose input transform is float32 [N, rows,
    tiles_wide, size, size, channels]: pixels are tiles of the image, and a window is one tile.
    """
    pixel = size * size * channels * 4
    return WindowTile(
        pixels=tuple((r * tiles_wide + q) * pixel for r in range(tile.rows) for q in range(tile.columns)),
        runs=(0,),
        run_bytes=channels * 4,
        rows=1,
        row_stride=0,
        blocks=tile.blocks,
        lanes=lanes,
    )
