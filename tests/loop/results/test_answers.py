"""Answers on the test set: counted by class, compared pair by pair, and shown where they changed."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from b2nn_tvm.data import TensorImages
from b2nn_tvm.loop.results.answers import SHOWN, SIDE, answers_of, compare_answers, picture
from tests.support.loop.small_job import small_job
from tests.support.mixbin import noise

LABELS = [0, 0, 0, 1, 1, 1, 2, 2]
BEFORE = [0, 0, 1, 1, 1, 1, 2, 2]
AFTER = [0, 1, 0, 1, 1, 1, 2, 0]


def test_answers_are_counted_by_class_and_by_pair() -> None:
    found = answers_of(noise.images(), LABELS, BEFORE, AFTER)
    assert found.confusion == ((0, 0, 2), (0, 1, 1), (1, 1, 3), (2, 0, 1), (2, 2, 1)) and found.images == 8
    assert found.by_class() == [("a", 3, 2, 2), ("b", 3, 3, 3), ("c", 2, 2, 1)]
    assert found.confused() == [("a", "b", 1), ("c", "a", 1)]
    assert (found.lost, found.gained) == (2, 1)
    assert [(each.index, each.label, each.before, each.after) for each in found.changed] == [
        (1, 0, 0, 1),
        (7, 2, 2, 0),
        (2, 0, 1, 0),
    ]


def test_a_difference_is_told_apart_only_where_chance_does_not_make_it() -> None:
    """McNemar's exact test: 6 to 0 has a p-value of 2 / 2^6, 5 to 0 one of 2 / 2^5."""
    data = replace(noise.images(), test=TensorImages(torch.zeros(8, 1, 8, 8), torch.zeros(8, dtype=torch.int64)))
    six = answers_of(data, [0] * 8, [0] * 8, [1] * 6 + [0] * 2)
    assert six.p == 2 / 2**6 and six.differs
    five = answers_of(data, [0] * 8, [0] * 8, [1] * 5 + [0] * 3)
    assert five.p == 2 / 2**5 and not five.differs
    same = answers_of(data, LABELS, LABELS, LABELS)
    assert same.p == 1.0 and same.changed == () and same.confused() == []


def test_a_handful_of_changed_images_is_shown_of_both_kinds() -> None:
    data = replace(noise.images(), test=TensorImages(torch.zeros(40, 1, 8, 8), torch.zeros(40, dtype=torch.int64)))
    found = answers_of(data, [0] * 40, [0] * 30 + [1] * 10, [1] * 30 + [0] * 10)
    assert len(found.changed) == SHOWN and {each.after for each in found.changed} == {0, 1}


def test_a_picture_is_the_image_as_it_was() -> None:
    pixels = np.arange(2 * 3 * 200 * 100, dtype=np.uint64).reshape(2, 3, 200, 100) % 256
    images = (torch.tensor(pixels.astype(np.float32)) / 255 - 0.5) / 0.25
    data = replace(
        noise.images(),
        test=TensorImages(images, torch.zeros(2, dtype=torch.int64)),
        input_shape=(3, 200, 100),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )
    head, _, content = picture(data, 1).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.size == (SIDE // 2, SIDE) and image.mode == "RGB"
    small = replace(data, test=TensorImages(images[:, :, :20, :10], torch.zeros(2, dtype=torch.int64)))
    with Image.open(io.BytesIO(base64.b64decode(picture(small, 1).partition(",")[2]))) as image:
        assert np.array_equal(np.asarray(image).transpose(2, 0, 1), pixels[1, :, :20, :10])


def test_the_float_network_answers_once(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    found = compare_answers(job, [0] * 8)
    (stamp,) = (tmp_path / "answers").rglob("phase.json")
    before = stamp.stat().st_mtime_ns
    again = compare_answers(job, [1] * 8)
    assert found.right_before == again.right_before and stamp.stat().st_mtime_ns == before
    assert sum(found.right_before) == int((job.model(job.data.test.images).argmax(1) == job.data.test.labels).sum())
