"""Images in the forms that people store."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.data.arrays.array_images import channels_first
from b2nn_tvm.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64, np.uint16])
def test_whole_numbers_of_a_byte_are_bytes_whatever_their_type(kind: type) -> None:
    found = channels_first("x", PIXELS.astype(kind))
    assert found.dtype == np.uint8 and np.array_equal(found, PIXELS.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_stay_as_they_are(kind: type) -> None:
    found = channels_first("x", (PIXELS / 256).astype(kind))
    assert found.dtype == np.float32 and np.array_equal(found, PIXELS.transpose(0, 3, 1, 2) / 256)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (PIXELS.astype(np.uint16) * 257, "uint16 from .*white"),
        (PIXELS.astype(np.int16) - 300, "int16 from -"),
        (PIXELS > 3, "bool"),
        (np.concatenate([PIXELS, PIXELS[..., :1]], axis=3), r"leave out the fourth channel by x\[\.\.\., :3\]"),
        (PIXELS[0, 0], r"\[5, 3\]"),
        (np.full((1, 2, 2), np.inf), "not finite"),
    ],
)
def test_anything_else_is_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        channels_first("x", images)
