"""Folders of photos without splits: <class>/*.jpg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm import data
from b2nn_tvm.errors import InputError


def write(root: Path, **counts: int) -> Path:
    source = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = source.integers(0, 255, (12, 10 + number % 3, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def test_the_splits_are_stratified_and_always_the_same(tmp_path: Path) -> None:
    bundle = data.get(str(write(tmp_path / "pets", cat=20, dog=20)), size=8)
    assert bundle.class_names == ("cat", "dog") and bundle.input_shape == (3, 8, 8) and bundle.name == "pets"
    splits = (bundle.train, bundle.val, bundle.test)
    assert [np.bincount(split.labels).tolist() for split in splits] == [[14, 15], [2, 1], [4, 4]]
    assert len({file for split in splits for file in split.files}) == 40
    assert all(file.parent.name == bundle.class_names[label] for split in splits for file, label in zip(*_rows(split)))
    assert data.flat_folder(tmp_path / "pets", size=8).digest == bundle.digest
    assert bundle.notes[0].startswith(f"{tmp_path}/pets: the images are in no splits, so 29 are to train on, 3 to cho")


def _rows(split) -> tuple[tuple[Path, ...], tuple[int, ...]]:
    return split.files, split.labels


def test_small_classes_are_in_all_splits_as_far_as_they_go(tmp_path: Path) -> None:
    bundle = data.flat_folder(write(tmp_path, cat=3, dog=3, owl=3), size=8)
    assert [sorted(set(split.labels)) for split in (bundle.train, bundle.val, bundle.test)] == [[0, 1, 2]] * 3
    rare = data.flat_folder(write(tmp_path / "rare", cat=60, dog=3), size=8)
    assert rare.notes[-1].endswith("among the 5 images of val are none of dog")


def test_train_alone_is_split_in_the_same_way(tmp_path: Path) -> None:
    bundle = data.get(str(write(tmp_path / "pets" / "train", cat=20, dog=20).parent), size=8)
    assert bundle.name == "pets" and bundle.class_names == ("cat", "dog")
    assert [len(split.labels) for split in (bundle.train, bundle.val, bundle.test)] == [29, 3, 8]
    assert "/pets/train: the images are in no splits" in bundle.notes[0]


def test_what_cannot_be_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        data.flat_folder(tmp_path / "nowhere")
    write(tmp_path, cat=9)
    with pytest.raises(InputError, match="at least two classes, but there is only cat"):
        data.get(str(tmp_path))
    write(tmp_path, dog=2)
    with pytest.raises(InputError, match="at least 3 images of each class.*fewer of dog; add images"):
        data.get(str(tmp_path))


def test_empty_classes_and_bad_files_are_left_out_with_a_note(tmp_path: Path) -> None:
    write(tmp_path, cat=6, dog=6, owl=0)
    (tmp_path / "cat" / "0.png").write_bytes(b"")
    seen: list[tuple[str, int, int]] = []
    bundle = data.get(str(tmp_path), skip_bad=1, size=8, progress=lambda *call: seen.append(call[:3]))
    assert sum(map(len, (bundle.train, bundle.val, bundle.test))) == 11
    assert "classes without images are left out: owl" in bundle.notes[0] and "1 of 12 images cannot" in bundle.notes[1]
    assert seen[-1] == ("check the images", 12, 12)
