"""Data sets: the built-in ones by name, a user's by path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from b2nn_tvm.data.bundle import DataBundle, TensorImages
from b2nn_tvm.data.digits import digits
from b2nn_tvm.data.folder import folder
from b2nn_tvm.data.npz import npz
from b2nn_tvm.data.pixels import PixelImages
from b2nn_tvm.data.procedural import shapes
from b2nn_tvm.errors import InputError

__all__ = ["DataBundle", "PixelImages", "TensorImages", "digits", "folder", "get", "names", "npz", "shapes"]

_BUILT_IN: dict[str, Callable[..., DataBundle]] = {
    "digits": digits,
    "shapes": shapes,
    "shapes64": partial(shapes, size=64),
}


def names() -> tuple[str, ...]:
    """The built-in data sets."""
    return tuple(_BUILT_IN)


def get(word: str, *, size: int | None = None) -> DataBundle:
    """A built-in data set by its name, else the folder or .npz file of that path; ``size`` is the side of its images.

    Raises InputError, with the choices, where it is none of these.
    """
    sized = {} if size is None else {"size": size}
    if word in _BUILT_IN:
        return _BUILT_IN[word](**({} if word == "digits" else sized))
    path = Path(word).expanduser()
    if path.is_dir():
        return folder(path, **sized)
    if path.suffix == ".npz":
        return npz(path)
    raise InputError(
        f"data {word!r}: expected one of {', '.join(_BUILT_IN)}, a folder with train/<class>/ and val/<class>/, "
        "or an .npz file"
    )
