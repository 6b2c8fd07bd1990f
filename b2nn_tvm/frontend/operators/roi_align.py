"""RoiAlign: averages are left to TVM; it computes other maxima than ONNX defines."""

from __future__ import annotations

from tvm import relax

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.operators.node import Attrs, Inputs, word


def roi_align(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> None:
    """Raise UnsupportedError for the mode max."""
    if word(attrs, "mode", "avg") != "avg":
        raise UnsupportedError("its mode max has no kernel; use the mode avg, or end the network before it")
