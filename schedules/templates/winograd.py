"""The Winograd convolution: transform, multiply and transform back a few rows of tiles at a time, so that these rows
stay in cache.

    for n, p0 (parallel):                                       ``rows`` rows of tiles
        for p q c0: half_input, input_transform                  (unrolled, vectors of channels)
        for i j q0 o0: for k: product                           (``columns`` tiles x ``blocks`` vectors in registers,
                                                                by a micro-kernel where the vector unit has one)
        for p q o0: half_output, output_transform, epilogue

Where the image has few groups of rows, each of the three inner nests is a parallel loop instead, if there is enough
work to pay for fetching the transformed image from other cores' caches.
"""

from __future__ import annotations

from collections.abc import Mapping

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.kernel_attrs import Op
from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel, put_kernel
from b2nn_tvm.schedules.templates.epilogue import Epilogue, attach_pack
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import product_tile

PARALLEL_GROUPS = 6  # fewer groups of rows would leave threads idle


def schedule_winograd(
    sch: Schedule,
    blocks: Mapping[Op, SBlockRV],
    epilogue: Epilogue,
    kernel: type[MicroKernel] | None,
    *,
    m: int,
    tile: Tile,
    lanes: int,
    parallel: bool,
    parallel_parts: bool,
) -> None:
    """Schedule the blocks of ``winograd_conv2d`` by their marks; ``epilogue`` is the epilogue, inlined into one block.

    ``tile.rows`` x ``tile.columns`` tiles and ``tile.blocks`` vectors of outputs are multiplied at a time.
    """
    n, h, w, o = sch.get_loops(epilogue.output)
    p0, p1, i = sch.split(h, [None, tile.rows, m])
    q, j = sch.split(w, [None, m])
    o0, o1, lane = sch.split(o, [None, max(1, epilogue.word_channels // lanes), lanes])
    sch.reorder(n, p0, p1, q, o0, i, j, o1, lane)
    attach_pack(sch, epilogue, o0, depth=5)

    half_output = blocks[Op.WINOGRAD_HALF_OUTPUT]
    sch.compute_at(half_output, o0, preserve_unit_loops=True)
    sch.set_scope(half_output, 0, "local")
    _unroll_vector(sch, half_output, 5, lanes)

    product = blocks[Op.WINOGRAD_CONV2D]
    sch.compute_at(product, p0, preserve_unit_loops=True)
    _, pn, pp, pq, pi, pj, po, pk = sch.get_loops(product)[1:]
    q0, q1 = sch.split(pq, [None, tile.columns])
    po0, po1, po_lane = sch.split(po, [None, tile.blocks, lanes])
    tiled = (pp, q1, po1, po_lane)
    sch.reorder(pn, pi, pj, q0, po0, *((*tiled, pk) if kernel else (pk, *tiled)))
    total = sch.cache_write(product, 0, "local")
    sch.reverse_compute_at(total, po0, preserve_unit_loops=True)
    _unroll_vector(sch, total, 7, lanes)
    if kernel is None:
        sch.vectorize(po_lane)
        for loop in (pp, q1, po1):
            sch.unroll(loop)

    data = blocks[Op.WINOGRAD_INPUT]
    sch.compute_at(data, p0, preserve_unit_loops=True)
    dn, dp, dq, di, dj, dc = sch.get_loops(data)[2:]
    channel_lanes = next(
        size for size in (lanes, lanes // 2, lanes // 4, 1) if size and int(sch.get(dc).extent) % size == 0
    )
    dc0, dc_lane = sch.split(dc, [None, channel_lanes])
    sch.reorder(dn, dp, dq, dc0, di, dj, dc_lane)
    half_input = blocks[Op.WINOGRAD_HALF_INPUT]
    sch.compute_at(half_input, dc0, preserve_unit_loops=True)
    sch.set_scope(half_input, 0, "local")
    _unroll_vector(sch, half_input, 6, channel_lanes)
    sch.vectorize(dc_lane)
    for loop in (di, dj):
        sch.unroll(loop)

    sch.vectorize(lane)
    for loop in (i, j, o1):
        sch.unroll(loop)
    outer = sch.fuse(n, p0)
    if parallel and int(sch.get(outer).extent) >= PARALLEL_GROUPS:
        sch.parallel(outer)
    elif parallel_parts:
        for loops in ((dn, dp, dq), (pn, pi, pj), (p1, q)):
            sch.parallel(sch.fuse(*loops))
    if kernel is None:
        sch.decompose_reduction(product, pk)
    else:
        tiles_wide, size, channels = (int(sch.get(product).reads[0].source.ty.shape[axis]) for axis in (2, 3, 5))
        put_kernel(sch, sch.blockize(pp), kernel(product_tile(tiles_wide, size, channels, tile=tile, lanes=lanes)))


def _unroll_vector(sch: Schedule, block: SBlockRV, depth: int, lanes: int) -> None:
    """Vectorize the last loop of a block, and unroll its other loops from the ``depth``-th on."""
    *loops, last = sch.get_loops(block)[depth:]
    outer, lane = sch.split(last, [None, lanes])
    sch.vectorize(lane)
    for loop in (*loops, outer):
        sch.unroll(loop)
