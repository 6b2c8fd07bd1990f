"""Max pooling of floats, written out tap by tap, against the definition: every maximum is one of the image's values."""

import numpy as np
import pytest
from tvm import te

from b2nn_tvm.ops.max_pool2d import max_pool2d, obstacle
from b2nn_tvm.ops.pooling import Pooling
from b2nn_tvm.targets.target import get
from tests.support.ops.scheduled import compile_tensors

HEIGHT, WIDTH = 7, 8
POOLINGS = {
    "2x2": Pooling((2, 2), (2, 2), (0, 0, 0, 0), (1, 1), 3, 4),
    "3x3, stride 2": Pooling((3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 4, 4),
    "3x3, stride 1": Pooling((3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 7, 8),
    "ceil mode": Pooling((2, 3), (2, 2), (0, 0, 1, 1), (1, 1), 4, 4),
    "4x4": Pooling((4, 4), (3, 1), (2, 3, 2, 0), (1, 1), 3, 8),
    "gaps between windows": Pooling((1, 2), (3, 3), (0, 1, 0, 0), (1, 1), 3, 3),
}


def expected(x: np.ndarray, pooling: Pooling) -> np.ndarray:
    (sh, sw), (kh, kw), (top, left) = pooling.stride, pooling.kernel, pooling.padding[:2]
    wide = np.pad(x, ((0, 0), (top, 9), (left, 9), (0, 0)), constant_values=-np.inf)
    rows = [wide[:, h * sh : h * sh + kh] for h in range(pooling.out_height)]
    return np.stack(
        [np.stack([r[:, :, w * sw : w * sw + kw].max((1, 2)) for w in range(pooling.out_width)], 1) for r in rows], 1
    )


@pytest.mark.parametrize("channels", [3, 32])
@pytest.mark.parametrize("name", POOLINGS)
def test_is_the_maximum(name, channels):
    pooling = POOLINGS[name]
    assert obstacle(HEIGHT, WIDTH, pooling) == ""
    x = te.placeholder((2, HEIGHT, WIDTH, channels), name="x")
    data = np.random.default_rng(channels).standard_normal((2, HEIGHT, WIDTH, channels)).astype(np.float32) - 9
    got = compile_tensors([x, max_pool2d(x, pooling)], get("native"))(data)
    np.testing.assert_array_equal(got, expected(data, pooling))


@pytest.mark.parametrize(
    ("pooling", "why"),
    [
        (Pooling((5, 5), (1, 1), (2, 2, 2, 2), (1, 1), 7, 8), "more than 16 taps"),
        (Pooling((2, 2), (1, 1), (0, 0, 0, 0), (1, 2), 6, 6), "gaps"),
        (Pooling((1, 1), (3, 3), (1, 0, 0, 0), (1, 1), 3, 3), "outside the image"),
        (Pooling((2, 2), (4, 4), (0, 0, 2, 0), (1, 1), 3, 2), "outside the image"),
    ],
)
def test_what_cannot_be_written_out(pooling, why):
    assert why in obstacle(HEIGHT, WIDTH, pooling)
