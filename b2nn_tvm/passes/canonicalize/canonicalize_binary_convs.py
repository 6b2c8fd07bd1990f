"""Bring any accepted spelling of a binary convolution to the one canonical form.

    s = R.sign(x)  or  R.sign(R.subtract(x, t[1, C, 1, 1]))  or  R.nn.pad(one of them, -1 or +1)
    R.multiply(R.nn.conv2d(s, w = -1 or +1), alpha[1, O, 1, 1])

The network is in NCHW. Zero padding is the convolution's own; the multiplication is absent where alpha is 1, and a
batch norm behind it has become one multiplication and one addition.
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.canonicalize.align_constants import AlignConstants
from b2nn_tvm.passes.canonicalize.canonicalize_sign import CanonicalizeSign
from b2nn_tvm.passes.canonicalize.fold_affine import FoldAffine
from b2nn_tvm.passes.canonicalize.fold_constants import FoldConstants
from b2nn_tvm.passes.canonicalize.hoist_input_scale import HoistInputScale
from b2nn_tvm.passes.canonicalize.merge_pad import MergePad
from b2nn_tvm.passes.canonicalize.sink_sign import SinkSign
from b2nn_tvm.passes.canonicalize.split_binary_weights import SplitBinaryWeights
from b2nn_tvm.provenance.rewrite_log import RewriteLog


def canonicalize_binary_convs(log: RewriteLog | None = None) -> tvm.transform.Pass:
    """The passes from an imported network to the canonical form, in their order; ``log`` learns what they did."""
    return tvm.transform.Sequential(
        [
            relax.transform.DecomposeOpsForInference(),
            FoldConstants(),
            relax.transform.CanonicalizeBindings(),
            AlignConstants(),
            FoldAffine(log),  # before the signs: a batch norm in front of a sign is an affine map, not a threshold
            CanonicalizeSign(log),
            HoistInputScale(log),
            SinkSign(log),
            MergePad(log),
            SplitBinaryWeights(log),
            FoldAffine(log),  # again: now with alpha and the scale of the signs
            relax.transform.CanonicalizeBindings(),
            relax.transform.DeadCodeElimination(),
        ],
        name="canonicalize_binary_convs",
    )
