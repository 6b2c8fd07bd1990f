"""Find the image files of each class: <class>/**/*.jpg, without what systems and programs leave in folders."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from b2nn_tvm.data.image_files.decode_image import SUFFIXES
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Note
from b2nn_tvm.words.number_of import number_of

# Left by Windows, macOS's archives, Synology's NAS and Linux; names that begin with a dot, such as ._photo.jpg,
# .DS_Store and .ipynb_checkpoints, are ignored as well.
_LEFT_BY_SYSTEMS = {
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
    *("__macosx", "icon\r", "@eadir", "lost+found"),
}


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name is no part of a data set."""
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def folders(parent: Path) -> list[Path]:
    """The folders in ``parent`` that may be parts of a data set, sorted."""
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not is_junk(entry.name))


def scan(split: Path, *, note: Note) -> dict[str, tuple[Path, ...]]:
    """Class name -> image files, both sorted; the files of a class may lie in folders below the folder of the class.

    Names are in Unicode's composed form, which macOS does not keep. A class without any file has no images. ``note`` is
    told, with a count and an example, what was ignored. Raises InputError where there is no class, no class has images,
    or a class has files, but none of them is an image.
    """
    images: defaultdict[str, list[Path]] = defaultdict(list)
    beside = list(split.iterdir())
    junk = [entry for entry in beside if is_junk(entry.name)]
    loose = [entry for entry in beside if _is_image(entry) and not is_junk(entry.name) and not entry.is_dir()]
    others: list[Path] = []
    links: list[Path] = []
    for folder in folders(split):
        before, name = len(others), unicodedata.normalize("NFC", folder.name)
        for file in _files(folder, junk.append, links.append):
            (images[name] if _is_image(file) else others).append(file)
        if not images[name] and len(others) > before:
            raise InputError(
                f"{folder}: no images, but {number_of(len(others) - before, 'other file')} such as"
                f" {others[-1].name}; expected files"
                f" ending in {', '.join(SUFFIXES)}"
            )
    if not any(images.values()):
        raise InputError(f"{split}: expected one folder per class in it, with images, but there is none")
    _tell(split, junk, "file or folder of a system or program", "files and folders of a system or program", note)
    _tell(split, others, "file that is no image", "files that are no images", note)
    _tell(split, loose, "image of no class", "images of no class", note)
    _tell(split, links, "link to a folder", "links to folders", note)
    return {name: tuple(sorted(images[name])) for name in sorted(images)}


def refuse_one_class(parent: Path, names: Sequence[str]) -> None:
    """Raise InputError where the classes ``names`` with images in ``parent`` are not at least two."""
    if len(names) == 1:
        raise InputError(
            f"{parent}: expected a folder with images for each of at least two classes, but there is only {names[0]}"
        )


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def _files(folder: Path, ignore: Callable[[Path], None], ignore_link: Callable[[Path], None]) -> list[Path]:
    """All files below ``folder`` except for those ignored."""
    found: list[Path] = []
    with os.scandir(folder) as entries:  # knows what is a folder without asking for each of a million files
        for entry in entries:
            if is_junk(entry.name):
                ignore(folder / entry.name)
            elif entry.is_file(follow_symlinks=False) or (entry.is_symlink() and not entry.is_dir()):
                found.append(folder / entry.name)
            elif not entry.is_dir():  # a pipe or a socket, which would be waited for
                ignore(folder / entry.name)
            elif entry.is_symlink():  # it may lead back up
                ignore_link(folder / entry.name)
            else:
                found += _files(folder / entry.name, ignore, ignore_link)
    return found


def _tell(split: Path, ignored: Sequence[Path], one: str, several: str, note: Note) -> None:
    if ignored:
        example = min(ignored).relative_to(split)
        how = f"is ignored: {example}" if len(ignored) == 1 else f"are ignored, such as {example}"
        note(f"{split}: {number_of(len(ignored), one, several)} {how}")
