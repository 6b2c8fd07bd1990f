"""Which array of a data set holds what, by its name: x_train, train_images, trainLabels, ..."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from b2nn_tvm.errors import InputError

_SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_KINDS = {
    "x": ("x", "image", "images", "img", "imgs", "data", "input", "inputs", "pixels"),
    "y": ("y", "label", "labels", "target", "targets"),
}


def standard_names(names: Iterable[str]) -> dict[str, str]:
    """The given names by what they mean: x_train, y_train, x_val, and so on for images and labels of each split, or x
    and y for those of a set that is in no splits.

    Names that mean nothing here are left out. Raises InputError where two of them mean the same.
    """
    found: dict[str, str] = {}
    for name in names:
        meaning = _meaning(name)
        if meaning in found:
            raise InputError(f"both {found[meaning]} and {name} would be {meaning}: leave out or rename one of them")
        if meaning:
            found[meaning] = name
    return found


def _meaning(name: str) -> str:
    words = re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower())
    if len(words) == 1:
        words = next(_apart(words[0]), words)
    kinds = [kind for kind, spellings in _KINDS.items() for word in words if word in spellings]
    splits = [split for split, spellings in _SPLITS.items() for word in words if word in spellings]
    if len(kinds) != 1 or len(splits) > 1 or len(words) != 1 + len(splits):
        return ""
    return "_".join((kinds[0], *splits))


def _apart(word: str) -> Iterator[list[str]]:
    """The words of one such as "xtrain", in either order."""
    for spellings in _SPLITS.values():
        for split in spellings:
            if word.endswith(split) and word != split:
                yield [word.removesuffix(split), split]
            if word.startswith(split) and word != split:
                yield [split, word.removeprefix(split)]
