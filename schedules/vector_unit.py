"""What a schedule must know of an instruction set: its registers, and how much of a tile fits into them."""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.schedules.tile import Tile, tiles


@dataclass(frozen=True)
class RegisterTile:
    """For one kind of kernel: the most vectors of sums that leave room for the operands in the registers, and the output
    pixels per pass, their rows and the vectors of channels that its default tile aims at (measured on ResNet-18's four
    stages and its stem)."""

    accumulators: int
    pixels: int
    rows: int
    blocks: int = 2


@dataclass(frozen=True)
class VectorUnit:
    """An instruction set: how it shapes the data, and what fits its registers, by kind of kernel."""

    name: str
    layout: VectorLayout
    float: RegisterTile
    binary: RegisterTile
    winograd: RegisterTile

    def candidates(self, kind: str, height: int, width: int, blocks: int) -> tuple[Tile, ...]:
        """The tiles worth measuring for an output of height x width pixels and ``blocks`` vectors, the default first."""
        limits: RegisterTile = getattr(self, kind)
        fitting = tiles(height, width, blocks, accumulators=limits.accumulators)
        return tuple(sorted(fitting, key=lambda tile: _order(tile, limits)))


def _order(tile: Tile, aim: RegisterTile) -> tuple[int, ...]:
    """As many pixels and vectors of channels as aimed at, so that both operands of the inner loop are used again."""
    pixels = tile.pixels if tile.pixels <= aim.pixels else 2 * aim.pixels - tile.pixels
    return (-min(tile.blocks, aim.blocks) * pixels, abs(tile.blocks - aim.blocks), abs(tile.rows - aim.rows))
