"""SpaceToDepth: blocks of pixels become channels, in either order."""

from __future__ import annotations

from tvm import relax

from b2nn_tvm.frontend.operators.node import Attrs, Inputs, sizes, word


def space_to_depth(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """The pixels of a block before the channels (DCR, the only order before opset 28), or behind them (CRD)."""
    batch, channels, height, width = sizes(inputs[0])
    block = int(attrs["blocksize"])
    apart = (batch, channels, height // block, block, width // block, block)
    order = [0, 1, 3, 5, 2, 4] if word(attrs, "mode", "DCR") == "CRD" else [0, 3, 5, 1, 2, 4]
    moved = bb.emit(relax.op.permute_dims(bb.emit(relax.op.reshape(inputs[0], apart)), order))
    return relax.op.reshape(moved, (batch, channels * block * block, height // block, width // block))
