"""CIFAR as its author distributes it: pickles of Python 2, in a folder or a .tar.gz; damaged ones."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from b2nn_tvm import data
from b2nn_tvm.data.augment.augmentation import Augmentation
from b2nn_tvm.errors import InputError
from tests.support.data.cifar_files import cifar10, cifar100, python2_pickle, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "cifar-100-python", cifar100())


def test_cifar_100(root: Path) -> None:
    bundle, content = data.get(str(root)), cifar100()
    assert bundle.name == "cifar100" and bundle.input_shape == (3, 32, 32) and bundle.classes == 100
    assert bundle.class_names[7] == "fine 7"
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [180, 20, 100]
    assert bundle.test.labels.tolist() == content["test"]["fine_labels"]
    images, labels = next(iter(bundle.test_loader(10)))
    planes = torch.from_numpy(content["test"]["data"][:10].reshape(10, 3, 32, 32)).float() / 255
    expected = (planes - torch.tensor(bundle.mean)[:, None, None]) / torch.tensor(bundle.std)[:, None, None]
    assert torch.equal(images, expected) and labels.dtype == torch.int64
    pixels = content["test"]["data"][:10].reshape(10, 3, 32, 32).transpose(0, 2, 3, 1)
    assert np.array_equal(bundle.preprocess.normalized(pixels), images)  # to the last bit, as on a board


def test_validation_is_held_out_of_training(root: Path) -> None:
    bundle, content = data.cifar(root), cifar100()["train"]
    label = {row.tobytes(): label for row, label in zip(content["data"], content["fine_labels"], strict=True)}
    seen = {}
    for split in (bundle.train, bundle.val):
        seen |= {image.numpy().tobytes(): int(label) for image, label in zip(split.pixels, split.labels, strict=True)}
    assert seen == label


def test_training_images_move_by_up_to_4_pixels(root: Path) -> None:
    bundle = data.cifar(root)
    assert (bundle.train.augment.shift, bundle.val.augmented, bundle.test.augmented) == (4, False, False)
    loader = bundle.train_loader(16, seed=1)
    (index, *_), (images, labels) = loader.sampler, next(iter(loader))
    rows = torch.tensor(index.images)
    still = data.TensorImages(bundle.train.images[rows], bundle.train.labels[rows], Augmentation(shift=4))
    again = still[type(index)(tuple(range(16)), index.seed)]
    assert torch.equal(images, again[0]) and torch.equal(labels, again[1])
    assert not torch.equal(images, still.images)


def test_cifar_10_has_five_batches(tmp_path: Path) -> None:
    bundle, content = data.get(str(write(tmp_path / "cifar-10-batches-py", cifar10()))), cifar10()
    assert bundle.name == "cifar10" and bundle.classes == 10
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [90, 10, 30]
    rows = {row.tobytes() for number in range(1, 6) for row in content[f"data_batch_{number}"]["data"]}
    assert {image.numpy().tobytes() for split in (bundle.train, bundle.val) for image in split.pixels} == rows


def test_the_archive_reads_like_the_folder(root: Path, tmp_path: Path) -> None:
    """Even where it tries to write elsewhere: nothing is unpacked, and links are no files."""
    archive = tmp_path / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root, "cifar-100-python")
        escaping = tarfile.TarInfo("../escaped")
        tar.addfile(escaping)
        link = tarfile.TarInfo("cifar-100-python/test")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = sorted(tmp_path.rglob("*"))
    assert data.get(str(archive)).digest == data.cifar(root).digest
    assert sorted(tmp_path.rglob("*")) == before and not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: b"no archive",
        lambda raw: b"",
        lambda raw: gzip.compress(gzip.decompress(raw)[:500_000]),
        lambda raw: raw[:300] + bytes(64) + raw[364:],
        lambda raw: raw[:-8] + bytes(4) + raw[-4:],  # the checksum
    ],
)
def test_damaged_archives_are_refused(root: Path, tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    archive = tmp_path / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root, "cifar-100-python")
    archive.write_bytes(spoil(archive.read_bytes()))
    with pytest.raises(InputError, match="cifar.tar.gz: expected CIFAR's .tar.gz, but it cannot be read"):
        data.get(str(archive))


def test_what_is_missing_is_named(root: Path, tmp_path: Path) -> None:
    (root / "test").unlink()
    with pytest.raises(InputError, match="expected the files meta, train, test of cifar100; it lacks test"):
        data.get(str(root))
    with pytest.raises(InputError, match="no such file or folder"):
        data.get(str(tmp_path / "cifar-100-python.tar.gz"))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train", {"fine_labels": [100] * 200}, "expected labels from 0 to 99, but one is 100"),
        ("train", {"fine_labels": [-1] * 200}, "but one is -1"),
        ("test", {"fine_labels": ["1"] * 100}, "but one is '1'"),
        ("test", {"fine_labels": [0] * 99}, "list of 100 labels under 'fine_labels', but it is 99"),
        ("test", {"fine_labels": None}, "but it is NoneType"),
        ("test", {"data": np.zeros((100, 3071), np.uint8)}, r"uint8 \[N, 3072\] under 'data', but.* \[100, 3071\]"),
        ("test", {"data": np.zeros((100, 3072), np.float32)}, "an array that is not uint8"),
        ("test", {"data": np.array([{}] * 100)}, "an array that is not uint8"),
        ("test", {"data": "text"}, "but it is str"),
        ("meta", {"fine_label_names": None}, "list of the classes' names under 'fine_label_names'"),
        ("meta", {"fine_label_names": [1, 2]}, "list of the classes' names"),
    ],
)
def test_wrong_content_is_refused(root: Path, name: str, change: dict[str, Any], message: str) -> None:
    (root / name).write_bytes(python2_pickle(cifar100()[name] | change))
    with pytest.raises(InputError, match=f"{root / name}: .*{message}"):
        data.cifar(root)
