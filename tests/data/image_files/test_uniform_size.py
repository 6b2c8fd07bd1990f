"""The size of images that are all alike."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from b2nn_tvm.data.image_files.uniform_size import uniform_size


def image(path: Path, size: tuple[int, int], orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("L", size).save(path, exif=exif)
    return path


def test_height_and_width_of_images_that_are_alike(tmp_path: Path) -> None:
    files = [image(tmp_path / "a.png", (40, 30)), image(tmp_path / "b.jpg", (30, 40), orientation=6)]
    assert uniform_size(files) == (30, 40)


def test_other_sizes_and_large_photos_have_no_common_one(tmp_path: Path) -> None:
    files = [image(tmp_path / "a.png", (40, 30)), image(tmp_path / "b.png", (30, 40)), tmp_path / "never read.png"]
    assert uniform_size(files) is None
    assert uniform_size([image(tmp_path / "c.png", (513, 30))]) is None
    assert uniform_size([]) is None


def test_a_file_that_is_no_image_has_no_size(tmp_path: Path) -> None:
    """It is named with all others when the images are decoded."""
    (tmp_path / "a.png").write_bytes(b"")
    assert uniform_size([tmp_path / "a.png"]) is None
    assert uniform_size([tmp_path / "a.png", image(tmp_path / "b.png", (40, 30))]) == (30, 40)
