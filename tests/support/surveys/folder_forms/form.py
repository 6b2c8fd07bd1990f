"""A folder of images whose contents tell the classes: every image has the color of its class all over."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image

COLORS = {"cat": (200, 20, 20), "dog": (20, 190, 20), "owl": (128, 128, 128), "swan": (255, 255, 255)}
PAPERS = {"cat": (240,) * 3, "dog": (245,) * 3, "owl": (250,) * 3, "swan": (255,) * 3}  # of sketches
WIDTH, HEIGHT = 40, 30
TRAIN, VAL = 6, 2  # images per class
SIDE = 32  # of inputs, unless the form says otherwise


@dataclass(frozen=True)
class Form:
    """What is done to a folder with train/<class>/ and val/<class>/, and what must come out where it is taken.

    ``change`` gets this folder and may return another place, which is then read. ``images`` are those of all splits.
    ``names`` says of renamed classes which they were.
    """

    change: Callable[[Path], Path | None]
    options: Mapping[str, int] = field(default_factory=lambda: {"size": SIDE})
    classes: int = 4
    images: int = 4 * (TRAIN + VAL)
    shape: tuple[int, int, int] = (3, SIDE, SIDE)
    names: Mapping[str, str] = field(default_factory=dict)
    colors: Mapping[str, tuple[int, int, int]] = field(default_factory=lambda: COLORS)

    def color_of(self, name: str) -> tuple[int, int, int]:
        """The color of the images of the class ``name``."""
        return self.colors[self.names.get(name, name)]


def write_set(root: Path) -> None:
    """Write train/<class>/*.png and val/<class>/*.png."""
    for split, count in (("train", TRAIN), ("val", VAL)):
        for name in COLORS:
            write_class(root / split / name, count)


def write_class(folder: Path, count: int, *, name: str | None = None, gray: bool = False) -> None:
    """Write ``count`` images of the class ``name``, which is that of the folder unless given."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.png").write_bytes(_png(name or folder.name, gray))


def picture(name: str, mode: str = "RGB", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """An image of the class ``name``."""
    return Image.new("RGB", size, COLORS[name]).convert(mode)


def move(root: Path, **places: str) -> None:
    """Rename folders, such as val="Validation"."""
    for old, new in places.items():
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)


def copy(root: Path, old: str, new: str) -> None:
    """Copy a folder or file below ``root``."""
    (shutil.copytree if (root / old).is_dir() else shutil.copy)(root / old, root / new)


@cache
def _png(name: str, gray: bool) -> bytes:
    file = BytesIO()
    image = Image.new("L", (WIDTH, HEIGHT), PAPERS[name][0]) if gray else picture(name)
    image.save(file, "PNG")
    return file.getvalue()
