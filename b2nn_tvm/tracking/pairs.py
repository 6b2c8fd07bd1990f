"""The training data of a Siamese network: pairs of frames of one video, cropped around the target, as a data set.

    a pair [3, search, search + exemplar]     the search crop, to its right the exemplar, and zeros below the exemplar
    its label                                 the cell of the response in which the target's middle lies, row by row

So a pair is an image and its label is a class, and all code that trains, scores and measures classifiers works for
trackers, too. The accuracy is the share of pairs whose response is the highest in the target's cell.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import Batch, DataBundle
from b2nn_tvm.data.folder_images import MEAN, STD
from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.crops import center_of, context_side, crop, normalized
from b2nn_tvm.tracking.got10k import Video, got10k
from b2nn_tvm.tracking.sizes import Sizes

GAP = 100  # the largest number of frames between exemplar and search crop: T of SiamFC, section 2.2


@dataclass(frozen=True)
class PairImages:
    """``pairs`` pairs of frames out of ``videos``, at most ``gap`` frames apart; ``augment`` draws new ones each epoch.

    The target is shifted from the middle of the search crop by up to a quarter of the response, because a trunk that
    pads its convolutions would otherwise learn where the middle is (Li et al., SiamRPN++, CVPR 2019).
    Raises InputError where a video shows no target.
    """

    videos: tuple[Video, ...]
    sizes: Sizes
    pairs: int
    gap: int = GAP
    augment: bool = False

    def __post_init__(self) -> None:
        for video in self.videos:
            if len(_usable(video)) == 0:
                raise InputError(f"the sequence {video.name} has no frame with a box in which its target is visible")

    def __len__(self) -> int:
        return self.pairs if self.videos else 0

    def __getitem__(self, index: BatchIndex) -> Batch:
        first = [index.seed] if self.augment and index.seed is not None else []
        drawn = [self._pair(row, np.random.default_rng([*first, row])) for row in index.images]
        return torch.from_numpy(np.stack([pair for pair, _ in drawn])), torch.tensor([cell for _, cell in drawn])

    @property
    def augmented(self) -> bool:
        return self.augment

    @property
    def digest(self) -> str:
        settings = f"{self.sizes} {self.pairs} {self.gap} {self.augment}"
        digest = hashlib.sha256(settings.encode())
        for video in self.videos:
            digest.update("\n".join(map(str, video.frames)).encode() + video.boxes.tobytes())
        return digest.hexdigest()

    def _pair(self, row: int, source: np.random.Generator) -> tuple[np.ndarray, int]:
        """The pair of a row and its label; without augmentation, the videos take turns."""
        video = self.videos[source.integers(len(self.videos)) if self.augment else row % len(self.videos)]
        usable = _usable(video)
        first = source.choice(usable)
        second = source.choice(usable[np.abs(usable - first) <= self.gap])
        sizes, (one, other) = self.sizes, video.boxes[[first, second]]
        reach = (sizes.response - 1) / 4
        shift = source.uniform(-reach, reach, 2)  # in cells, to the right and down
        exemplar = crop(video.frame(first), center_of(one), context_side(one[2:]), sizes.exemplar)
        side = context_side(other[2:]) * sizes.search / sizes.exemplar
        center = center_of(other) - shift * sizes.stride * side / sizes.search
        search = crop(video.frame(second), center, side, sizes.search)
        pair = np.zeros((3, sizes.search, sizes.search + sizes.exemplar), np.float32)
        pair[:, :, : sizes.search] = normalized(search[None])[0]
        pair[:, : sizes.exemplar, sizes.search :] = normalized(exemplar[None])[0]
        column, line = np.round((sizes.response - 1) / 2 + shift).astype(int)
        return pair, int(line * sizes.response + column)


def pair_data(
    root: str | os.PathLike[str],
    sizes: Sizes,
    *,
    pairs: int = 10_000,
    held_out_pairs: int = 256,
    gap: int = GAP,
    workers: int | None = None,
) -> DataBundle:
    """Pairs out of a data set in GOT-10k's layout: ``pairs`` new training pairs in each epoch.

    A tenth of the training sequences is held out for validation; val/ is the test split, since test/ has no boxes.
    ``workers`` is the number of processes that cut crops. Raises InputError as ``got10k`` does, and for a single
    training sequence.
    """
    train, test = got10k(root, "train"), got10k(root, "val")
    held_out = max(1, len(train) // 10)
    if held_out == len(train):
        raise InputError(f"{root}: has a single training sequence; expected two or more, of which some are held out")
    cells = range(sizes.response)
    return DataBundle(
        name=Path(root).resolve().name,
        train=PairImages(train[:-held_out], sizes, pairs, gap, augment=True),
        val=PairImages(train[-held_out:], sizes, held_out_pairs, gap),
        test=PairImages(test, sizes, held_out_pairs, gap),
        class_names=tuple(f"row {row} column {column}" for row in cells for column in cells),
        input_shape=(3, sizes.search, sizes.search + sizes.exemplar),
        mean=MEAN,
        std=STD,
        workers=min(8, os.cpu_count() or 1) if workers is None else workers,
    )


def _usable(video: Video) -> np.ndarray:
    """The frames whose target can be cropped: its box is known and not empty, and a part of it is visible."""
    seen = (video.boxes[:, 2:] > 0).all(axis=1)
    if video.cover is not None:
        seen &= video.cover[: len(video.boxes)] > 0
    if video.absence is not None:
        seen &= video.absence[: len(video.boxes)] == 0
    return np.flatnonzero(seen)
