"""Folders of images in every layout, with what systems leave in them and with damaged files."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from b2nn_tvm.data import DataBundle
    from tests.support.surveys.folder_forms.form import Form

TITLE = "Folders of images"
ABOUT = """
A set of 4 classes with 6 images per class in `train/` and 2 in `val/`, each of them 40x30 and in the color of its
class, and what people have in its place. `--data` reads each of these folders, with `--image-size 32` where the form
does not say otherwise. One is *taken* only if all images that are to be found in it are read, have the color of the
class that they got, and give inputs of the right shape.
"""
COLUMNS = ("form", "outcome", "taken as", "reason")
TAKEN, NOTED, REFUSED, WRONG, RAW = OUTCOMES = ("taken", "taken with a note", "refused", "wrong", "raw error")
TOLERANCE = 12  # of 255, for JPEG and the like


def names() -> list[str]:
    """The forms."""
    return list(_forms())


def row(name: str) -> dict[str, object]:
    """What becomes of a folder of the form ``name``."""
    from b2nn_tvm import data
    from b2nn_tvm.errors import B2nnError
    from tests.support.surveys.folder_forms.form import write_set

    form = _forms()[name]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        root = Path(folder).resolve() / "pets"
        write_set(root)
        place = form.change(root) or root

        def worded(text: object) -> str:
            return re.sub(rf"{root.parent}/?", "", str(text)).encode("utf-8", "backslashreplace").decode()

        try:
            bundle = data.get(str(place), **form.options)
            problem = _check(bundle, form)
        except B2nnError as error:
            return {"outcome": REFUSED, "reason": worded(error)}
        except Exception as error:  # noqa: BLE001 - this is what the survey is to find
            return {"outcome": RAW, "reason": worded(f"{type(error).__name__}: {error}")}
        notes = worded("; ".join([*bundle.notes, *(str(warning.message) for warning in shown)]))
    sizes = "/".join(str(len(split)) for split in (bundle.train, bundle.val, bundle.test))
    shape = "x".join(map(str, bundle.input_shape))
    found = {"taken as": f"{bundle.classes} classes, {sizes} images, {shape}"}
    if problem:
        return found | {"outcome": WRONG, "reason": problem}
    return found | {"outcome": NOTED if notes else TAKEN, "reason": notes}


@cache
def _forms() -> Mapping[str, Form]:
    from tests.support.surveys.folder_forms.image_files import IMAGE_FILES
    from tests.support.surveys.folder_forms.layouts import LAYOUTS

    return LAYOUTS | IMAGE_FILES


def _check(bundle: DataBundle, form: Form) -> str:
    """What is not as the form says; reads all images."""
    import numpy as np

    from b2nn_tvm.data.batches import BatchIndex

    problems: list[str] = []
    for split in filter(len, (bundle.train, bundle.val, bundle.test)):
        images, labels = split[BatchIndex(tuple(range(len(split))))]
        for file, image, label in zip(split.files, images.numpy(), labels.tolist(), strict=True):
            channels = (image.mean(axis=(1, 2)) * bundle.std + bundle.mean) * 255
            wanted = np.array(form.color_of(bundle.class_names[label]))
            if len(channels) == 1:
                wanted = np.rint(wanted @ [0.299, 0.587, 0.114])
            if np.abs(channels - wanted).max() > TOLERANCE:
                problems.append(f"{file.name} of class {bundle.class_names[label]} has the color {channels.round()}")
    images = sum(map(len, (bundle.train, bundle.val, bundle.test)))
    if (bundle.classes, images, bundle.input_shape) != (form.classes, form.images, form.shape):
        problems.append(f"expected {form.classes} classes, {form.images} images and inputs {form.shape}")
    return "; ".join(problems)
