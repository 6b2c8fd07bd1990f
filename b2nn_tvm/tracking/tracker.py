"""SiamFC's tracker: the exemplar of the first frame is looked for at several scales around the target's last place.

    frame -> search crops, one per scale -> features -> responses -> upsampled -> best scale
          -> mixed with a cosine window -> highest point -> new middle and size

Everything but the features is computed by numpy, so that torch and a compiled library differ in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.crops import center_of, context_side, crop, normalized
from b2nn_tvm.tracking.embedding import Embedding
from b2nn_tvm.tracking.got10k import Video
from b2nn_tvm.tracking.sizes import Sizes

SMALLEST, LARGEST = 0.2, 5.0  # the bounds of the target's size, as multiples of its first size


@dataclass(frozen=True)
class Search:
    """How the target is looked for; the defaults are the usual values for three scales.

    ``scales`` scales are tried, each ``scale_step`` times the one before. The response of every scale but the middle
    one counts ``scale_penalty`` times, and the size goes the share ``scale_damping`` of the way to the best scale.
    ``window`` is the weight of the cosine window, and responses are made ``upsampling`` times as fine. SiamFC's
    section 4.1 has 5 scales of 1.025 and a damping of 0.35. Raises InputError for an even number of scales, or where a
    number is out of range.
    """

    scales: int = 3
    scale_step: float = 1.0375
    scale_penalty: float = 0.9745
    scale_damping: float = 0.59
    window: float = 0.176
    upsampling: int = 16

    def __post_init__(self) -> None:
        shares = (self.scale_penalty, self.scale_damping, self.window)
        if self.scales < 1 or self.scales % 2 == 0 or self.scale_step < 1 or self.upsampling < 1:
            raise InputError("a search needs an odd number of scales, and a scale step and an upsampling of at least 1")
        if not all(0 <= share <= 1 for share in shares):
            raise InputError(f"scale penalty, damping and window are from 0 to 1, not {', '.join(map(str, shares))}")

    @property
    def factors(self) -> np.ndarray:
        """The factors of all scales; the middle factor is 1."""
        return self.scale_step ** (np.arange(self.scales) - self.scales // 2).astype(float)


class Tracker:
    """A tracker of one target: ``start`` shows it the target, each ``update`` finds the target in the next frame."""

    def __init__(self, embed: Embedding, sizes: Sizes, search: Search | None = None):
        self._embed, self._sizes, self._search = embed, sizes, search or Search()
        self._upsample = cubic_upsampling(sizes.response, self._search.upsampling)
        hann = np.hanning(len(self._upsample) + 2)[1:-1]
        self._window = np.outer(hann, hann) / hann.sum() ** 2
        self._exemplar: np.ndarray | None = None
        self._penalties = np.where(self._search.factors == 1, 0, 1 - self._search.scale_penalty)

    def start(self, image: Image.Image, box: np.ndarray) -> None:
        """Show the target: ``box`` is (x, y, width, height) in pixels of the first frame.

        Raises InputError where the box is empty or does not fit the image.
        """
        box = np.array(box, float)
        if box.shape != (4,) or not (np.isfinite(box).all() and (box[2:] > 0).all()):
            raise InputError(f"expected a box (x, y, width, height) with a width and a height, not {box.tolist()}")
        self._center, self._size, self._first_size = center_of(box), box[2:], box[2:]
        square = crop(image, self._center, context_side(self._size), self._sizes.exemplar)
        self._exemplar = self._embed(normalized(square[None]))[0]

    def update(self, image: Image.Image) -> np.ndarray:
        """The target's box in this frame, float64 [4]; its middle lies inside of the image.

        Raises InputError before ``start``.
        """
        if self._exemplar is None:
            raise InputError("the tracker has seen no target yet; start it with the first frame and its box")
        sizes, search = self._sizes, self._search
        side = context_side(self._size) * sizes.search / sizes.exemplar
        crops = np.stack([crop(image, self._center, side * factor, sizes.search) for factor in search.factors])
        responses = correlate(self._exemplar, self._embed(normalized(crops)))
        fine = self._upsample @ responses @ self._upsample.T
        peaks = fine.max(axis=(1, 2))
        best = int((peaks - self._penalties * np.abs(peaks)).argmax())
        row, column = np.unravel_index(self._mixed(fine[best]).argmax(), self._window.shape)
        cells = np.array([column, row]) / search.upsampling - (sizes.response - 1) / 2
        factor = search.factors[best]
        self._center = np.clip(self._center + cells * sizes.stride * side * factor / sizes.search, 0, image.size)
        damped = 1 - search.scale_damping + search.scale_damping * factor
        self._size = np.clip(self._size * damped, SMALLEST * self._first_size, LARGEST * self._first_size)
        return np.concatenate([self._center - self._size / 2, self._size])

    def _mixed(self, response: np.ndarray) -> np.ndarray:
        """The response, shifted to begin at 0 and scaled to the sum 1, mixed with the cosine window."""
        raised = response - response.min()
        share = raised / (raised.sum() or 1)
        return np.asarray((1 - self._search.window) * share + self._search.window * self._window)


def track(tracker: Tracker, video: Video) -> np.ndarray:
    """The boxes of all frames, float64 [frames, 4]; the first box is the video's own."""
    tracker.start(video.frame(0), video.boxes[0])
    found = [tracker.update(video.frame(index)) for index in range(1, len(video))]
    return np.stack([video.boxes[0], *found])


def correlate(exemplar: np.ndarray, searches: np.ndarray) -> np.ndarray:
    """The features of several crops [N, C, H, W], correlated with the features of one exemplar [C, h, w].

    The result is [N, H - h + 1, W - w + 1].
    """
    windows = np.lib.stride_tricks.sliding_window_view(searches, exemplar.shape[1:], axis=(2, 3))
    return np.asarray(np.einsum("nchwij,cij->nhw", windows, exemplar, optimize=True))


def cubic_upsampling(cells: int, factor: int) -> np.ndarray:
    """The matrix [(cells - 1) * factor + 1, cells] that interpolates between cells and keeps the cells' own values.

    Source: Keys, Cubic Convolution Interpolation for Digital Image Processing (1981), with a = -1/2. The cells at the
    border are repeated.
    """
    points = np.arange((cells - 1) * factor + 1) / factor
    matrix = np.zeros((len(points), cells))
    for tap in range(-1, 3):
        cell = np.floor(points) + tap
        away = np.abs(points - cell)
        near = 1.5 * away**3 - 2.5 * away**2 + 1
        far = -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
        weights = np.where(away <= 1, near, np.where(away < 2, far, 0))
        np.add.at(matrix, (np.arange(len(points)), np.clip(cell, 0, cells - 1).astype(int)), weights)
    return matrix
