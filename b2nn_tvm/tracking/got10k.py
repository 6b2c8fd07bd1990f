"""GOT-10k as it is stored (Huang et al., GOT-10k, TPAMI 2019), and other data sets of the same layout.

    train/list.txt                      the names of the sequences, one per line; val/ and test/ likewise
    train/<name>/00000001.jpg ...       the frames
    train/<name>/groundtruth.txt        a box "x,y,width,height" per line; only the first box for test sequences
    train/<name>/absence.label          1 where the target is not in the frame, else 0, one per line
    train/<name>/cover.label            how much of the target is visible, 0 (nothing) to 8 (all), one per line
    train/<name>/meta_info.ini          "key: value"

Labels and meta_info.ini of test sequences may be missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.data.image_files.decode_image import decode
from b2nn_tvm.errors import InputError
from b2nn_tvm.words.number_of import number_of

if TYPE_CHECKING:
    from PIL import Image

SPLITS = ("train", "val", "test")
ALL_VISIBLE = 8


@dataclass(frozen=True, eq=False)
class Video:
    """One sequence: ``boxes`` are float64 [frames, 4], or [1, 4] where only the first box is public.

    ``absence`` and ``cover`` are integers [frames], or None where they are not public either.
    """

    name: str
    frames: tuple[Path, ...]
    boxes: np.ndarray
    absence: np.ndarray | None
    cover: np.ndarray | None
    meta: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def annotated(self) -> bool:
        """Whether there is a box for each frame."""
        return len(self.boxes) == len(self.frames)

    def frame(self, index: int) -> Image.Image:
        """A frame in RGB; raises InputError, which names the file, where it cannot be read."""
        return decode(self.frames[index], "RGB")


def got10k(root: str | os.PathLike[str], split: str) -> tuple[Video, ...]:
    """The sequences of "train", "val" or "test" under ``root``, in the order of its list.txt.

    Frames are read when they are asked for. Raises InputError, which names the file and the line, where something is
    missing, is no number, or does not match the frames, and where a line of list.txt is no name of a folder beside it.
    """
    if split not in SPLITS:
        raise InputError(f"there is no split {split!r}; choose one of {', '.join(SPLITS)}")
    listing = Path(root) / split / "list.txt"
    names = [line.strip() for line in _lines(listing)]
    for number, name in enumerate(names, 1):
        if not _is_plain(name):
            raise InputError(f"{listing}, line {number}: expected the name of a folder beside it, not {name[:80]!r}")
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"{listing}: expected the names of sequences, each once, but of its {len(names)} lines only "
            f"{len(set(names))} differ"
        )
    return tuple(_read(listing.parent / name, public=split != "test") for name in names)


def _read(folder: Path, *, public: bool) -> Video:
    boxes = _boxes(folder / "groundtruth.txt")
    frames = _frames(folder)
    if len(boxes) != len(frames) and (public or len(boxes) != 1):
        raise InputError(
            f"{folder / 'groundtruth.txt'}: has {number_of(len(boxes), 'box', 'boxes')} for"
            f" {number_of(len(frames), 'frame')}; expected one for each"
        )
    return Video(
        name=folder.name,
        frames=frames,
        boxes=boxes,
        absence=_labels(folder / "absence.label", len(frames), 1, public=public),
        cover=_labels(folder / "cover.label", len(frames), ALL_VISIBLE, public=public),
        meta=_meta(folder / "meta_info.ini", public=public),
    )


def _frames(folder: Path) -> tuple[Path, ...]:
    found = {path.name for path in folder.iterdir() if path.suffix == ".jpg"}
    expected = [f"{number:08d}.jpg" for number in range(1, len(found) + 1)]
    missing = [name for name in expected if name not in found]
    if missing or not found:
        first = missing[0] if missing else "00000001.jpg"
        raise InputError(f"{folder / first}: no such frame; expected 00000001.jpg and so on without a gap")
    return tuple(folder / name for name in expected)


def _boxes(path: Path) -> np.ndarray:
    rows = []
    for number, line in enumerate(_lines(path), 1):
        try:
            row = [float(word) for word in line.split(",")]
        except ValueError:
            row = []
        if len(row) != 4 or not np.isfinite(row).all() or min(row[2:]) < 0:
            raise InputError(f'{path}, line {number}: expected a box "x,y,width,height" in pixels, not {line[:80]!r}')
        rows.append(row)
    if not rows or min(rows[0][2:]) == 0:
        raise InputError(f"{path}: the first box is missing or empty, so that there is nothing to track")
    return np.array(rows)


def _labels(path: Path, frames: int, largest: int, *, public: bool) -> np.ndarray | None:
    if not public and not path.exists():
        return None
    lines = _lines(path)
    allowed = {str(label) for label in range(largest + 1)}
    for number, line in enumerate(lines, 1):
        if line.strip() not in allowed:
            raise InputError(f"{path}, line {number}: expected an integer from 0 to {largest}, not {line[:80]!r}")
    if len(lines) != frames:
        raise InputError(
            f"{path}: has {number_of(len(lines), 'label')} for {number_of(frames, 'frame')}; expected one for each"
        )
    return np.array([int(line) for line in lines])


def _meta(path: Path, *, public: bool) -> dict[str, str]:
    meta: dict[str, str] = {}
    if not public and not path.exists():
        return meta
    for number, line in enumerate(_lines(path), 1):
        key, colon, value = line.partition(":")
        if not colon and line.strip() and not line.startswith("["):  # "[" begins a section's name
            raise InputError(f'{path}, line {number}: expected "key: value", not {line[:80]!r}')
        if colon:
            meta[key.strip()] = value.strip()
    return meta


def _is_plain(name: str) -> bool:
    """Whether ``name`` is the plain name of a folder on every system: no path, no drive, no way up."""
    last_parts = (PurePosixPath(name).name, PureWindowsPath(name).name)
    return name not in ("", ".", "..") and last_parts == (name, name) and "\0" not in name


def _lines(path: Path) -> list[str]:
    """The lines up to the last one that is not blank."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "no such file" if missing else f"cannot be read ({' '.join(str(error).split())})"
        raise InputError(f"{path}: {reason}; expected a data set in GOT-10k's layout") from None
    return text.rstrip().splitlines()
