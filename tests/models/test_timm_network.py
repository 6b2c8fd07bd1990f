"""Networks of timm, where it is installed."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch

from b2nn_tvm import models
from b2nn_tvm.errors import InputError


def works() -> bool:
    try:
        importlib.import_module("timm")
    except (ImportError, RuntimeError):  # a torchvision for another torch raises the second one
        return False
    return True


needs_timm = pytest.mark.skipif(not works(), reason="timm is not installed, or its torchvision not for this torch")


def test_without_timm_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match="^timm:resnet18: the package timm is not installed; install it"):
        models.get("timm:resnet18")


@needs_timm
def test_a_network_has_the_classes_channels_and_size_of_the_data() -> None:
    network = models.get("timm:resnet10t")(classes=7, channels=1)
    assert network.eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 7)
    transformer = models.get("timm:vit_tiny_patch16_224")(classes=3, image_size=32)
    assert transformer.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 3)


@needs_timm
def test_a_name_that_timm_lacks() -> None:
    with pytest.raises(InputError, match=r"^timm has no network 'resnet19': did you mean timm:resnet\d\d"):
        models.get("timm:resnet19")
