"""The procedural videos: in GOT-10k's layout, drawn by the seed, with boxes that are where the target is."""

import hashlib

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.got10k import got10k
from b2nn_tvm.tracking.moving_patches import write_moving_patches

SMALL = {"train": 2, "val": 1, "test": 1, "frames": 6, "size": (64, 48)}


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(root.rglob("*.*"))
    }


def test_the_real_loader_reads_them(videos):
    assert [len(got10k(videos, split)) for split in ("train", "val", "test")] == [20, 8, 1]
    for video in got10k(videos, "train"):
        assert len(video) == 16 and video.frame(0).size == (128, 96) and video.annotated
        assert (video.boxes[:, :2] >= 0).all() and (video.boxes[:, :2] + video.boxes[:, 2:] <= (128, 96)).all()
        assert video.meta["resolution"] == "(128, 96)"
    (hidden,) = got10k(videos, "test")
    assert len(hidden) == 16 and len(hidden.boxes) == 1
    assert sorted(path.name for path in (videos / "test").iterdir()) == ["GOT-10k_Test_000001", "list.txt"]


def test_targets_move_change_size_and_are_covered_at_times(videos):
    boxes = np.stack([video.boxes for video in got10k(videos, "train")])
    steps = np.linalg.norm(np.diff(boxes[..., :2] + boxes[..., 2:] / 2, axis=1), axis=2)
    assert 1 < np.median(steps) < 8
    sizes = boxes[..., 2:].prod(axis=2)
    assert 1.02 < np.median(sizes.max(axis=1) / sizes.min(axis=1)) < 2
    cover = np.concatenate([video.cover for video in got10k(videos, "train")])
    assert (cover == 8).mean() > 0.5 and (cover < 8).any()


def test_the_seed_fixes_every_byte(tmp_path):
    first = digests(write_moving_patches(tmp_path / "a" / "first", **SMALL))
    assert first == digests(write_moving_patches(tmp_path / "again", **SMALL))
    other = digests(write_moving_patches(tmp_path / "other", **SMALL, seed=1))
    assert set(first) == set(other) and not {first[name] for name in first if "jpg" in name} & set(other.values())
    assert len({first[name] for name in first if "jpg" in name}) == 4 * 6  # the splits share no image


def likeness(video, frame, box):
    """How the part of this frame correlates with the target of the first one, both at 8x8 pixels."""
    looks = []
    for index, (x, y, width, height) in ((0, video.boxes[0]), (frame, box)):
        looks.append(np.asarray(video.frame(index).crop((x, y, x + width, y + height)).resize((8, 8)), float).ravel())
    return np.corrcoef(*looks)[0, 1]


def test_the_target_is_where_the_box_is(tmp_path):
    root = write_moving_patches(tmp_path / "plain", **SMALL, distractors=0)
    for video in got10k(root, "train"):
        assert video.cover.tolist() == [8] * 6 and video.absence.tolist() == [0] * 6
        assert min(likeness(video, frame, video.boxes[frame]) for frame in range(6)) > 0.9
        assert likeness(video, 5, video.boxes[5] + (8, 8, 0, 0)) < 0.6


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="mine: is there already"):
        write_moving_patches(tmp_path / "mine", **SMALL)
    with pytest.raises(InputError, match="moving patches need"):
        write_moving_patches(tmp_path / "new", **{**SMALL, "frames": 0})
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
