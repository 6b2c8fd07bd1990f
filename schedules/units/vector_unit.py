"""The facts about an instruction set that a schedule needs: its registers, and the tiles that fit into them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.schedules.micro_kernels.depthwise_x86 import X86DepthwiseKernel
from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel
from b2nn_tvm.schedules.micro_kernels.popcount_kernel import PopcountKernel
from b2nn_tvm.schedules.micro_kernels.winograd.stride1_x86 import X86WinogradKernel
from b2nn_tvm.schedules.tiles.tile import Tile, tiles

NARROW_CHANNELS = 32  # output channels per row of tiles of a Winograd convolution


@dataclass(frozen=True)
class RegisterTile:
    """The register budget of one kind of kernel: ``accumulators``, the most vectors of sums that leave room for the
    operands in the registers, and the aim of its default tile: output ``pixels`` per pass, their ``rows``, and
    ``blocks``, the vectors of channels (measured on ResNet-18's four stages and its stem).

    Where ``latency`` is given, the default tile aims first at ``latency`` sums, because with fewer sums each would wait
    for its last addition, and then at the most use of each operand up to ``pixels`` and ``blocks``, where the broadcast
    of a pixel costs ``broadcast`` times as much as a vector of weights.
    """

    accumulators: int
    pixels: int
    rows: int
    blocks: int = 2
    latency: int = 0
    broadcast: float = 1


@dataclass(frozen=True)
class VectorUnit:
    """An instruction set: the ``layout`` of its data, its register budgets by kind of kernel, and, where it has them,
    the assembly that sums tiles of binary convolutions in bytes (``popcount``), of float convolutions (``multiply``)
    and of 8-bit convolutions (``dot``, with the budget ``int8``, and ``depthwise``; loops take the budget of floats).
    Where a weight is -128, ``dot_full_range`` sums them, if ``dot`` cannot. ``widen`` sums tiles of depthwise 8-bit
    convolutions tap by tap, and ``widen_each`` those of any weights. ``winograd_codes`` sums those of ``layout`` that
    are computed by Winograd's form, and ``strided_winograd_codes`` those of stride 2. ``loop_sums`` are the most
    vectors of sums of a tile that a loop nest sums, whose operands need more registers than assembly.
    ``near_weights`` are the bytes of weights that may be read anew for each row of tiles: on x86 a part of a core's
    own second-level cache, on ARM half of the first-level one, as the second is far and shared and an in-order core
    waits for it.
    """

    name: str
    layout: VectorLayout
    float: RegisterTile
    binary: RegisterTile
    winograd: RegisterTile
    popcount: type[PopcountKernel] | None = None
    multiply: type[MicroKernel] | None = None
    int8: RegisterTile | None = None
    dot: type[MicroKernel] | None = None
    dot_full_range: type[MicroKernel] | None = None
    widen: type[MicroKernel] | None = None
    widen_each: type[MicroKernel] | None = None
    depthwise: type[X86DepthwiseKernel] | None = None
    winograd_codes: type[X86WinogradKernel] | None = None
    strided_winograd_codes: type[X86WinogradKernel] | None = None
    loop_sums: int = 32
    near_weights: int = 1 << 17

    def candidates(
        self, kind: str, height: int, width: int, blocks: int, lanes: int = 1, *, allow_leftover_column: bool = False
    ) -> tuple[Tile, ...]:
        """The tiles worth measuring for an output of height x width pixels and ``blocks`` vectors, the default first;
        ``allow_leftover_column`` is explained at tiles().
        """
        limits: RegisterTile = getattr(self, kind) or self.float
        fitting = tiles(
            height, width, blocks, accumulators=limits.accumulators, allow_leftover_column=allow_leftover_column
        )
        aim = _aim(limits, kind, blocks, lanes)
        return tuple(sorted(fitting, key=lambda tile: _order(tile, aim)))


def _aim(limits: RegisterTile, kind: str, blocks: int, lanes: int) -> RegisterTile:
    """The aim for a layer: more pixels in place of the vectors of channels that a narrow layer does not have, and fewer
    rows of tiles for a narrow Winograd layer, because the weights that the rows share are small.
    """
    taken = min(blocks, limits.blocks)
    pixels = min(limits.pixels * limits.blocks // taken, limits.accumulators // taken)
    rows = min(limits.rows, max(1, blocks * lanes // NARROW_CHANNELS)) if kind == "winograd" else limits.rows
    return replace(limits, pixels=pixels, rows=rows)


def _order(tile: Tile, aim: RegisterTile) -> tuple[float, ...]:
    """The sort key of a tile: as many pixels and vectors of channels as aimed at come first, so that both operands of
    the inner loop are used again.
    """
    if aim.latency:
        pixels, blocks = min(tile.pixels, aim.pixels), min(tile.blocks, aim.blocks)
        use = pixels * blocks / (aim.broadcast * pixels + blocks)
        return (-min(tile.accumulators, aim.latency), -use, tile.accumulators, abs(tile.rows - aim.rows))
    pixels = tile.pixels if tile.pixels <= aim.pixels else 2 * aim.pixels - tile.pixels
    return (-min(tile.blocks, aim.blocks) * pixels, abs(tile.blocks - aim.blocks), abs(tile.rows - aim.rows))
