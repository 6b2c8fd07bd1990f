"""Silence Lightning's messages that say nothing about a training: hints at products, at workers and at devices."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

_LOGGERS = ("lightning.pytorch", "lightning.fabric")
_NOISE = (
    r".*does not have many workers which may be a bottleneck.*",  # the images are in memory
    r"Checkpoint directory .* exists and is not empty\.",  # the training goes on from it
    r"`isinstance\(treespec, LeafSpec\)` is deprecated.*",  # Lightning's own call of torch
    r"The number of training batches \(\d+\) is smaller than the logging interval.*",
)


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Inside this context Lightning logs errors only, and the warnings in ``_NOISE`` are dropped."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in _NOISE:
            warnings.filterwarnings("ignore", message=message)
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
