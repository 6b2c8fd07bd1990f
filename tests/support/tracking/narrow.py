"""A narrow tracker, and how it does."""

from __future__ import annotations

import torch

from b2nn_tvm import models
from b2nn_tvm.tracking.embedding import torch_embedding
from b2nn_tvm.tracking.metrics import tracking_score
from b2nn_tvm.tracking.siamese import SiameseNet
from b2nn_tvm.tracking.sizes import Sizes
from b2nn_tvm.tracking.tracker import Tracker, track


def narrow_net() -> SiameseNet:
    """Untrained, always the same: a 32-pixel exemplar on a 64-pixel search crop, 5x5 responses."""
    torch.manual_seed(0)
    trunk = models.siamfc(width=8, stem_stride=1)
    return SiameseNet(trunk, Sizes.of(trunk, exemplar=32, search=64))


def average_overlap(net, videos):
    tracker = Tracker(torch_embedding(net.trunk), net.sizes)
    return tracking_score((video, track(tracker, video)) for video in videos).ao
