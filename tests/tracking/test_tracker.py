"""The tracker with an embedding that keeps the image, so that where it looks and what it finds can be worked out."""

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.got10k import got10k
from b2nn_tvm.tracking.sizes import Sizes
from b2nn_tvm.tracking.tracker import Search, Tracker, cubic_upsampling, track

SIZES = Sizes(exemplar=32, search=64, response=17, stride=2)


def averages(crops):
    """Means of 2x2 pixels, each channel without its mean: features [N, 3, H / 2, W / 2] of stride 2."""
    count, channels, height, width = crops.shape
    small = crops.reshape(count, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))
    return small - small.mean(axis=(2, 3), keepdims=True)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def scene(noise, box, size=(120, 90)):
    """Gray with the texture in the box."""
    x, y, width, height = box
    image = Image.new("RGB", size, (120, 120, 120))
    image.paste(Image.fromarray(noise).resize((width, height), Image.Resampling.BILINEAR), (x, y))
    return image


def test_the_target_is_followed_to_within_a_pixel(noise):
    tracker = Tracker(averages, SIZES, Search(scales=1))
    x, y = 40, 30
    tracker.start(scene(noise, (x, y, 20, 24)), np.array([x, y, 20, 24]))
    for right, down in ((3, 0), (0, 3), (-4, 2), (5, -5), (0, 0)):
        x, y = x + right, y + down
        found = tracker.update(scene(noise, (x, y, 20, 24)))
        np.testing.assert_allclose(found, (x, y, 20, 24), atol=1)


@pytest.mark.parametrize(
    ("search", "growth"),
    [(Search(upsampling=4), 1.015), (Search(5, scale_step=1.025, scale_damping=0.35, upsampling=4), 0.985)],
)
def test_the_size_follows_the_target(noise, search, growth):
    """By a third in 20 frames; damped, three scales reach 2.2 % a frame."""
    tracker = Tracker(averages, SIZES, search)
    sides = [round(60 * growth**frame) for frame in range(21)]
    box = lambda side: (100 - side // 2, 80 - side // 2, side, side)
    tracker.start(scene(noise, box(60), size=(200, 160)), np.array(box(60)))
    for side in sides[1:]:
        found = tracker.update(scene(noise, box(side), size=(200, 160)))
    assert found[2] == pytest.approx(sides[-1], rel=0.08) and found[2] == pytest.approx(found[3])


def test_a_target_that_rests_keeps_its_box(noise):
    """The peak of a texture on itself is in the middle, at the middle scale, and the window's is there as well."""
    tracker = Tracker(averages, SIZES)
    image = scene(noise, (40, 30, 20, 20))
    tracker.start(image, np.array([40, 30, 20, 20]))
    np.testing.assert_allclose(tracker.update(image), (40, 30, 20, 20), atol=0.1)


def test_the_window_decides_between_equals(noise):
    """Two copies, of which one is at the old place: without the window they are the same."""
    both = scene(noise, (40, 30, 20, 20))
    both.paste(both.crop((40, 30, 60, 50)), (58, 30))
    tracker = Tracker(averages, SIZES, Search(scales=1, window=0.3))
    tracker.start(scene(noise, (40, 30, 20, 20)), np.array([40, 30, 20, 20]))
    np.testing.assert_allclose(tracker.update(both)[:2], (40, 30), atol=1)


def test_a_negative_peak_is_punished_as_well():
    """All responses are negative, and equal: the scale stays, although 0.97 times a negative number is larger."""
    sign = lambda crops: 1.0 if crops.shape[2] == SIZES.exemplar else -1.0
    flat = lambda crops: np.full((len(crops), 1, crops.shape[2] // 2, crops.shape[3] // 2), sign(crops))
    tracker = Tracker(flat, SIZES)
    image = Image.new("RGB", (120, 90))
    tracker.start(image, np.array([40, 30, 20, 20]))
    assert tracker.update(image)[2:].tolist() == [20, 20]


def test_the_middle_stays_inside_of_the_image_and_the_size_within_bounds(noise):
    drift = lambda crops: np.random.default_rng(crops.shape[2]).normal(
        size=(len(crops), 2, crops.shape[2] // 2, crops.shape[3] // 2)
    )
    tracker = Tracker(drift, SIZES, Search(scale_step=1.9, scale_damping=1, scale_penalty=1, window=0, upsampling=2))
    image = scene(noise, (40, 30, 20, 10))
    tracker.start(image, np.array([40, 30, 20, 10]))
    for _ in range(30):
        x, y, width, height = tracker.update(image)
        assert 0 <= x + width / 2 <= 120 and 0 <= y + height / 2 <= 90
        assert 4 <= width <= 100 and width == pytest.approx(2 * height)


@pytest.mark.parametrize("box", [(1, 2, 3), (1, 2, 0, 5), (1, 2, 5, -1), (1, np.nan, 5, 5)])
def test_a_first_box_shows_a_target(box):
    with pytest.raises(InputError, match="expected a box"):
        Tracker(averages, SIZES).start(Image.new("RGB", (50, 50)), np.array(box))


def test_a_tracker_starts_before_it_looks():
    with pytest.raises(InputError, match="has seen no target yet"):
        Tracker(averages, SIZES).update(Image.new("RGB", (50, 50)))


@pytest.mark.parametrize("wrong", [{"scales": 2}, {"scales": 0}, {"scale_step": 0.9}, {"upsampling": 0}])
def test_a_search_has_a_middle_scale(wrong):
    with pytest.raises(InputError, match="a search needs an odd number of scales"):
        Search(**wrong)


@pytest.mark.parametrize("wrong", [{"scale_penalty": 1.1}, {"scale_damping": -0.1}, {"window": float("nan")}])
def test_shares_are_from_0_to_1(wrong):
    with pytest.raises(InputError, match="are from 0 to 1"):
        Search(**wrong)


def test_factors():
    np.testing.assert_allclose(Search().factors, [1 / 1.0375, 1, 1.0375])
    assert len(Search(scales=5).factors) == 5 and Search(scales=5).factors[2] == 1


def test_upsampling_keeps_the_cells_and_follows_parabolas():
    """Cubic convolution is exact for polynomials of the second degree, away from the borders (Keys, section 2)."""
    matrix = cubic_upsampling(9, 4)
    assert matrix.shape == (33, 9)
    np.testing.assert_allclose(matrix[::4], np.eye(9), atol=1e-12)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    cells, points = np.arange(9.0), np.arange(33) / 4
    parabola = lambda x: 3 + 2 * x - 0.7 * x**2
    np.testing.assert_allclose((matrix @ parabola(cells))[4:-4], parabola(points)[4:-4], atol=1e-9)


def test_track_gives_a_box_for_each_frame_and_starts_with_the_given_one(videos):
    (video,) = got10k(videos, "test")
    found = track(Tracker(averages, SIZES), video)
    assert found.shape == (16, 4)
    np.testing.assert_array_equal(found[0], video.boxes[0])
