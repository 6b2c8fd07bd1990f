"""A word is a built-in data set or a path, and a path is what its layout says."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm import data
from b2nn_tvm.errors import InputError


def layout(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("files", "error"),
    [
        (["set.npz"], r"expected one of digits, shapes, shapes64; .*; this folder holds set.npz$"),
        (["train", "meta"], "of cifar100; it lacks test"),
        (["data_batch_1", "data_batch_2"], "of cifar10; it lacks batches.meta, data_batch_3"),
        (["wnids.txt", "train/n01443537/images/0.JPEG"], "images: no such folder; expected it in Tiny-ImageNet"),
        (["val/val_annotations.txt", "train/n01443537/images/0.JPEG"], "wnids.txt: expected this file"),
        (["train/cat/0.jpg"], "train: expected a folder .* of at least two classes, but there is only cat"),
        (["val/cat/0.jpg"], "expected the folders train/<class>/ and val/<class>/, but it holds val"),
        (["wrist-watch/1.png"], "at least two classes, but there is only wrist-watch"),
        (["images/deep/er/1.png", "b", ".git/x"], "this folder holds .git, b, images$"),
        ([], "this folder holds nothing$"),
        (["0.JPG", "1.png"], "this folder holds images; give the one around it, with a folder of images for each"),
    ],
)
def test_each_layout_goes_to_its_loader(tmp_path: Path, files: list[str], error: str) -> None:
    """Each loader complains in its own words of what is missing."""
    with pytest.raises(InputError, match=error):
        data.get(str(layout(tmp_path, *files)))


def test_files_go_to_their_loaders(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_text("no archive")
    with pytest.raises(InputError, match="expected CIFAR's .tar.gz"):
        data.get(str(tmp_path / "a.tgz"))
    with pytest.raises(InputError, match="expected one of digits.*this file is none of them"):
        data.get(str(layout(tmp_path, "a.txt") / "a.txt"))


@pytest.mark.parametrize("word", ["mnist", "", "a\0b", "x" * 5000])
def test_what_is_none_lists_the_choices(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        data.get(word)
    for choice in (*data.names(), "train/<class>/", "CIFAR-100", "Tiny-ImageNet-200", "IDX", "sketches", ".npz"):
        assert choice in str(error.value)
    assert len(str(error.value)) < 700


def test_images_in_memory_are_resized() -> None:
    bundle = data.get("digits", size=24)
    assert bundle.input_shape == (3, 24, 24) == tuple(bundle.train.images.shape[1:])


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(InputError, match="'imagenet'.*digits.*folder.*npz"):
        data.get("imagenet")


def test_files_are_skipped_only_where_images_are_files() -> None:
    with pytest.raises(InputError, match="'digits': its images are not files of their own"):
        data.get("digits", skip_bad=3)
