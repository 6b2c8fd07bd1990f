"""How the windows of a convolution lie in its image, as numbers that its block carries for the schedule."""

from __future__ import annotations

from b2nn_tvm.workload import ConvWorkload


def window_numbers(workload: ConvWorkload) -> dict[str, int]:
    """For ``ops.anchor.mark``: stride and dilation."""
    (sh, sw), (dh, dw) = workload.stride, workload.dilation
    return {"stride_h": sh, "stride_w": sw, "dilation_h": dh, "dilation_w": dw}
