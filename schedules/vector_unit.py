"""What a schedule must know of an instruction set: its registers, and how much of a tile fits into them."""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.schedules.tile import Tile, tiles


@dataclass(frozen=True)
class VectorUnit:
    """An instruction set: ``float_accumulators`` and ``binary_accumulators`` are the most vectors of sums that leave room
    for the operands in its registers; ``float_pixels`` and ``binary_pixels`` are the output pixels per pass that the default
    tile aims at (measured on ResNet-18's four stages)."""

    name: str
    layout: VectorLayout
    float_accumulators: int
    binary_accumulators: int
    float_pixels: int
    binary_pixels: int

    def candidates(self, height: int, width: int, blocks: int, *, binary: bool) -> tuple[Tile, ...]:
        """The tiles worth measuring for an output of height x width pixels and ``blocks`` vectors, the default first."""
        limit = self.binary_accumulators if binary else self.float_accumulators
        fitting = tiles(height, width, blocks, accumulators=limit)
        aim = self.binary_pixels if binary else self.float_pixels
        return tuple(sorted(fitting, key=lambda tile: _order(tile, aim)))


def _order(tile: Tile, aim: int) -> tuple[int, ...]:
    """Two vectors of channels and as many pixels as aimed at, so that both operands of the inner loop are used again."""
    pixels = tile.pixels if tile.pixels <= aim else 2 * aim - tile.pixels
    return (-min(tile.blocks, 2) * pixels, abs(tile.blocks - 2), tile.columns)
