"""The loops around the tiles of a convolution: their order, and whether threads share them."""

from __future__ import annotations

from dataclasses import dataclass

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV


@dataclass(frozen=True)
class OuterLoops:
    """The order of the tiles. With ``rows_first``, all channels of a tile's pixels follow one another and a thread
    computes whole rows, as it does in the layers before and after it, so that its input is in its own cache and no two
    threads write packed words of one pixel, which share a cache line. Otherwise blocks of channels come first: weights
    that do not stay near the core are then loaded once per block.
    """

    rows_first: bool
    parallel: bool

    def ordered(self, n: LoopRV, h0: LoopRV, o0: LoopRV) -> tuple[LoopRV, LoopRV, LoopRV]:
        """Images, then rows of tiles and blocks of channels."""
        return (n, h0, o0) if self.rows_first else (n, o0, h0)

    def share(self, sch: Schedule, loops: tuple[LoopRV, LoopRV, LoopRV]) -> None:
        """Fuse ``loops`` into one loop, of which each thread takes a part if the loops are parallel."""
        outer = sch.fuse(*loops)
        if self.parallel:
            sch.parallel(outer)
