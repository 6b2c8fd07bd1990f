"""Image files by class, among what systems leave in folders."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from b2nn_tvm.data.image_files.scan_classes import folders, is_junk, refuse_one_class, scan
from b2nn_tvm.errors import InputError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).mkdir() if name.endswith("/") else (root / name).touch()
    return root


def scanned(root: Path) -> tuple[dict[str, list[str]], list[str]]:
    notes: list[str] = []
    found = scan(root, note=notes.append)
    return {name: [file.relative_to(root).as_posix() for file in files] for name, files in found.items()}, notes


@pytest.mark.parametrize(
    "junk",
    [
        *("cat/._0.png", "._cat", ".DS_Store", "cat/.DS_Store", "cat/Thumbs.db", "cat/desktop.ini", "Desktop.ini"),
        *("__MACOSX/._cat", "__MACOSX/cat/._0.png", "cat/__MACOSX/x.png", ".ipynb_checkpoints/0.png"),
        *("cat/.ipynb_checkpoints/0-checkpoint.png", "@eaDir/a.jpg", "cat/@eaDir/0.jpg", "cat/Icon\r", ".git/x/0.png"),
    ],
)
def test_what_systems_leave_is_ignored_with_a_note(tmp_path: Path, junk: str) -> None:
    found, (note,) = scanned(tree(tmp_path, "cat/0.png", "dog/1.JPG", junk))
    assert found == {"cat": ["cat/0.png"], "dog": ["dog/1.JPG"]}
    assert note.startswith(f"{tmp_path}: 1 file or folder of a system or program is ignored: ")


def test_other_files_are_left_and_named(tmp_path: Path) -> None:
    found, notes = scanned(
        tree(tmp_path, "cat/0.png", "cat/deep/er/2.tif", "cat/labels.csv", "cat/b.heic", "readme.txt")
    )
    assert found == {"cat": ["cat/0.png", "cat/deep/er/2.tif"]}
    assert notes == [f"{tmp_path}: 2 files that are no images are ignored, such as cat/b.heic"]


def test_classes_have_composed_names_and_may_be_empty(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "größe")
    found, _ = scanned(tree(tmp_path, f"{decomposed}/0.png", "b/", "a/.DS_Store"))
    assert list(found) == ["a", "b", "größe"] and [len(files) for files in found.values()] == [0, 0, 1]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    tree(tmp_path, "cat/0.png", "dog/1.JPG")
    os.mkfifo(tmp_path / "cat" / "2.png")
    (tmp_path / "cat" / "3.png").symlink_to("nowhere.png")  # an error when it is read
    found, (note,) = scanned(tmp_path)
    assert found["cat"] == ["cat/0.png", "cat/3.png"] and note.endswith("is ignored: cat/2.png")


def test_a_link_to_a_class_is_a_class_and_a_link_that_leads_back_up_is_none(tmp_path: Path) -> None:
    tree(tmp_path, "cat/0.png")
    (tmp_path / "link").symlink_to(tmp_path / "cat")
    (tmp_path / "cat" / "up").symlink_to(tmp_path)
    found, notes = scanned(tmp_path)
    assert found == {"cat": ["cat/0.png"], "link": ["link/0.png"]}
    assert notes == [f"{tmp_path}: 2 links to folders are ignored, such as cat/up"]


def test_images_beside_the_classes_are_no_silent_loss(tmp_path: Path) -> None:
    found, notes = scanned(tree(tmp_path, "cat/0.png", "dog/0.png", "1.JPG", "2.png", "._3.png", "4.png/0.png"))
    assert list(found) == ["4.png", "cat", "dog"]
    assert notes[1:] == [f"{tmp_path}: 2 images of no class are ignored, such as 1.JPG"]


def test_one_class_is_none(tmp_path: Path) -> None:
    refuse_one_class(tmp_path, ("cat", "dog"))
    with pytest.raises(InputError, match="at least two classes, but there is only cat"):
        refuse_one_class(tmp_path, ("cat",))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0.png"], "expected one folder per class in it, with images, but there is none"),
        (["a/", "b/"], "expected one folder per class in it, with images"),
        (["a/0.png", "b/0.heic"], r"b: no images, but 1 other file such as 0.heic; expected files ending in .jpg"),
    ],
)
def test_what_has_no_images(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scan(tree(tmp_path, *names), note=print)


def test_a_link_that_leads_nowhere_is_no_silent_loss(tmp_path: Path) -> None:
    tree(tmp_path, "cat/0.png")
    (tmp_path / "cat" / "1.png").symlink_to(tmp_path / "not fetched")
    assert scanned(tmp_path) == ({"cat": ["cat/0.png", "cat/1.png"]}, [])


def test_folders_are_sorted_and_no_junk(tmp_path: Path) -> None:
    tree(tmp_path, "b/", "a/", ".x/", "__MACOSX/", "file")
    assert [folder.name for folder in folders(tmp_path)] == ["a", "b"] and is_junk("THUMBS.DB") and not is_junk("cat")
