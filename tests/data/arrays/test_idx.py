"""Folders of IDX files, as MNIST and its relatives are distributed; Fashion-MNIST as Debian has it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm import data
from b2nn_tvm.errors import InputError
from tests.support.data.idx_files import digits, write_idx, write_set
from tests.support.data.setup_fashion_mnist import FOLDER as FASHION_MNIST


@pytest.mark.parametrize("end", ["-idx{}-ubyte.gz", "-idx{}-ubyte", ".idx{}-ubyte"])
@pytest.mark.parametrize("inside", ["", "raw"])
def test_a_folder_is_read_as_it_is_distributed(tmp_path: Path, end: str, inside: str) -> None:
    """torchvision has the files in a folder raw."""
    write_set(tmp_path / "MNIST" / inside, end=end)
    bundle = data.get(str(tmp_path / "MNIST"))
    assert bundle.name == "MNIST" and bundle.input_shape == (1, 28, 28)
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [36, 4, 20]
    assert bundle.class_names == tuple("0123456789") and not bundle.train.augmented
    images, labels = digits(20, seed=20)
    assert np.array_equal(bundle.test.pixels[:, 0], images) and np.array_equal(bundle.test.labels, labels)
    assert np.array_equal(bundle.preprocess.normalized(images[..., None]), bundle.test.images)
    trained = np.concatenate([split.pixels for split in (bundle.train, bundle.val)])
    assert sorted(trained[:, 0, 0, 0].tolist()) == sorted(digits(40)[1].tolist())


def test_a_file_counts_once_where_it_is_unpacked_beside(tmp_path: Path) -> None:
    write_set(tmp_path)
    write_set(tmp_path, end="-idx{}-ubyte")
    for damaged in tmp_path.glob("*.gz"):
        damaged.write_bytes(b"")
    assert len(data.idx(tmp_path).test) == 20


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("fashion-mnist", ("T-shirt/top", "Ankle boot")),
        ("FashionMNIST/raw", ("T-shirt/top", "Ankle boot")),
        ("KMNIST/raw", ("o", "wo")),
        ("my letters", ("0", "9")),
    ],
)
def test_classes_have_the_names_that_are_known(tmp_path: Path, folder: str, names: tuple[str, str]) -> None:
    bundle = data.idx(write_set(tmp_path / folder))
    assert (bundle.class_names[0], bundle.class_names[9]) == names


def test_emnist_lies_on_its_side_and_letters_count_from_one(tmp_path: Path) -> None:
    folder = tmp_path / "gzip"
    write_set(folder, prefix="emnist-letters-", test="test", classes=26, first=1)
    write_set(folder, prefix="emnist-digits-", test="test")
    mapping = "".join(f"{label} {64 + label} {96 + label}\n" for label in range(1, 27))
    (folder / "emnist-letters-mapping.txt").write_text(mapping)
    with pytest.raises(InputError, match="holds 2 data sets; choose one of .*gzip/emnist-digits, .*emnist-letters"):
        data.get(str(folder))
    bundle = data.get(str(folder / "emnist-letters"))
    assert bundle.name == "emnist-letters" and bundle.class_names[:2] == ("A/a", "B/b") and bundle.classes == 26
    images, labels = digits(20, classes=26, first=1, seed=20)
    assert np.array_equal(bundle.test.labels, labels.astype(int) - 1)
    assert np.array_equal(bundle.test.pixels[:, 0], images.transpose(0, 2, 1))
    assert data.get(str(folder / "emnist-digits")).class_names == tuple("0123456789")


def test_a_split_of_its_own_is_validation(tmp_path: Path) -> None:
    write_set(tmp_path)
    images, labels = digits(10, seed=1)
    write_idx(tmp_path / "validation-images-idx3-ubyte", images)
    write_idx(tmp_path / "validation-labels-idx1-ubyte", labels)
    bundle = data.idx(tmp_path)
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [40, 10, 20]
    for file in tmp_path.glob("t10k*"):
        file.unlink()
    bundle = data.idx(tmp_path)
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [36, 4, 10]


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected IDX files"):
        data.idx(tmp_path)
    write_set(tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    for array, message in (
        (np.zeros(19), "has 19 labels for 20 images"),
        (np.full(20, 77), r"test has labels that train lacks: \[77\]"),
        (np.zeros((20, 1)), r"t10k-labels.*expected labels \[N\], but it holds an array \[20, 1\]"),
    ):
        write_idx(labels, array)
        with pytest.raises(InputError, match=message):
            data.get(str(tmp_path))
    labels.unlink()
    with pytest.raises(InputError, match="the split test has no labels"):
        data.get(str(tmp_path))
    write_idx(labels, np.zeros(20))
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", np.zeros((20, 14, 14)))
    with pytest.raises(InputError, match="differ in size"):
        data.get(str(tmp_path))
    for file in tmp_path.glob("t10k*"):
        file.unlink()
    with pytest.raises(InputError, match="expected t10k-images-idx3-ubyte beside"):
        data.get(str(tmp_path))
    write_set(tmp_path)
    (tmp_path / f"{tmp_path.name}-mapping.txt").write_text("0 x\n")
    with pytest.raises(InputError, match="expected lines of a label and codes of characters"):
        data.get(str(tmp_path))


def test_images_are_resized_on_demand(tmp_path: Path) -> None:
    bundle = data.get(str(write_set(tmp_path)), size=32)
    assert bundle.input_shape == (1, 32, 32) and bundle.test.pixels.shape == (20, 1, 32, 32)


def test_fashion_mnist_as_debian_has_it() -> None:
    if not os.path.isdir(FASHION_MNIST):
        pytest.skip(f"no Fashion-MNIST in {FASHION_MNIST}: make fashion-mnist gets it")
    bundle = data.get(str(FASHION_MNIST))
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [54_000, 6_000, 10_000]
    assert bundle.classes == 10 and bundle.class_names[1] == "Trouser" and bundle.input_shape == (1, 28, 28)
    assert bundle.test.labels.bincount().tolist() == [1000] * 10
    assert bundle.mean == pytest.approx((0.286,), abs=1e-3) and bundle.std == pytest.approx((0.353,), abs=1e-3)
    trousers, bags = (bundle.test.pixels[bundle.test.labels == label].float().mean(0)[0] for label in (1, 8))
    assert float(trousers[:, 0].mean()) < 5 < 40 < float(bags[14, 1:4].mean())  # trousers are narrow, bags are not
