"""AO and SR0.5 against numbers worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.got10k import Video
from b2nn_tvm.tracking.metrics import TrackingScore, overlaps, tracking_score

IMAGE = (100, 80)


@pytest.fixture
def video(tmp_path):
    """A function that makes videos of images of 100x80."""
    Image.new("RGB", IMAGE).save(tmp_path / "frame.jpg")

    def make(boxes, cover=None):
        frames = (tmp_path / "frame.jpg",) * len(boxes)
        return Video("v", frames, np.array(boxes, float), None, None if cover is None else np.array(cover), {})

    return make


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((10, 10, 20, 20), (10, 10, 20, 20), 1),
        ((10, 10, 20, 20), (20, 10, 20, 20), 200 / 600),  # 10x20 shared, 400 + 400 - 200
        ((10, 10, 20, 20), (15, 15, 10, 10), 100 / 400),  # inside
        ((10, 10, 20, 20), (30, 10, 20, 20), 0),  # they touch
        ((10, 10, 20, 20), (60, 60, 5, 5), 0),
        ((-10, 0, 20, 20), (0, 0, 10, 20), 1),  # what is left of the image does not count
        ((90, 70, 30, 30), (90, 70, 10, 10), 1),  # nor what is right of it and below
        ((-50, -50, 400, 400), (0, 0, 50, 80), 4000 / 8000),  # the image is 100 * 80
        ((10, 10, 0, 20), (10, 10, 20, 20), 0),  # without an area
        ((10, 10, 0, 0), (10, 10, 0, 0), 0),  # both without one
        ((120, 10, 20, 20), (120, 10, 20, 20), 0),  # both outside of the image
        ((10, 10, -5, 20), (10, 10, 20, 20), 0),  # a tracker's negative width is an empty box
        ((10.5, 10, 1, 1), (10, 10, 1, 1), 0.5 / 1.5),
    ],
)
def test_overlap_by_hand(one, other, expected):
    pair = np.array([one], float), np.array([other], float)
    assert overlaps(*pair, image_size=IMAGE)[0] == pytest.approx(expected, abs=1e-12)
    assert overlaps(*pair[::-1], image_size=IMAGE)[0] == pytest.approx(expected, abs=1e-12)


def test_the_first_frame_does_not_count(video):
    truth = [(0, 0, 10, 10), (0, 0, 10, 10), (0, 0, 10, 10)]
    found = [(50, 50, 10, 10), (0, 0, 10, 10), (5, 0, 10, 10)]  # wrong, 1, 50 / 150
    assert tracking_score([(video(truth), found)]) == TrackingScore(
        ao=pytest.approx((1 + 1 / 3) / 2), sr50=0.5, frames=2
    )


def test_an_overlap_of_one_half_is_no_success(video):
    truth = [(0, 0, 10, 10)] * 3
    found = [truth[0], (0, 0, 10, 5), (0, 0, 10, 6)]  # 0.5 and 0.6
    assert tracking_score([(video(truth), found)]) == TrackingScore(ao=pytest.approx(0.55), sr50=0.5, frames=2)


def test_covered_frames_do_not_count(video):
    truth = [(0, 0, 10, 10)] * 4
    found = [truth[0], (0, 0, 10, 8), (70, 70, 5, 5), (0, 0, 10, 4)]  # 0.8, 0 where nothing is visible, 0.4
    assert tracking_score([(video(truth, [8, 1, 0, 8]), found)]) == TrackingScore(
        ao=pytest.approx(0.6), sr50=0.5, frames=2
    )


def test_frames_are_pooled_over_sequences(video):
    """One frame of 0 and three of 1: 3/4, where the mean of the sequences' means would be 1/2."""
    box, away = (0, 0, 10, 10), (50, 50, 10, 10)
    tracks = [(video([box] * 2), [box, away]), (video([box] * 4), [box] * 4)]
    assert tracking_score(tracks) == TrackingScore(ao=0.75, sr50=0.75, frames=4)


def test_nothing_that_is_passed_in_changes(video):
    truth = video([(-5, -5, 20, 20), (90, 70, 30, 30)])
    found = np.array([(-5, -5, 20, 20), (95, 60, 30, 30)], float)
    before = truth.boxes.copy(), found.copy()
    # Clipped: (90, 70) to (100, 80) and (95, 60) to (100, 80) share 5 * 10 of 100 + 100 - 50.
    assert tracking_score([(truth, found)]).ao == pytest.approx(1 / 3)
    np.testing.assert_array_equal(truth.boxes, before[0])
    np.testing.assert_array_equal(found, before[1])


def test_what_cannot_be_scored_is_refused(video):
    box = (0, 0, 10, 10)
    with pytest.raises(InputError, match=r"expected finite boxes \[2, 4\] for v, but they are \[1, 4\]"):
        tracking_score([(video([box] * 2), [box])])
    with pytest.raises(InputError, match=r"\[2, 4\], 7 of their numbers finite"):
        tracking_score([(video([box] * 2), [box, (0, 0, np.nan, 10)])])
    hidden = video([box] * 2)
    with pytest.raises(InputError, match="has 1 box for 2 frames"):
        tracking_score([(Video("v", hidden.frames, hidden.boxes[:1], None, None, {}), [box] * 2)])
    for empty in ([], [(video([box]), [box])], [(video([box] * 2, [8, 0]), [box] * 2)]):
        with pytest.raises(InputError, match="there is no frame to score"):
            tracking_score(empty)
