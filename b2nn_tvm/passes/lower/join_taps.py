"""Let the taps of a kernel row of an 8-bit convolution lie side by side as the codes of its image do, where the
channels do not fill words.

    3 channels, 7 columns:  28 codes in 7 words, of which each has one of no channel  ->  21 codes in 6 words

The pixels that a kernel row meets lie one behind the other in memory, so that its words may hold codes of two pixels.
The last word reads beyond the row; its weights are 0 there.
"""

from __future__ import annotations

import numpy as np

from b2nn_tvm.workload import ConvWorkload


def joins_taps(workload: ConvWorkload, run: int) -> bool:
    """Whether the rows of a kernel take fewer words of ``run`` codes when their taps are joined, or as many and the
    image needs no further channels.
    """
    plain = workload.groups == 1 and workload.dilation[1] == 1 and workload.kernel[1] > 1
    return plain and run > 1 and workload.in_channels % run > 0


def join_taps(weight: np.ndarray) -> np.ndarray:
    """Weights [O, C, kh, kw] as those [O, kw * C, kh, 1] of a kernel of one column."""
    outputs, channels, kernel_height, kernel_width = weight.shape
    return np.ascontiguousarray(weight.transpose(0, 3, 1, 2)).reshape(
        outputs, kernel_width * channels, kernel_height, 1
    )


def columns_read(workload: ConvWorkload, run: int) -> int:
    """The columns that a padded image needs, so that the last word of its last window lies inside of it."""
    codes = -(-workload.kernel[1] * workload.in_channels // run) * run
    return (workload.out_width - 1) * workload.stride[1] + -(-codes // workload.in_channels)
