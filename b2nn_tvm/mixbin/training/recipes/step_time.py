"""The time that training takes on this machine, from the time of a few steps."""

from __future__ import annotations

import time

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.mixbin.training.memory_format import laid_out, training_layout

BATCH = 64


def seconds_per_image(model: nn.Module, bundle: DataBundle, *, threads: int = 1) -> float:
    """The seconds that one training image takes: the quicker of two steps, forward and backward; the model is kept."""
    before, training = torch.get_num_threads(), model.training
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.set_num_threads(threads)
    try:
        layout = training_layout(model)
        laid_out(model.train(), layout)
        device = next(model.parameters()).device
        images = torch.zeros(BATCH, *bundle.input_shape, device=device).contiguous(memory_format=layout)
        labels = torch.zeros(BATCH, dtype=torch.long, device=device)
        times = []
        for _ in range(3):  # the first step makes kernels, so it does not count
            begun = time.perf_counter()
            torch.autograd.backward(F.cross_entropy(model(images), labels))
            times.append(time.perf_counter() - begun)
        return min(times[1:]) / BATCH
    finally:
        torch.set_num_threads(before)
        model.zero_grad(set_to_none=True)
        model.load_state_dict(state)
        laid_out(model.train(training), torch.contiguous_format)


def duration(seconds: float) -> str:
    """``seconds`` in words, to the precision of an estimate."""
    if seconds > 5400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} seconds"
