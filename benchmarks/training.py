"""How much of a training step is spent outside of the network's forward and backward pass, and how fast training is
beside a bare loop.

    python benchmarks/training.py [--model cresnet20] [--augment flip-crop randaugment] [--steps 60] [--json FILE]

The images are random bytes of CIFAR's size, as many as the steps take. ``train`` trains on them once, on the GPU where
there is one. The clock stands around the model with its loss and around the backward pass of each step; the rest of the
step is the batch, its augmentation, the optimizer and the loop. The first steps are left out. The bare loop has no more
than it must: batches by index from images on the device, flipped and moved there, the same optimizer and precision.

The rows are {augment, device, threads, batch, step_ms, outside_ms, outside, images_per_s, bare_images_per_s}; times are
medians over the steps, and ``outside`` is the share of the outside time in all steps together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn

import b2nn_tvm  # noqa: F401  # before torch: see docs/training.md, idle threads
from b2nn_tvm import models
from b2nn_tvm.data import DataBundle, PixelImages
from b2nn_tvm.data.adjust import adjusted
from b2nn_tvm.data.pixels import normalized
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.loss import CrossEntropy
from b2nn_tvm.mixbin.training.train import train
from b2nn_tvm.storage.document import write_document
from b2nn_tvm.version import __version__
from b2nn_tvm.words.choices import AUGMENTATIONS

SHAPE, CLASSES = (3, 32, 32), 10
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
FIRST = 5  # steps that are left out: memory is allotted and kernels are chosen in them
LR = 1e-3


@dataclass(frozen=True)
class Row:
    """The figures of one way to augment."""

    augment: str
    device: str
    threads: int
    batch: int
    step_ms: float
    outside_ms: float
    outside: float
    images_per_s: float
    bare_images_per_s: float


@dataclass
class Clock:
    """When the steps begin, and how long forward and backward take in each, in seconds."""

    begins: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)

    def now(self) -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    @contextmanager
    def around(self, model: nn.Module) -> Iterator[CrossEntropy]:
        """Inside this context the training steps of ``model`` with the loss that is given are clocked."""
        own_backward = torch.Tensor.backward

        def begin(_model: nn.Module, _arguments: tuple[torch.Tensor, ...]) -> None:
            if torch.is_grad_enabled():
                self.begins.append(self.now())

        def backward(loss: torch.Tensor, *arguments: object, **keywords: object) -> None:
            start = self.now()
            own_backward(loss, *arguments, **keywords)
            self.inside[-1] += self.now() - start

        handle = model.register_forward_pre_hook(begin)
        torch.Tensor.backward = backward
        try:
            yield _ClockedLoss(self)
        finally:
            torch.Tensor.backward = own_backward
            handle.remove()


class _ClockedLoss(CrossEntropy):
    """The loss, whose end is the end of the forward pass."""

    def __init__(self, clock: Clock):
        super().__init__()
        object.__setattr__(self, "clock", clock)

    def __call__(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loss = super().__call__(outputs, labels)
        self.clock.inside.append(self.clock.now() - self.clock.begins[-1])
        return loss


def main() -> None:
    arguments = _arguments()
    hardware = Hardware(threads=arguments.threads)
    rows = [measured(word, arguments, hardware) for word in arguments.augment]
    print("| augmentation | device | ms per step | ms outside | share outside | images/s | bare loop, images/s |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.augment} | {row.device}, {row.threads} threads | {row.step_ms:.1f} | {row.outside_ms:.2f} |"
            f" {row.outside:.1%} | {row.images_per_s:,.0f} | {row.bare_images_per_s:,.0f} |"
        )
    if arguments.json:
        content = {"versions": {"b2nn-tvm": __version__, "torch": torch.__version__}, "rows": list(map(asdict, rows))}
        write_document(arguments.json, "training-benchmark", 1, content)


def measured(word: str, arguments: argparse.Namespace, hardware: Hardware) -> Row:
    """Train once on ``steps`` batches with the clock, once without it, and once in the bare loop."""
    batch, steps = arguments.batch, arguments.steps + FIRST
    data = adjusted(images(batch * steps), augment=word)
    factory = getattr(models, arguments.model)
    clock, model = Clock(), factory(classes=CLASSES)
    with clock.around(model) as loss:
        train(model, data, epochs=1, lr=LR, batch=batch, loss=loss, hardware=hardware)
    whole = np.diff(clock.begins[:steps])[FIRST:]
    inside = np.array(clock.inside[FIRST : steps - 1])
    return Row(
        augment=word,
        device=torch.cuda.get_device_name() if hardware.on_cuda else "cpu",
        threads=arguments.threads,
        batch=batch,
        step_ms=1000 * median(whole),
        outside_ms=1000 * median(whole - inside),
        outside=float((whole - inside).sum() / whole.sum()),
        images_per_s=pace(factory(classes=CLASSES), data, batch, steps, hardware),
        bare_images_per_s=bare(factory(classes=CLASSES), data.train, word, batch, steps, hardware),
    )


def pace(model: nn.Module, data: DataBundle, batch: int, steps: int, hardware: Hardware) -> float:
    """Images per second of ``train``, without a clock in the steps."""
    begins: list[float] = []

    def begin(_model: nn.Module, _arguments: tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            begins.append(Clock().now() if len(begins) in (FIRST, steps - 1) else 0.0)

    handle = model.register_forward_pre_hook(begin)
    train(model, data, epochs=1, lr=LR, batch=batch, hardware=hardware)
    handle.remove()
    return batch * (steps - 1 - FIRST) / (begins[steps - 1] - begins[FIRST])


def images(count: int) -> DataBundle:
    """Random bytes in random classes; few images to choose and test by."""
    source = np.random.default_rng(0)

    def split(count: int) -> PixelImages:
        pixels = torch.from_numpy(source.integers(0, 256, (count, *SHAPE), np.uint8))
        return PixelImages(pixels, torch.from_numpy(source.integers(0, CLASSES, count)), MEAN, STD)

    names = tuple(map(str, range(CLASSES)))
    return DataBundle("noise", split(count), split(64), split(64), names, SHAPE, MEAN, STD)


def bare(model: nn.Module, split: PixelImages, word: str, batch: int, steps: int, hardware: Hardware) -> float:
    """Images per second of a loop of torch alone."""
    device = torch.device("cuda" if hardware.on_cuda else "cpu")
    pixels, labels = split.pixels.to(device), split.labels.to(device)
    model = model.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
    halved = hardware.settled_precision == "bf16-mixed"
    source = np.random.default_rng(0)
    begin = 0.0
    with hardware.cpu_threads():
        for step in range(steps):
            if step == FIRST:
                begin = Clock().now()
            rows = torch.from_numpy(source.integers(len(pixels), size=batch)).to(device)
            shown = split.augment(pixels[rows], source)
            inputs = normalized(shown, MEAN, STD).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16) if halved else nullcontext():
                loss = nn.functional.cross_entropy(model(inputs).float(), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return batch * (steps - FIRST) / (Clock().now() - begin)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="cresnet20", help="a network of b2nn_tvm.models")
    parser.add_argument("--augment", nargs="+", choices=AUGMENTATIONS, default=["flip-crop", "randaugment"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60, help="steps that are measured, after the first few")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
