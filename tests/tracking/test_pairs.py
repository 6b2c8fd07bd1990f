"""Training pairs: what is cropped from where, and which cell of the response is right."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.got10k import Video, got10k
from b2nn_tvm.tracking.pairs import PairImages, pair_data
from b2nn_tvm.tracking.sizes import Sizes
from tests.support.tracking.narrow import narrow_net

SIZES = Sizes(exemplar=32, search=64, response=5, stride=8)
BOX = (40.0, 30.0, 12.0, 12.0)  # its middle is at (46, 36)


@pytest.fixture
def dot(tmp_path):
    """A video of a white dot of 2x2 pixels in the middle of the box, on black; in the third frame it is covered."""
    paths = []
    for number in range(6):
        image = Image.new("RGB", (100, 80))
        image.paste((255, 255, 255), (45, 35, 47, 37))
        paths.append(tmp_path / f"{number}.png")
        image.save(paths[-1])
    cover = np.array([8, 8, 0, 8, 8, 8])
    return Video("dot", tuple(paths), np.tile(BOX, (6, 1)), np.array([0, 0, 1, 0, 0, 0]), cover, {})


def brightest(crop):
    """The middle of the brightest pixels, (right, down), in pixels of the crop."""
    down, right = np.nonzero(crop > crop.min() + 0.5 * (crop.max() - crop.min()))
    return np.array([right.mean(), down.mean()]) + 0.5


def test_a_pair_shows_the_target_where_the_label_says(dot):
    """Exemplar: 24 pixels with context on 32; search: twice that on 64; so a pixel is 4/3 pixels of either crop."""
    images = PairImages((dot,), SIZES, pairs=40, augment=True)
    pairs, cells = images[BatchIndex(tuple(range(40)), seed=1)]
    assert pairs.shape == (40, 3, 64, 96) and pairs.dtype == torch.float32 and cells.dtype == torch.int64
    assert (pairs[:, :, 32:, 64:] == 0).all()
    for pair, cell in zip(pairs.numpy(), cells.tolist()):
        np.testing.assert_allclose(brightest(pair[0, :32, 64:]), 16, atol=1)
        row, column = divmod(cell, 5)
        away = brightest(pair[0, :, :64]) - 32
        np.testing.assert_allclose(away / 8, (column - 2, row - 2), atol=0.65)  # half a cell, and a pixel for the dot
    assert len(set(cells.tolist())) >= 8 and set(cells.tolist()) <= {
        5 * row + column for row in (1, 2, 3) for column in (1, 2, 3)
    }


def test_covered_frames_are_not_used(dot):
    gray = Image.new("RGB", (100, 80), (128, 128, 128))
    gray.save(dot.frames[2])
    pairs, _ = PairImages((dot,), SIZES, pairs=60)[BatchIndex(tuple(range(60)))]
    assert (pairs[:, 0].amax(dim=(1, 2)) > 2).all()  # each has the white dot
    hidden = replace(dot, cover=np.zeros(6, int))
    with pytest.raises(InputError, match="the sequence dot has no frame with a box in which its target is visible"):
        PairImages((hidden,), SIZES, pairs=1)


def test_the_two_frames_are_near_one_another(tmp_path):
    """Each frame has a gray of its own; with a gap of 1 the crops' grays differ by one step at most."""
    paths = []
    for number in range(10):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (100, 80), (20 * number,) * 3).save(paths[-1])
    video = Video("grays", tuple(paths), np.tile(BOX, (10, 1)), None, None, {})
    steps = lambda gap: {
        round(float(pair[0, 0, 64] - pair[0, 0, 0]) / (20 / 255 / 0.229))
        for pair in PairImages((video,), SIZES, pairs=200, gap=gap)[BatchIndex(tuple(range(200)))][0]
    }
    assert steps(1) == {-1, 0, 1} and steps(100) == set(range(-9, 10))


def test_augmented_pairs_differ_by_seed_and_others_never(videos):
    training, fixed = (PairImages(got10k(videos, "train"), SIZES, 8, augment=augment) for augment in (True, False))
    get = lambda images, seed: images[BatchIndex((0, 1), seed)][0]
    assert torch.equal(get(training, 5), get(training, 5)) and not torch.equal(get(training, 5), get(training, 6))
    assert torch.equal(get(training, None), get(training, None))
    assert torch.equal(get(fixed, 5), get(fixed, 6)) and torch.equal(get(fixed, 5), get(fixed, None))
    assert (training.augmented, fixed.augmented) == (True, False)
    digests = {
        training.digest,
        fixed.digest,
        replace(fixed, gap=5).digest,
        replace(fixed, videos=fixed.videos[1:]).digest,
    }
    assert len(digests) == 4 and training.digest == replace(training).digest


def test_the_data_set_has_three_disjoint_splits(videos):
    data = pair_data(videos, narrow_net().sizes, pairs=12, held_out_pairs=5, workers=0)
    named = [{video.name for video in split.videos} for split in (data.train, data.val, data.test)]
    assert [len(names) for names in named] == [18, 2, 8] and len(set.union(*named)) == 28
    assert (data.name, data.input_shape, data.classes) == ("patches", (3, 64, 96), 25)
    assert [len(split) for split in (data.train, data.val, data.test)] == [12, 5, 5]
    (batch,) = list(data.val_loader())
    assert batch[0].shape == (5, 3, 64, 96)
    assert torch.equal(data.calibration(4)[0][0], data.calibration(4)[0][0])


def test_a_single_training_sequence_is_not_enough(tmp_path, videos):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "list.txt").write_text("GOT-10k_Train_000001\n")
    (tmp_path / "train" / "GOT-10k_Train_000001").symlink_to(videos / "train" / "GOT-10k_Train_000001")
    (tmp_path / "val").symlink_to(videos / "val")
    with pytest.raises(InputError, match="has a single training sequence"):
        pair_data(tmp_path, SIZES)
