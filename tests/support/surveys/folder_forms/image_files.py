"""The image files that folders hold: of every kind, larger or smaller than others, damaged, or no images at all."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.surveys.folder_forms.form import HEIGHT, SIDE, TRAIN, VAL, WIDTH, Form, copy, picture

ALL = 4 * (TRAIN + VAL)
OWN = {"options": {}, "shape": (3, HEIGHT, WIDTH)}  # without --image-size
USUAL = {"options": {}, "shape": (3, 224, 224)}
ORIENTATION = 274  # the number of this tag in EXIF
MODES = {"RGBA": "png", "LA": "png", "P": "png", "CMYK": "jpg", "L": "jpg", "1": "png"}
OF_MODE = {"LA": "owl", "L": "owl", "1": "swan"}  # classes whose color the mode has; else that of cats


def _written(write: Callable[[Path], object], added: int = 1, **expected: object) -> Form:
    def change(root: Path) -> None:
        write(root / "train")

    return Form(change, images=ALL + added, **expected)  # type: ignore[arg-type]


def _formats(train: Path) -> None:
    for ending in ("JPG", "jpeg", "jfif", "PNG", "bmp", "webp", "avif", "gif", "tif", "TIFF", "ppm"):
        picture("cat").save(train / "cat" / f"of.{ending}")


def _modes(train: Path) -> None:
    for mode, ending in MODES.items():
        name = OF_MODE.get(mode, "cat")
        picture(name, mode).save(train / name / f"mode {mode}.{ending}")


def _transparent(train: Path) -> None:
    Image.new("RGBA", (WIDTH, HEIGHT), (200, 20, 20, 0)).save(train / "swan" / "transparent.png")


def _grays(train: Path, dtype: str, value: float, ending: str) -> None:
    Image.fromarray(np.full((HEIGHT, WIDTH), value, dtype)).save(train / "owl" / f"gray.{ending}")


def _turned(train: Path) -> None:
    image = picture("cat", size=(HEIGHT, WIDTH))
    exif = image.getexif()
    exif[ORIENTATION] = 6
    image.save(train / "cat" / "turned.jpg", exif=exif)


def _damaged_exif(train: Path) -> None:
    picture("cat").save(train / "cat" / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09 cut short")


def _palette(train: Path) -> None:
    """A palette in which each color has a transparency of its own."""
    image = Image.new("P", (WIDTH, HEIGHT), 1)
    image.putpalette([0, 0, 0, *(200, 20, 20)])
    image.save(train / "cat" / "palette.png", transparency=bytes([0, 255]))


def _animated(train: Path) -> None:
    picture("cat").save(train / "cat" / "a.gif", save_all=True, append_images=[picture("dog")])
    picture("cat").save(train / "cat" / "a.tif", save_all=True, append_images=[picture("dog")])


def _other_ending(train: Path) -> None:
    picture("cat").save(train / "cat" / "a.jpg", format="PNG")


def _large(size: tuple[int, int], *, all_files: bool = False) -> Callable[[Path], None]:
    def write(train: Path) -> None:
        for file in train.parent.glob("*/*/*.png") if all_files else [train / "cat" / "of another size.png"]:
            picture(file.parent.name, size=size).save(file)

    return write


def _thin(train: Path) -> None:
    for size in ((1, 1), (1, 500), (900, 2)):
        picture("cat", size=size).save(train / "cat" / f"{size}.png")


def _bytes(content: bytes, *names: str, **options: int) -> Form:
    def write(train: Path) -> None:
        for name in names:
            (train / name).write_bytes(content)

    return _written(write, 0, options={"size": SIDE, **options})


def _cut_short(count: int = 1, **options: int) -> Form:
    def write(train: Path) -> None:
        for number in range(count):
            path = train / "cat" / f"cut short {number}.jpg"
            picture("cat").save(path)
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return _written(write, 0, options={"size": SIDE, **options})


def _nothing_but_bad(train: Path) -> None:
    for file in (train / "cat").iterdir():
        file.write_bytes(b"\x89PNG\r\n\x1a\n")


def _bomb(train: Path) -> None:
    """A PNG that says that it has 30,000 x 30,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (train / "cat" / "bomb.png").write_bytes(content)


def _dangling(train: Path) -> None:
    (train / "cat" / "gone.png").symlink_to(train / "nowhere.png")


def _folder_like_a_file(train: Path) -> None:
    (train / "cat" / "a.png").mkdir()
    copy(train, "cat/0.png", "cat/a.png/0.png")


def _odd_names(train: Path) -> None:
    for name in (b"line\nbreak.png", b"no unicode \xff.png", b"-rf.png", b"%s {0}.png"):
        with open(bytes(train) + b"/cat/" + name, "wb") as file:
            picture("cat").save(file, "PNG")


IMAGE_FILES: dict[str, Form] = {
    "JPEG, PNG, BMP, WebP, AVIF, GIF, TIFF, PPM": _written(_formats, 11),
    "RGBA, LA, P, CMYK, L, 1-bit": _written(_modes, len(MODES)),
    "a transparent PNG": _written(_transparent),
    "16-bit gray PNG": _written(lambda train: _grays(train, "uint16", 128 * 257, "png")),
    "16-bit gray TIFF": _written(lambda train: _grays(train, "uint16", 128 * 257, "tif")),
    "floating-point TIFF": _written(lambda train: _grays(train, "float32", 0.5, "tif")),
    "EXIF orientation": _written(_turned, **OWN),
    "damaged EXIF data": _written(_damaged_exif, **OWN),
    "a palette with transparencies": _written(_palette),
    "an animated GIF, a TIFF of two pages": _written(_animated, 2),
    "a PNG called .jpg": _written(_other_ending),
    "an image of another size": _written(_large((50, 50)), **USUAL),
    "images of 1x1, 1x500 and 900x2": _written(_thin, 3, **USUAL),
    "all images 600x600": _written(_large((600, 600), all_files=True), 0, **USUAL),
    "all images 1x1": _written(_large((1, 1), all_files=True), 0, options={}, shape=(3, 1, 1)),
    "a JPEG cut short": _cut_short(),
    "a JPEG cut short, --skip-bad 1": _cut_short(skip_bad=1),
    "2 JPEGs cut short, --skip-bad 1": _cut_short(2, skip_bad=1),
    "all images of a class damaged, --skip-bad 9": _written(_nothing_but_bad, 0, options={"size": SIDE, "skip_bad": 9}),
    "an empty file": _bytes(b"", "cat/a.jpg"),
    "an empty file, --skip-bad 1": _bytes(b"", "cat/a.jpg", skip_bad=1),
    "a web page called .jpg": _bytes(b"<!DOCTYPE html><html></html>", "cat/a.jpg"),
    "a Git LFS pointer": _bytes(b"version https://git-lfs.github.com/spec/v1\n", "cat/a.jpg"),
    "30,000 x 30,000 pixels": _written(_bomb, 0),
    "HEIC, SVG and raw files": _bytes(b"\0", "cat/a.heic", "cat/b.svg", "cat/c.CR2", "cat/d.npy"),
    "a link to a file that is gone": _written(_dangling, 0),
    "a folder called a.png": _written(_folder_like_a_file),
    "file names with line breaks, without Unicode": _written(_odd_names, 4),
}
