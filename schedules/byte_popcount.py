"""The binary convolution in bytes: TVM's loops around a micro-kernel that sums a tile.

for n, o0, h0 (parallel) w0:
    micro-kernel (popcount_kernel.py):   sums (uint16) of the tile
    epilogue of the tile
"""

from __future__ import annotations

import tvm
from tvm import s_tir, tirx
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.schedules.epilogue import attach_epilogue, inline_epilogue
from b2nn_tvm.schedules.popcount_kernel import kernel_ir, popcount_tile
from b2nn_tvm.schedules.tile import Tile
from b2nn_tvm.schedules.vector_unit import VectorUnit


def schedule_byte_popcount(
    sch: Schedule, anchor: SBlockRV, *, vector_unit: VectorUnit, tile: Tile, lanes: int, parallel: bool
) -> None:
    """Schedule the block ``bconv2d`` (bytes) and all that was fused behind it."""
    numbers = sch.get(anchor).annotations
    stride, dilation = (tuple(int(numbers[f"b2nn.{name}_{axis}"]) for axis in "hw") for name in ("stride", "dilation"))
    epilogue = inline_epilogue(sch, anchor)
    n, h, w, o, *reduction = sch.get_loops(anchor)
    h0, h1 = sch.split(h, [None, tile.rows])
    w0, w1 = sch.split(w, [None, tile.columns])
    o0, o1, lane = sch.split(o, [None, tile.blocks, lanes])
    sch.reorder(n, o0, h0, w0, h1, w1, o1, lane, *reduction)
    attach_epilogue(sch, epilogue, w0, depth=4, lanes=vector_unit.layout.float_lanes)
    outer = sch.fuse(n, o0, h0)
    if parallel:
        sch.parallel(outer)
    block = sch.blockize(h1)
    image, weights = (region for region in sch.get(block).reads)
    shapes = [tuple(int(extent) for extent in region.source.ty.shape) for region in (image, weights)]
    geometry = popcount_tile(shapes[0], shapes[1][1:3], stride=stride, dilation=dilation, tile=tile, lanes=lanes)
    _replace_by_call(sch, block, *kernel_ir(vector_unit.popcount(geometry)))


def _replace_by_call(sch: Schedule, block: SBlockRV, name: str, text: str) -> None:
    """Put a call of a function of LLVM IR, (image, weights, sums), in place of the loops of a tile and its initial zeros."""
    old = sch.get(block)
    (sums,) = old.writes
    shape = [int(axis.extent) for axis in sums.region]
    part = tirx.decl_buffer(
        shape, "uint16", "sums", scope="local", offset_factor=1, elem_offset=tirx.Var("start", "int32")
    )
    addresses = [
        tirx.address_of(tirx.BufferLoad(read.source, [axis.min for axis in read.region])) for read in old.reads
    ]
    call = tirx.Evaluate(tirx.call_extern("int32", name, *addresses, part.access_ptr("w")))
    new = s_tir.SBlock(
        iter_vars=old.iter_vars,
        reads=old.reads,
        writes=old.writes,
        name_hint=old.name_hint,
        body=tirx.AttrStmt(tirx.const(0, "int32"), "pragma_import_llvm", tvm.ir.StringImm(text), call),
        match_buffers=[s_tir.MatchBufferRegion(part, sums)],
    )
    sch.state.replace(sch.get_sref(block), new, {old: new})
