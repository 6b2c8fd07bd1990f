"""A folder of IDX files, as MNIST (LeCun, 1998), Fashion-MNIST, KMNIST and EMNIST are stored, gzipped or not.

    [SET-]train-images-idx3-ubyte[.gz], [SET-]train-labels-idx1-ubyte[.gz], and the same of t10k or test, maybe of val

EMNIST has several sets in one folder, emnist-balanced-... and others: FOLDER/emnist-balanced names one of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from b2nn_tvm.data.arrays.idx_file import read_idx
from b2nn_tvm.data.arrays.pixel_bundle import Arrays, pixel_bundle
from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.words.number_of import number_of

_FILE = re.compile(
    r"(?:(?P<set>.+)-)?(?P<split>train|t10k|test|val|valid|validation)-(?P<what>images|labels)[-.]idx\d(-ubyte)?(\.gz)?",
    re.IGNORECASE,
)
_SPLITS = {"train": "train", "t10k": "test", "test": "test", "val": "val", "valid": "val", "validation": "val"}
_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_NAMES = {"fashion": _FASHION, "kmnist": _KUZUSHIJI, "kuzushiji": _KUZUSHIJI}  # by a word in the folder's name

Sets = dict[str, dict[tuple[str, str], Path]]  # set -> (split, "images" or "labels") -> file


def is_idx(path: Path) -> bool:
    """Whether ``path`` is a folder with training images in IDX, or FOLDER/SET names one of several sets in it."""
    folder, word = _place(path)
    return any(("train", "images") in files for name, files in _sets(folder).items() if word in (None, name))


def idx(path: str | os.PathLike[str]) -> DataBundle:
    """Read images uint8 [N, H, W] and their labels as images [1, H, W]; the classes are the labels that occur in train.

    A tenth of the training images is held out for validation where there is no split of that name. EMNIST's images lie
    on their side and are turned. Classes have the names of EMNIST's mapping, of Fashion-MNIST or KMNIST where the
    folder is named after one of them, else their labels. Raises InputError where a file is missing, damaged or not of
    this form.
    """
    given = Path(path)
    folder, word = _place(given)
    sets = {name: files for name, files in _sets(folder).items() if ("train", "images") in files}
    if word is None and len(sets) > 1:
        raise InputError(
            f"{folder}: holds {len(sets)} data sets; choose one of {', '.join(str(folder / name) for name in sets)}"
        )
    files = sets.get(word or next(iter(sets), ""))
    if files is None:
        raise InputError(f"{given}: expected IDX files such as train-images-idx3-ubyte.gz, but there are none")
    name = word or next(iter(sets)) or _told(folder)[0]
    parts = {split: _split(folder, name, files, split) for split in dict.fromkeys(split for split, _ in files)}
    if "test" not in parts and "val" in parts:
        parts["test"] = parts.pop("val")
    if "test" not in parts:
        raise InputError(f"{folder}: expected t10k-images-idx3-ubyte beside the training images of {name}, or .gz")
    if len(shapes := {images.shape[1:] for images, _ in parts.values()}) > 1:
        raise InputError(f"{folder}: the splits' images differ in size: {', '.join(map(str, sorted(shapes)))}")
    labels = np.unique(parts["train"][1])
    numbered = {split: (images, _renumbered(folder, split, own, labels)) for split, (images, own) in parts.items()}
    return pixel_bundle(name, numbered, class_names=_class_names(folder, name, labels.tolist()))


def _place(path: Path) -> tuple[Path, str | None]:
    """The folder of the files, and the set in it that is meant; torchvision keeps the files in a folder raw."""
    if not os.path.isdir(path):  # unlike Path.is_dir also False for a word that is too long for a path
        return path.parent, path.name
    inside = path / "raw"
    return (inside if inside.is_dir() and not _sets(path) else path), None


def _sets(folder: Path) -> Sets:
    """The IDX files of a folder by their names; of a file and its gzipped form the first one."""
    found: Sets = {}
    entries = sorted((entry for entry in folder.iterdir() if entry.is_file()), reverse=True) if folder.is_dir() else []
    for entry in entries:
        if match := _FILE.fullmatch(entry.name):
            files = found.setdefault(match["set"] or "", {})
            key = (_SPLITS[match["split"].lower()], match["what"].lower())
            if key not in files or files[key].suffix.lower() == ".gz":
                files[key] = entry
    return dict(sorted(found.items()))


def _told(folder: Path) -> list[str]:
    """The names of the folder and of the one around it, without a folder raw."""
    names = [folder.resolve().name, folder.resolve().parent.name]
    return names[1:] if names[0].lower() == "raw" else names


def _split(folder: Path, name: str, files: Mapping[tuple[str, str], Path], split: str) -> Arrays:
    """The images uint8 [N, 1, H, W] and the labels int64 [N] of a split."""
    missing = [what for what in ("images", "labels") if (split, what) not in files]
    if missing:
        raise InputError(f"{folder}: the split {split} has no {missing[0]}; expected both images and labels in IDX")
    images, labels = (read_idx(files[split, what]) for what in ("images", "labels"))
    for array, axes, what in ((images, 3, "images [N, H, W]"), (labels, 1, "labels [N]")):
        if array.ndim != axes or array.size == 0:
            file = files[split, what.split()[0]]
            raise InputError(f"{file}: expected {what}, but it holds an array {list(array.shape)}")
    if len(images) != len(labels):
        came = f"{number_of(len(labels), 'label')} for {number_of(len(images), 'image')}"
        raise InputError(f"{files[split, 'labels']}: has {came}")
    if _is_emnist(folder, name):
        images = images.transpose(0, 2, 1)
    return images[:, None], labels.astype(np.int64)


def _is_emnist(folder: Path, name: str) -> bool:
    return any("emnist" in word.lower() for word in (name, *_told(folder)[:1]))


def _renumbered(folder: Path, split: str, own: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The places of the labels ``own`` among those of train: EMNIST's letters count from 1."""
    if strangers := sorted(set(own.tolist()) - set(labels.tolist())):
        raise InputError(f"{folder}: the split {split} has labels that train lacks: {strangers[:8]}")
    return np.searchsorted(labels, own)


def _class_names(folder: Path, name: str, labels: list[int]) -> tuple[str, ...]:
    mapping = _mapping(folder / f"{name}-mapping.txt")
    if all(label in mapping for label in labels):
        return tuple(mapping[label] for label in labels)
    told = " ".join((name, *_told(folder))).lower()
    known = next((names for word, names in _NAMES.items() if word in told), ())
    return tuple(known[label] if label < len(known) else str(label) for label in labels)


def _mapping(file: Path) -> dict[int, str]:
    """EMNIST's names of the classes: a line has the label and the codes of its characters, such as "10 65"."""
    try:
        lines = [line.split() for line in file.read_text(encoding="ascii").splitlines() if line.strip()]
        return {int(label): "/".join(map(chr, map(int, codes))) for label, *codes in lines}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"{file}: expected lines of a label and codes of characters, such as 10 65: {error}") from None
