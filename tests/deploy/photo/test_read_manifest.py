"""Photos need a manifest that says what becomes of them: without it there is no answer."""

from __future__ import annotations

import os
import shutil

import pytest

from b2nn_tvm.deploy.library.library_files import LIBRARY, RUNNER
from tests.support.deploy.photo_network import change_manifest
from tests.support.deploy.photos import picture
from tests.support.deploy.runner_process import refused, start


@pytest.fixture
def copy(photo_net, tmp_path):
    """A copy of the network's folder, with a photo in it."""
    folder = tmp_path / "net"
    shutil.copytree(photo_net, folder)
    picture(20, 30).save(folder / "photo.png")
    return folder


def test_a_library_that_says_nothing_of_photos_gives_no_answer(copy):
    advice = (
        "error: {}: the manifest does not say how an image becomes the network's input (it has no preprocess); compile "
        "it from a file that says so (b2nn-compile --mean and --std, or b2nn-search), or give the values of the input "
        "with --input"
    )
    for value in (None, ...):
        change_manifest(copy, preprocess=value)
        assert refused(copy, copy / "photo.png") == advice.format(copy / "photo.png")
    assert refused(copy, "--frames", "9x9") == advice.format("--frames")


def test_the_manifest_must_be_there_and_whole_and_the_librarys(copy):
    path = copy / "manifest.json"
    change_manifest(copy, library={"model_id": "another"})
    assert refused(copy, copy / "photo.png").endswith("is that of another library: copy the whole folder again")
    path.write_text(path.read_text()[:-5])
    assert refused(copy, copy / "photo.png") == f"error: {path}: the manifest is damaged: copy it again"
    path.unlink()
    assert "expected the manifest of the library" in refused(copy, copy / "photo.png")


def test_it_is_found_beside_the_library_however_that_is_named(copy, monkeypatch):
    answers = set()
    for folder, words in (
        (copy.parent, ()),
        (copy.parent, (copy,)),
        (copy, (LIBRARY,)),
        (copy, (f"./{LIBRARY}",)),
        (copy.parent, (f"net/{LIBRARY}",)),
    ):
        done = start(copy, *words, copy / "photo.png", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        answers.add(done.stdout.rsplit("\n", 2)[0])
    assert len(answers) == 1


def test_a_link_to_the_program_finds_the_manifest_of_the_program(copy):
    os.symlink(copy / RUNNER, copy.parent / RUNNER)
    assert start(copy.parent, copy / "photo.png").returncode == 0


def test_labels_must_be_as_many_as_classes(copy):
    change_manifest(copy, labels=["a", "b"])
    message = "error: the manifest has 2 labels, but the network 3 classes; name a file with --labels"
    assert refused(copy, copy / "photo.png") == message
    (copy / "labels.txt").write_text("x\ny\nz\n")
    assert start(copy, copy / "photo.png", "--labels", copy / "labels.txt").returncode == 0
    change_manifest(copy, labels=["a", 2, "c"])
    assert "labels are not all text" in refused(copy, copy / "photo.png")
    change_manifest(copy, labels=None)
    assert "class 0" in start(copy, copy / "photo.png").stdout
