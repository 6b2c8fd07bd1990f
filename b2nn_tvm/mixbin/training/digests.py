"""Hashes that tell whether stored scores and checkpoints belong to this model and this data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import nn


def model_digest(model: nn.Module) -> str:
    """SHA-256 over the structure and the name, type, shape and bytes of every parameter and buffer."""
    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        _update(digest, name, tensor)
    return digest.hexdigest()


def batches_digest(batches: Iterable[tuple[torch.Tensor, ...]]) -> str:
    """SHA-256 over the tensors of all batches, in order."""
    digest = hashlib.sha256()
    for number, batch in enumerate(batches):
        for part in batch:
            _update(digest, str(number), part)
    return digest.hexdigest()


def _update(digest: hashlib._Hash, name: str, tensor: torch.Tensor) -> None:
    digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
