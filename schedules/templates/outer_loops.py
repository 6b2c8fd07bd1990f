"""The loops around the tiles of a convolution: which come first, and whether threads share them."""

from __future__ import annotations

from dataclasses import dataclass

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV


@dataclass(frozen=True)
class OuterLoops:
    """The order of the tiles. Rows of tiles first: all channels of a tile's pixels follow one another and a thread
    computes whole rows, as it does in the layers before and behind, so that what it reads is in its own cache and no
    two threads write packed words of one pixel, which share a cache line. Weights that do not stay near the core come
    first: each block is then loaded once.
    """

    rows_first: bool
    parallel: bool

    def ordered(self, n: LoopRV, h0: LoopRV, o0: LoopRV) -> tuple[LoopRV, LoopRV, LoopRV]:
        """Images, then rows of tiles and blocks of channels."""
        return (n, h0, o0) if self.rows_first else (n, o0, h0)

    def share(self, sch: Schedule, loops: tuple[LoopRV, LoopRV, LoopRV]) -> None:
        """Make one loop of them, of which each thread takes a part, should they be parallel."""
        outer = sch.fuse(*loops)
        if self.parallel:
            sch.parallel(outer)
