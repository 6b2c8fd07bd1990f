"""The anchor of a function: the convolution that decides how all of the function is scheduled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import tvm
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.kernel_attrs import (
    ANCHORS,
    BINARY_SUMS,
    Op,
    full_range_of,
    groups_of,
    lanes_of,
    op_of,
    taps_of,
    tile_size_of,
    window_of,
    workload_of,
)
from b2nn_tvm.schedules.micro_kernels.popcount_kernel import VECTOR
from b2nn_tvm.schedules.templates.depthwise import DepthwiseWindow
from b2nn_tvm.schedules.templates.epilogue import word_channels_of

# Vector operations of a kernel below which waking a second thread (5 to 10 us) costs more than it saves: a core does
# two of them per cycle in the tiles of a float convolution, and one or fewer elsewhere.
PARALLEL_UPDATES, PARALLEL_FLOAT_UPDATES = 1 << 14, 1 << 15


@dataclass(frozen=True)
class Anchor:
    """The convolution block of a function: its operator, its workload key, its vector width and the output that it
    tiles.

    ``height`` x ``width`` counts output pixels, or tiles of a Winograd convolution; ``updates`` counts vector
    operations, ``weights`` bytes.
    """

    block: SBlockRV
    op: Op
    workload: str
    lanes: int
    height: int
    width: int
    blocks: int
    updates: int
    weights: int
    word_channels: int = 1
    groups: int = 1
    run: int = 1  # the codes of a word of an 8-bit convolution, or the taps of one of a depthwise one
    full_range: bool = False  # some weight of an 8-bit convolution is -128
    tile_size: int = 0  # the m of an 8-bit Winograd convolution
    strided: bool = False  # an 8-bit Winograd convolution of stride 2
    depthwise: DepthwiseWindow | None = None  # of an 8-bit depthwise convolution that a micro-kernel may sum

    @property
    def kind(self) -> str:
        """The kind of the vector unit's register budget that applies: "float", "binary", "int8" or "winograd"."""
        if self.op is Op.WINOGRAD_CONV2D:
            return "winograd"
        if self.op is Op.INT8_CONV2D and self.run > 1:
            return "int8"
        return "binary" if self.op in BINARY_SUMS else "float"

    @property
    def parallel(self) -> bool:
        """Whether the kernel has work for a second thread."""
        return self.updates >= (PARALLEL_FLOAT_UPDATES if self.op is Op.CONV2D else PARALLEL_UPDATES)


def find_anchor(sch: Schedule) -> Anchor | None:
    """The block that carries the mark of a convolution, or None."""
    marked = marked_blocks(sch)
    for op, block in marked.items():
        if op not in ANCHORS:
            continue
        annotations = sch.get(block).annotations
        lanes = lanes_of(annotations)
        extents = _extents(sch, block)
        counted = marked.get(Op.BCONV2D_LOOKUPS, block)  # the block of the innermost loop
        run = extents[-1] if op in (Op.INT8_CONV2D, Op.INT8_WINOGRAD_CONV2D) else taps_of(annotations)
        updates = prod(_extents(sch, counted)) // (VECTOR if op is Op.BCONV2D_BYTES else lanes * run)
        weights = _weights(sch, counted)
        outputs = extents[5 if op is Op.WINOGRAD_CONV2D else 3]
        return Anchor(
            block,
            op,
            workload_of(annotations),
            lanes,
            extents[1],
            extents[2],
            outputs // lanes,
            updates,
            weights,
            word_channels_of(sch),
            groups_of(annotations),
            run,
            full_range_of(annotations),
            tile_size_of(annotations) if op is Op.INT8_WINOGRAD_CONV2D else 0,
            op is Op.INT8_WINOGRAD_CONV2D and window_of(annotations).stride != (1, 1),
            _depthwise_window(extents, annotations) if op is Op.INT8_DEPTHWISE_CONV2D and run > 1 else None,
        )
    return None


def marked_blocks(sch: Schedule) -> dict[Op, SBlockRV]:
    """The blocks with a mark, by their operator."""
    blocks = sch.get_child_blocks(sch.get_sblock("root"))
    return {op: block for block in blocks if (op := op_of(sch.get(block).annotations)) is not None}


def _depthwise_window(extents: list[int], annotations: Mapping[str, Any]) -> DepthwiseWindow:
    height, width = extents[4:]
    return DepthwiseWindow((height, width), window_of(annotations))


def _weights(sch: Schedule, block: SBlockRV) -> int:
    """The bytes of the weights: the last parameter of the function that the block reads. The image stands before it, or
    is made inside the function.
    """
    parameters = list(sch.mod["main"].params)
    sources = (read.source for read in sch.get(block).reads)
    *_, weights = (source for source in sources if any(source.same_as(parameter) for parameter in parameters))
    return prod(map(int, weights.shape)) * int(tvm.runtime.DataType(str(weights.dtype)).itemsize)


def _extents(sch: Schedule, block: SBlockRV) -> list[int]:
    return [int(sch.get(loop).extent) for loop in sch.get_loops(block)]
