"""Single bad files, as many as are allowed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.data.folder_images import Listing
from b2nn_tvm.data.skip_bad import skip_bad_files
from b2nn_tvm.errors import InputError


@pytest.fixture
def listed(tmp_path: Path) -> dict[str, Listing]:
    """4 training images of classes 0 and 1, of which the second is cut short, and an empty one in test."""
    files = [tmp_path / f"{number}.png" for number in range(5)]
    for file in files:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 30), np.uint8)).save(file)
    files[1].write_bytes(files[1].read_bytes()[:300])
    files[4].write_bytes(b"")
    return {"train": Listing(tuple(files[:4]), (0, 0, 1, 1)), "test": Listing((files[4],), (0,))}


def test_as_many_as_are_allowed_are_left_out_and_named(listed: dict[str, Listing]) -> None:
    notes: list[str] = []
    left = skip_bad_files(listed, 2, note=notes.append)
    assert [file.name for file in left["train"].files] == ["0.png", "2.png", "3.png"]
    assert left["train"].labels == (0, 1, 1) and left["test"] == ((), ())
    (note,) = notes
    assert note.startswith("2 of 5 images cannot be read and are left out: ") and note.count(".png") == 2


def test_more_are_an_error_that_names_them(listed: dict[str, Listing]) -> None:
    with pytest.raises(
        InputError, match=r"2 of 5 images .* more than the 1 that may be skipped: .*1.png: not a readable"
    ):
        skip_bad_files(listed, 1, note=print)


def test_without_allowance_nothing_is_decoded(listed: dict[str, Listing]) -> None:
    assert skip_bad_files(listed, 0, note=print) == listed


def test_good_files_need_no_note(listed: dict[str, Listing]) -> None:
    good = {"train": Listing(listed["train"].files[2:], (1, 1))}
    notes: list[str] = []
    assert skip_bad_files(good, 1, note=notes.append) == good and notes == []


def test_a_class_must_not_lose_all_its_training_images(listed: dict[str, Listing]) -> None:
    only_bad = {"train": listed["train"].part(np.array([1, 2]))}
    with pytest.raises(InputError, match="none of the images of this class can be read"):
        skip_bad_files(only_bad, 2, note=print)
