"""A picture of the test split as a board would get it, to try a network with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import DataBundle, Images
from b2nn_tvm.data.folder_images import FolderImages
from b2nn_tvm.data.image_files.decode_image import decode
from b2nn_tvm.data.subset import Subset

if TYPE_CHECKING:
    from PIL.Image import Image


def example_picture(data: DataBundle) -> tuple[Image, str] | None:
    """The first image of the test split and the name of its class; None where the data do not tell of pictures.

    Its preprocess makes of the picture what evaluation sees: a photo keeps what is cropped, in the size before that.
    """
    from PIL.Image import fromarray

    preprocess = data.preprocess
    if preprocess is None:
        return None
    split: Images = data.test
    row = 0
    while isinstance(split, Subset):
        row = split.rows[row]
        split = split.images
    images, labels = split[BatchIndex((row,))]
    label = data.class_names[int(labels[0])]
    if isinstance(split, FolderImages):
        return preprocess.resized(decode(split.files[row], preprocess.mode)), label
    if (preprocess.resize.height, preprocess.resize.width) != preprocess.size:
        return None  # what was cropped away is not there
    pixels = preprocess.denormalized(images[0].numpy())
    ordered = pixels[:, :, ::-1] if preprocess.channels == "bgr" else pixels
    return fromarray(np.ascontiguousarray(ordered.squeeze(2) if ordered.shape[2] == 1 else ordered)), label
