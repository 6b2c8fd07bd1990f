"""Images of a data set in the forms in which arrays hold them become bytes or floats, channels first."""

from __future__ import annotations

import numpy as np

from b2nn_tvm.errors import InputError

_WHITE = 255


def channels_first(name: str, images: np.ndarray) -> np.ndarray:
    """The ``images`` of the array ``name`` as uint8 or float32 [N, C, H, W], of [N, H, W], [N, H, W, C] or [N, C, H, W]
    with C of 1 or 3.

    Whole numbers of any type are bytes where they lie between 0 and 255. Raises InputError for anything else, and for
    floats that are not finite.
    """
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif images.ndim != 4 or images.shape[1] not in (1, 3):
        alpha = f"; leave out the fourth channel by {name}[..., :3]" if images.shape[3:] == (4,) else ""
        raise InputError(
            f"{name} should be [N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 channels, but it is"
            f" {list(images.shape)}{alpha}"
        )
    if images.dtype.kind == "f":
        if not np.isfinite(images).all():
            raise InputError(f"{name} holds values that are not finite numbers")
        return np.ascontiguousarray(images, dtype=np.float32)
    if images.dtype.kind not in "ui":
        raise InputError(f"{name} should be whole numbers from 0 to 255, or floating point, but it is {images.dtype}")
    if images.size and (int(images.min()) < 0 or int(images.max()) > _WHITE):
        raise InputError(
            f"{name} should be whole numbers from 0 to 255, or floating point, but it is {images.dtype} from"
            f" {images.min()} to {images.max()}: divide it by its white, which makes floats"
        )
    return np.ascontiguousarray(images, dtype=np.uint8)
