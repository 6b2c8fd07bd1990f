"""Float convolution in float64, and how far a float32 sum of the same terms may be from it."""

from __future__ import annotations

import numpy as np

from b2nn_tvm.workload import ConvWorkload


def conv2d(x: np.ndarray, weight: np.ndarray, workload: ConvWorkload) -> np.ndarray:
    """float64 [N, O, H', W'] of x [N, C, H, W] and weight [O, C / groups, kh, kw], padded with 0."""
    top, left, bottom, right = workload.padding
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    (sh, sw), (dh, dw), groups = workload.stride, workload.dilation, workload.groups
    y = np.zeros((workload.batch, workload.out_channels, workload.out_height, workload.out_width))
    inputs, outputs = workload.in_channels // groups, workload.out_channels // groups
    for g in range(groups):
        source, filters = padded[:, g * inputs : (g + 1) * inputs], weight[g * outputs : (g + 1) * outputs]
        for i in range(workload.kernel[0]):
            for j in range(workload.kernel[1]):
                rows = slice(i * dh, i * dh + (workload.out_height - 1) * sh + 1, sh)
                columns = slice(j * dw, j * dw + (workload.out_width - 1) * sw + 1, sw)
                taps = np.einsum("oc,nchw->nohw", filters[:, :, i, j].astype(np.float64), source[:, :, rows, columns])
                y[:, g * outputs : (g + 1) * outputs] += taps
    return y


def rounding(magnitude: np.ndarray, terms: int) -> np.ndarray:
    """The most by which a float32 sum of ``terms`` products errs, in any order; ``magnitude`` is the sum of their
    absolute values (Higham, "Accuracy and Stability of Numerical Algorithms", eq. 3.5)."""
    return magnitude * (terms + 1) * 2.0**-24
