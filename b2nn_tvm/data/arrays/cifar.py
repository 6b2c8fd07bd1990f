"""CIFAR-100 and CIFAR-10 (Krizhevsky, 2009), in the form for Python that their author distributes.

cifar-100-python/{train,test,meta} or cifar-10-batches-py/{data_batch_1..5,test_batch,batches.meta}: each file is a
pickle; images are uint8 [N, 3072]: the 32x32 red values, then the green ones, then the blue ones.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from b2nn_tvm.data.arrays.cifar_pickle import load
from b2nn_tvm.data.augment.augmentation import AS_THEY_ARE, Augmentation
from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.data.pixels import PixelImages
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess

ARCHIVES = (".tar.gz", ".tgz")
SHAPE = (3, 32, 32)
# He et al., Deep Residual Learning, section 4.2
MOVING = Augmentation(shift=4)
LARGEST = 1 << 28  # bytes of a file in an archive; the real files have at most 155 million


@dataclass(frozen=True)
class _Form:
    """One of the two data sets: its files, the keys in them, and the mean and deviation of its training images."""

    name: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: str
    class_names: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def files(self) -> tuple[str, ...]:
        return (self.meta, *self.train, self.test)


_FORMS = (
    _Form(
        name="cifar100",
        train=("train",),
        test="test",
        meta="meta",
        labels="fine_labels",
        class_names="fine_label_names",
        mean=(0.5071, 0.4865, 0.4409),
        std=(0.2673, 0.2564, 0.2762),
    ),
    _Form(
        name="cifar10",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test="test_batch",
        meta="batches.meta",
        labels="labels",
        class_names="label_names",
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
    ),
)


def is_cifar(path: Path) -> bool:
    """Whether ``path`` is an archive, or a folder with at least two of CIFAR's files."""
    return path.name.endswith(ARCHIVES) or any(
        sum((path / name).is_file() for name in form.files) > 1 for form in _FORMS
    )


def cifar(path: str | os.PathLike[str]) -> DataBundle:
    """Read the folder, or the .tar.gz as it was downloaded: images [3, 32, 32] in the 100 fine classes, or in the 10.

    A tenth of the training images is held out for validation; the others move by up to 4 pixels and are flipped at
    random. Raises InputError where a file is missing, damaged or not of this form, or where its pickle asks to run
    anything.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; expected CIFAR-100 or CIFAR-10 for Python")
    contents = _read_archive(path) if path.is_file() else _read_folder(path)
    form = max(_FORMS, key=lambda form: len(set(form.files) & set(contents)))
    missing = [name for name in form.files if name not in contents]
    if missing:
        raise InputError(
            f"{path}: expected the files {', '.join(form.files)} of {form.name}; it lacks {', '.join(missing)}"
        )
    names = _class_names(contents[form.meta], form, str(path / form.meta))

    def part(name: str) -> tuple[np.ndarray, np.ndarray]:
        return _images(contents[name], form, len(names), str(path / name))

    images, labels = (np.concatenate(arrays) for arrays in zip(*map(part, form.train), strict=True))
    val, train = stratified_split(labels, (max(1, len(labels) // 10),))

    def split(images: np.ndarray, labels: np.ndarray, augment: Augmentation = AS_THEY_ARE) -> PixelImages:
        return PixelImages(torch.from_numpy(images), torch.from_numpy(labels), form.mean, form.std, augment)

    return DataBundle(
        name=form.name,
        train=split(images[train], labels[train], MOVING),
        val=split(images[val], labels[val]),
        test=split(*part(form.test)),
        class_names=names,
        input_shape=SHAPE,
        mean=form.mean,
        std=form.std,
        preprocess=Preprocess.covering(SHAPE, form.mean, form.std),
    )


def _read_folder(path: Path) -> dict[str, bytes]:
    files = {name: path / name for form in _FORMS for name in form.files}
    try:
        return {name: file.read_bytes() for name, file in files.items() if file.is_file()}
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from None


def _read_archive(path: Path) -> dict[str, bytes]:
    """The contents of the files with the right names; nothing is unpacked to disk, and links lead nowhere."""
    wanted = {name for form in _FORMS for name in form.files}
    contents = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                file = archive.extractfile(member) if member.isreg() and name in wanted else None
                if file is not None:
                    if member.size > LARGEST:
                        raise InputError(f"{path}: {member.name} has {member.size} bytes, far more than CIFAR's")
                    contents[name] = file.read()
            while archive.fileobj.read(1 << 20):
                pass  # gzip compares the checksum at the end of the file
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise InputError(f"{path}: expected CIFAR's .tar.gz, but it cannot be read ({error}); get it anew") from None
    return contents


def _class_names(content: bytes, form: _Form, source: str) -> tuple[str, ...]:
    names = load(content, source=source).get(form.class_names)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{source}: expected a list of the classes' names under {form.class_names!r}")
    return tuple(names)


def _images(content: bytes, form: _Form, classes: int, source: str) -> tuple[np.ndarray, np.ndarray]:
    """The images of one file, uint8 [N, 3, 32, 32], and their labels, int64 [N]."""
    found = load(content, source=source)
    pixels, labels = found.get("data"), found.get(form.labels)
    size = int(np.prod(SHAPE))
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != size:
        came = f"uint8 {list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise InputError(f"{source}: expected uint8 [N, {size}] under 'data', but it is {came}")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        came = f"{len(labels)}" if isinstance(labels, list) else type(labels).__name__
        raise InputError(f"{source}: expected a list of {len(pixels)} labels under {form.labels!r}, but it is {came}")
    wrong = [label for label in labels if type(label) is not int or not 0 <= label < classes]
    if wrong:
        raise InputError(f"{source}: expected labels from 0 to {classes - 1}, but one is {wrong[0]!r}")
    return pixels.reshape(-1, *SHAPE), np.array(labels, np.int64)
