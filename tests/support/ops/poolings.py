"""Poolings whose windows overlap, leave gaps and hang over every border, of an image of HEIGHT x WIDTH pixels."""

from b2nn_tvm.ops.pooling import Pooling

POOLINGS = {
    "2x2": Pooling((2, 2), (2, 2), (0, 0, 0, 0), (1, 1), 3, 4),
    "3x3, stride 2": Pooling((3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 4, 4),
    "3x3, stride 1": Pooling((3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 7, 8),
    "ceil mode": Pooling((2, 3), (2, 2), (0, 0, 1, 1), (1, 1), 4, 4),
    "dilated": Pooling((2, 3), (1, 2), (1, 2, 2, 1), (3, 2), 7, 4),
    "one row": Pooling((1, 2), (3, 1), (0, 1, 0, 0), (1, 1), 3, 8),
}


HEIGHT = 7


WIDTH = 8
