"""Channel counts round the widths of words, and values that are hard to pack."""

import numpy as np

CHANNELS = (1, 3, 8, 16, 31, 32, 33, 63, 64, 65, 128)


WORDS = ("uint8", "uint32")


def activations(batch, height, width, channels):
    """Values and thresholds in which ties, zeros of both signs and NaN occur in every channel position."""
    rng = np.random.default_rng(channels)
    limits = rng.choice(np.array([0.0, -0.0, 0.5, -1.25], np.float32), channels)
    x = rng.standard_normal((batch, height, width, channels)).astype(np.float32)
    kinds = rng.integers(0, 6, x.shape)
    for kind, value in enumerate((0.0, -0.0, np.nan, np.broadcast_to(limits, x.shape))):
        x = np.where(kinds == kind, value, x)
    return x.astype(np.float32), limits
