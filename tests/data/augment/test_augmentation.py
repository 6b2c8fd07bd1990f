"""Crops first, RandAugment then, and nothing where nothing is asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from b2nn_tvm.data.augment.augmentation import AS_THEY_ARE, Augmentation
from b2nn_tvm.errors import InputError

BYTES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (16, 3, 12, 16), np.uint8))


def made(augment: Augmentation, images: torch.Tensor = BYTES, **options: bool) -> torch.Tensor:
    return augment(images, np.random.default_rng(1), **options)


def test_each_part_changes_images_by_itself() -> None:
    assert not AS_THEY_ARE and torch.equal(made(AS_THEY_ARE), BYTES)
    parts = (Augmentation(shift=1), Augmentation(least_area=0.5), Augmentation(operations=2))
    results = [made(part) for part in parts]
    assert all(parts) and all(not torch.equal(result, BYTES) and result.shape == BYTES.shape for result in results)
    assert torch.equal(made(parts[1], cropped=True), BYTES)  # the files were cropped
    assert Augmentation.moving(32, 32).shift == 4 and Augmentation.moving(5, 64).shift == 1


def test_randaugment_refuses_what_are_no_bytes() -> None:
    with pytest.raises(InputError, match="RandAugment needs images of bytes"):
        made(Augmentation(operations=1), BYTES.float())
