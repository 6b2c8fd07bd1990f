"""Small videos on disk, and a narrow tracker that was trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from b2nn_tvm.data import DataBundle
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.tracking.got10k import Video, got10k
from b2nn_tvm.tracking.moving_patches import write_moving_patches
from b2nn_tvm.tracking.pairs import pair_data
from b2nn_tvm.tracking.scoring import score
from b2nn_tvm.tracking.siamese import SiameseNet
from b2nn_tvm.tracking.train import train
from tests.support.tracking.narrow import narrow_net


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None:
    """Trainings are so small here that threads would wait for one another."""


@pytest.fixture(scope="session")
def videos(tmp_path_factory) -> Path:
    """A data set of 20 training and 8 validation sequences of 16 frames."""
    folder = tmp_path_factory.mktemp("videos") / "patches"
    return write_moving_patches(folder, train=20, val=8, test=1, frames=16, size=(128, 96))


@dataclass(frozen=True)
class Trained:
    """A trained network, what it was trained on, and the sequences that it has not seen."""

    net: SiameseNet
    data: DataBundle
    held_out: tuple[Video, ...]


@pytest.fixture(scope="session")
def trained(videos) -> Trained:
    net = narrow_net()
    data = pair_data(videos, net.sizes, pairs=192, held_out_pairs=32, workers=0)
    train(net, data, epochs=5, lr=1e-2, batch=8, hardware=Hardware(threads=1))
    return Trained(net, data, got10k(videos, "val"))


@pytest.fixture(scope="session")
def sensitivity(trained) -> Sensitivity:
    return score("mixbin-loss", trained.net, trained.data.calibration(32, batch=32))
