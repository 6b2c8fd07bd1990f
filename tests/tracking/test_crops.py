import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.data.folder_images import MEAN, STD
from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.crops import center_of, context_side, crop, normalized


def ramp(width=40, height=30):
    """Red grows by 5 a pixel to the right, green by 8 a pixel down."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([5 * columns, 8 * rows, 0 * rows], axis=2).astype(np.uint8))


def test_context_by_hand():
    # (30, 10): 2p = 20, so (30 + 20) * (10 + 20) = 1500; a square of 20: (20 + 20)^2.
    assert context_side((30, 10)) == pytest.approx(1500**0.5)
    assert context_side((20, 20)) == 40
    np.testing.assert_array_equal(center_of(np.array([10, 20, 5, 8])), [12.5, 24])


def test_a_crop_inside_of_the_image_is_that_part_of_it():
    image = ramp()
    np.testing.assert_array_equal(crop(image, (12, 10), 8, 8), np.asarray(image)[6:14, 8:16])
    smaller = crop(image, (12, 10), 8, 4).astype(int)
    assert np.abs(smaller[1, 1] - np.asarray(image)[8:10, 10:12].mean(axis=(0, 1))).max() <= 4


def test_half_a_pixel_counts():
    one, other = (crop(ramp(), (x, 10), 8, 8).astype(int) for x in (12, 12.5))
    assert set((other - one)[:, 1:-1, 0].ravel()) <= {2, 3}  # 5 / 2


def test_what_lies_outside_has_the_mean_color():
    image = ramp()
    mean = np.round(np.asarray(image).mean(axis=(0, 1)))
    square = crop(image, (0, 0), 20, 20)
    np.testing.assert_array_equal(square[:10, :].reshape(-1, 3), np.tile(mean, (200, 1)))
    np.testing.assert_array_equal(square[10:, 10:], np.asarray(image)[:10, :10])
    np.testing.assert_array_equal(crop(image, (500, 500), 10, 4).reshape(-1, 3), np.tile(mean, (16, 1)))


@pytest.mark.parametrize(
    ("center", "side"), [((5, 5), 0), ((5, 5), -3), ((5, 5), 1e9), ((float("nan"), 5), 4), ((5, 5), float("inf"))]
)
def test_absurd_squares_are_refused_before_they_take_memory(center, side):
    with pytest.raises(InputError, match="does not fit an image of 40x30; check the boxes"):
        crop(ramp(), center, side, 8)


def test_normalized_crops_are_a_networks_input():
    crops = np.full((2, 3, 4, 3), 255, np.uint8)
    found = normalized(crops)
    assert found.dtype == np.float32 and found.shape == (2, 3, 3, 4) and found.flags.c_contiguous
    np.testing.assert_allclose(found[1, :, 2, 3], (1 - np.array(MEAN)) / np.array(STD), rtol=1e-6)
