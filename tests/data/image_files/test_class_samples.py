"""The images that tell of what kind a folder is."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from b2nn_tvm.data.image_files.class_samples import MOST, class_samples, has_class_images


def test_one_readable_image_of_each_class_and_of_many_classes_some(tmp_path: Path) -> None:
    assert not has_class_images(tmp_path / "nowhere") and not has_class_images(tmp_path)
    for number in range(40):
        (tmp_path / f"{number:02}").mkdir()
        (tmp_path / f"{number:02}" / "0.png").write_bytes(b"no image")
        Image.new("L", (2, 2)).save(tmp_path / f"{number:02}" / "1.png")
        (tmp_path / f"{number:02}" / "._0.png").touch()
    found = class_samples(tmp_path)
    assert len(found) == MOST and {file.name for file in found} == {"1.png"} and found[0].parent.name == "00"
    assert has_class_images(tmp_path)


def test_folders_without_readable_images(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "0.txt").touch()
    assert class_samples(tmp_path) == [] and not has_class_images(tmp_path)
    (tmp_path / "cat" / "0.png").touch()
    assert class_samples(tmp_path) == [] and has_class_images(tmp_path)
