"""All files of images are decoded before a search; whole ones once."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm import data
from b2nn_tvm.data.subset import subset
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.preflight import check_images as module
from b2nn_tvm.loop.preflight.check_images import check_images
from b2nn_tvm.progress import silent
from b2nn_tvm.storage.phase_cache import State
from tests.support.loop.faulty_inputs import write_inputs
from tests.support.mixbin import noise


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def test_bad_files_of_all_splits_are_named_with_their_reasons(tmp_path: Path) -> None:
    pets = write_inputs(tmp_path)
    bundle, state = data.folder(pets), State(tmp_path / "state")
    cut(pets / "train" / "dog" / "1.png")
    (pets / "val" / "owl" / "2.png").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        check_images(bundle, state, progress=silent)
    text = str(caught.value)
    assert text.startswith("2 of 18 images cannot be read: ") and text.endswith("leave them out with --skip-bad 2")
    assert f"{pets}/train/dog/1.png: not a readable image (" in text and f"{pets}/val/owl/2.png: not a" in text
    assert not state.folder.exists()


def test_whole_files_are_not_read_again_until_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pets = write_inputs(tmp_path)
    bundle, state = data.folder(pets), State(tmp_path / "state")
    check_images(bundle, state, progress=silent)
    with monkeypatch.context() as patched:
        patched.setattr(module, "bad_files", None)
        check_images(bundle, state, progress=silent)
    file = pets / "val" / "owl" / "2.png"
    cut(file)
    os.utime(file, ns=(1, 1))
    with pytest.raises(InputError, match="1 of 18 images cannot be read"):
        check_images(bundle, state, progress=silent)


def test_parts_of_a_split_and_images_in_memory(tmp_path: Path) -> None:
    pets = write_inputs(tmp_path)
    bundle = data.folder(pets)
    few = replace(bundle, train=subset(bundle.train, 2))
    for file in bundle.train.files:
        if file not in {bundle.train.files[row] for row in few.train.rows}:
            cut(file)
    check_images(few, State(tmp_path / "state"), progress=silent)
    check_images(noise.images(), State(tmp_path / "other"), progress=silent)
    assert not (tmp_path / "other").exists()
