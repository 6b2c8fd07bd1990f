"""Bring the network from NCHW to NHWC, weights to HWIO, with transposes at its borders only.

    R.nn.conv2d(x[1, C, H, W], w[O, I, kh, kw])  ->  R.nn.conv2d(x[1, H, W, C], w[kh, kw, I, O])

ConvertLayout of Relax does the convolutions, pooling and plain arithmetic. What it cannot move (pad, clip, where, ...)
is moved by SinkTranspose, and a transpose that came to stand between a sign and its convolution is put before the sign.
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.canonicalize.align_constants import AlignConstants
from b2nn_tvm.passes.canonicalize.normalize_axes import NormalizeAxes
from b2nn_tvm.passes.canonicalize.sink_sign import SinkSign
from b2nn_tvm.passes.canonicalize.unfold_stack import UnfoldStack
from b2nn_tvm.passes.layout.reshape_transpose import ReshapeTranspose
from b2nn_tvm.passes.layout.sink_transpose import SinkTranspose
from b2nn_tvm.passes.layout.sort_norm_axes import SortNormAxes
from b2nn_tvm.provenance.rewrite_log import RewriteLog


def convert_layout(log: RewriteLog | None = None) -> tvm.transform.Pass:
    """The passes that turn a network in canonical form, NCHW, into the same in NHWC and HWIO; ``log`` learns what
    they did.
    """
    return tvm.transform.Sequential(
        [
            AlignConstants(),
            UnfoldStack(),
            NormalizeAxes(),
            relax.transform.CanonicalizeBindings(),  # ConvertLayout loses the layout in a plain ``a = b``
            relax.transform.ConvertLayout({"relax.nn.conv2d": ["NHWC", "HWIO"]}),
            relax.transform.CanonicalizeBindings(),
            SortNormAxes(),
            SinkTranspose(),
            SinkSign(log),
            ReshapeTranspose(),
            relax.transform.EliminateCommonSubexpr(),
            relax.transform.CanonicalizeBindings(),
            relax.transform.DeadCodeElimination(),
        ],
        name="convert_layout",
    )
