"""Which words of the command line are photos, and which images a folder has."""

from __future__ import annotations

import pytest

from tests.support.deploy.photos import picture
from tests.support.deploy.runner_process import refused, start

NAMES = ("b.PNG", "a.jpg", "c.ppm", "d.jpeg")


@pytest.fixture
def folder(tmp_path):
    """A folder of photos, and of what is none."""
    found = tmp_path / "photos"
    found.mkdir()
    for name in NAMES:
        picture(20, 30).save(found / name)
    (found / ".hidden.jpg").write_text("x")
    (found / "notes.txt").write_text("x")
    return found


def names(done) -> list[str]:
    return [line.split(": ")[0] for line in done.stdout.splitlines()[:-1]]


def test_a_folder_is_read_in_the_order_of_names(photo_net, folder):
    for word in (folder, f"{folder}/"):
        done = start(photo_net, word)
        assert (done.returncode, done.stderr) == (0, "")
        assert names(done) == [f"{folder}/{name}" for name in sorted(NAMES)]
    several = start(photo_net, folder / "a.jpg", folder, folder / "c.ppm")
    assert len(names(several)) == 6


def test_images_of_other_formats_are_counted(photo_net, folder):
    picture(9, 9).save(folder / "x.bmp")
    done = start(photo_net, folder)
    assert done.stderr == f"note: {folder}: 1 image of another format is left out; convert it to PNG\n"
    assert len(names(done)) == 4
    picture(9, 9).save(folder / "y.bmp")
    done = start(photo_net, folder)
    assert done.stderr == f"note: {folder}: 2 images of other formats are left out; convert them to PNG\n"


def test_the_library_may_be_named_before_photos(photo_net, folder):
    assert names(start(photo_net, photo_net, folder)) == [f"{folder}/{name}" for name in sorted(NAMES)]
    assert "expected a folder with JPEG, PNG, PPM or PGM files" in refused(photo_net, photo_net, folder.parent)
    assert "cannot open this file" in refused(photo_net, photo_net, folder / "none.jpg")


def test_what_looks_like_a_photo_is_one(parts, photo_net, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "photo").write_bytes((folder / "a.jpg").read_bytes())
    judge = lambda path: bool(parts.functions.names_photos(str(path).encode()))
    assert judge(folder) and judge(folder / "a.jpg") and judge(tmp_path / "photo") and judge(tmp_path / "none.png")
    for other in (
        photo_net,
        photo_net / "libb2nn_model.so",
        tmp_path / "empty",
        tmp_path / "none",
        folder / "notes.txt",
    ):
        assert not judge(other)
    picture(9, 9).save(tmp_path / "x.bmp")
    assert "expected a JPEG, PNG, PPM or PGM file, and this is none; convert it" in refused(
        photo_net, tmp_path / "x.bmp"
    )
