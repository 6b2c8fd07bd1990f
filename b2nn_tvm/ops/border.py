"""Tensors with a border of zeros, or of one other number, in memory: the loops by which other functions write and read
the image inside.

A function that computes an image [N, H, W, C] writes it into [N, H + pads, W + pads, C] in an additional last block, a
function that reads the image reads it from there in an additional first block; both blocks are elementwise, so that
schedules fold them into stores and loads.
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

Padding = tuple[int, int, int, int]


def into_border(image: tirx.Var, padding: Padding) -> tirx.PrimFunc:
    """Loops (y [N, H + pads, W + pads, C]) that copy the buffer ``image`` of another function into y; ``padding`` is
    (top, left, bottom, right).
    """
    return _copy(image, padding, inwards=True)


def out_of_border(image: tirx.Var, padding: Padding) -> tirx.PrimFunc:
    """Loops (x [N, H + pads, W + pads, C]) that copy from x into the buffer ``image`` of another function."""
    return _copy(image, padding, inwards=False)


def _copy(image: tirx.Var, padding: Padding, *, inwards: bool) -> tirx.PrimFunc:
    batch, height, width, channels = (int(extent) for extent in image.ty.shape)
    top, left, bottom, right = padding
    i = T.int64
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("copy")
        pointer = T.arg("bordered_ptr", T.handle())
        shape = (i(batch), i(height + top + bottom), i(width + left + right), i(channels))
        bordered = T.match_buffer(pointer, shape, str(image.dtype))
        with (
            T.grid(i(batch), i(height), i(width), i(channels)) as loops,
            T.sblock("into_border" if inwards else "out_of_border"),
        ):
            n, h, w, c = T.axis.remap("SSSS", loops)
            inner, outer = (n, h, w, c), (n, h + top, w + left, c)
            source, target = ((image, inner), (bordered, outer)) if inwards else ((bordered, outer), (image, inner))
            T.reads(source[0][source[1]])
            T.writes(target[0][target[1]])
            T.buffer_store(target[0], source[0][source[1]], target[1])
    return builder.get()


def fill_around(bordered: tirx.Var, padding: Padding, value: int = 0) -> tirx.Stmt:
    """Loops that set the border of the buffer ``bordered`` [N, H + pads, W + pads, C] of another function to
    ``value``.
    """
    batch, rows, columns, channels = (int(extent) for extent in bordered.ty.shape)
    top, left, bottom, right = padding
    bands = (
        (0, top, 0, columns),
        (rows - bottom, bottom, 0, columns),
        (top, rows - top - bottom, 0, left),
        (top, rows - top - bottom, columns - right, right),
    )
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("fill")
        for first_row, height, first_column, width in bands:
            if height and width:
                with T.grid(batch, height, width, channels) as (n, h, w, c):
                    T.buffer_store(
                        bordered, tirx.const(value, str(bordered.dtype)), (n, first_row + h, first_column + w, c)
                    )
    return builder.get().body
