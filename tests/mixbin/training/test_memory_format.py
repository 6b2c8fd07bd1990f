"""Training layouts: channels last but where that corrupts memory; tests/loop/test_training.py trains a network of
the second kind.
"""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm import models
from b2nn_tvm.mixbin.training.memory_format import training_layout


@pytest.mark.parametrize(
    ("width", "layout"), [(4, torch.contiguous_format), (7, torch.contiguous_format), (8, torch.channels_last)]
)
def test_narrow_strided_projections_are_not_trained_channels_last(width: int, layout: torch.memory_format) -> None:
    assert training_layout(models.cresnet20(classes=10, width=width)) == layout


def test_narrow_layers_of_another_kind_are() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 2), torch.nn.Conv2d(4, 4, 1))
    assert training_layout(model) == torch.channels_last
