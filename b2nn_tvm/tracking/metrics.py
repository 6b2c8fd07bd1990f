"""GOT-10k's measures: AO, the mean overlap, and SR0.5, the share of frames with an overlap above one half.

The box of the first frame is given, so that this frame does not count; nor does a frame in which nothing of the target
is visible. All frames of all sequences are pooled. The predicted and the true box are clipped to the image first
(Huang et al., GOT-10k, TPAMI 2019).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.got10k import Video
from b2nn_tvm.words.number_of import number_of


@dataclass(frozen=True)
class TrackingScore:
    """The measures AO and SR0.5, from 0 to 1, and the number of frames that count."""

    ao: float
    sr50: float
    frames: int


def tracking_score(tracks: Iterable[tuple[Video, np.ndarray]]) -> TrackingScore:
    """Score predicted boxes [frames, 4] of annotated videos; the arguments are not changed.

    Raises InputError where boxes are missing or not finite, or no frame counts.
    """
    counted = [np.zeros(0)]
    for video, boxes in tracks:
        if not video.annotated:
            raise InputError(
                f"the sequence {video.name} has {number_of(len(video.boxes), 'box', 'boxes')} for"
                f" {number_of(len(video), 'frame')}; without all of them it cannot be scored"
            )
        boxes = np.asarray(boxes, float)
        if boxes.shape != video.boxes.shape or not np.isfinite(boxes).all():
            raise InputError(
                f"expected finite boxes {list(video.boxes.shape)} for {video.name}, but they are {list(boxes.shape)}, "
                f"{np.isfinite(boxes).sum()} of their numbers finite"
            )
        counts = np.arange(len(video)) > 0
        if video.cover is not None:
            counts &= video.cover > 0
        counted.append(overlaps(boxes, video.boxes, image_size=video.frame(0).size)[counts])
    found = np.concatenate(counted)
    if len(found) == 0:
        raise InputError("there is no frame to score: each sequence needs two frames or more, with a visible target")
    return TrackingScore(float(found.mean()), float((found > 0.5).mean()), len(found))


def overlaps(one: np.ndarray, other: np.ndarray, *, image_size: tuple[int, int]) -> np.ndarray:
    """The intersection over union of boxes [N, 4] inside an image (width, height); 0 where both boxes are empty."""
    one, other = (_corners(boxes, image_size) for boxes in (one, other))
    low, high = np.maximum(one[:, 0], other[:, 0]), np.minimum(one[:, 1], other[:, 1])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    united = np.prod(one[:, 1] - one[:, 0], axis=1) + np.prod(other[:, 1] - other[:, 0], axis=1) - shared
    shares = np.zeros(len(shared))
    np.divide(shared, united, out=shares, where=united > 0)
    return shares


def _corners(boxes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """The upper left and the lower right corners of boxes, clipped to the image, [N, 2, 2]."""
    boxes = np.asarray(boxes, float)
    corners = np.stack([boxes[:, :2], boxes[:, :2] + np.maximum(boxes[:, 2:], 0)], axis=1)
    return np.asarray(np.clip(corners, 0, image_size))
