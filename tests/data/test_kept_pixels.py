"""Each file is decoded once."""

from __future__ import annotations

import numpy as np
import torch

from b2nn_tvm.data.kept_pixels import ROOM, KeptPixels


def test_an_image_is_decoded_when_it_is_first_asked_for() -> None:
    asked: list[int] = []

    def decode(row: int) -> np.ndarray:
        asked.append(row)
        return np.full((2, 3, 1), row, np.uint8)

    kept = KeptPixels.of(5, (1, 2, 3))
    assert kept.rows((4, 1, 4), decode).flatten(1).unique(dim=1).flatten().tolist() == [4, 1, 4]
    assert kept.rows((1, 2), decode).shape == (2, 1, 2, 3) and sorted(asked) == [1, 2, 4]
    assert kept.known.tolist() == [False, True, True, False, True] and kept.pixels.dtype == torch.uint8


def test_large_sets_have_no_room() -> None:
    assert KeptPixels.have_room(60_000, (3, 32, 32)) and KeptPixels.have_room(ROOM // 4, (1, 2, 2))
    assert not KeptPixels.have_room(ROOM // 4 + 1, (1, 2, 2))
