"""Make timm importable where its torchvision is not."""

from __future__ import annotations

import logging
import os
import warnings


def prepare_timm() -> None:
    """Have timm import, silently.

    It asks for torchvision, whose wheels on PyPI have their operators for CUDA only. These do not load beside a torch
    for CPUs, and then torchvision fails to import, because it describes two operators that are not there. No network of
    timm calls them; so they are declared here.
    """
    import torch

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for operator in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
