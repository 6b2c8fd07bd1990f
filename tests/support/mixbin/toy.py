"""A trained network small enough to know the loss of all its 1,024 mixtures of float and binary layers."""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.mixbin.modules.activations import BinReLU
from b2nn_tvm.mixbin.modules.sign import sign

LAYERS = 10
KERNELS = (3, 1, 5, 3, 3, 1, 3, 5, 3, 3)
NAMES = tuple(f"blocks.{index}.conv" for index in range(LAYERS))

Subset = frozenset[str]


class Block(nn.Module):
    def __init__(self, width: int, kernel: int):
        super().__init__()
        self.act, self.bn = BinReLU(), nn.BatchNorm2d(width)
        self.conv = nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False)

    def forward(self, x):
        return self.bn(self.conv(self.act(x))) + x


class Toy(nn.Module):
    """A stem, ten residual blocks on 8x8 images, and a classifier; input [N, 1, 8, 8]."""

    def __init__(self, width: int = 8):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(width, kernel) for kernel in KERNELS))
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        return self.fc(self.blocks(self.stem(x)).mean(dim=(2, 3)))


def images() -> DataBundle:
    """The digits at their own size."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = torch.tensor(pixels.reshape(-1, 1, 8, 8) / 8 - 1, dtype=torch.float64)
    part = lambda rows: TensorImages(pixels[rows], torch.tensor(labels[rows]))
    names = tuple(map(str, range(10)))
    return DataBundle(
        "digits8", part(slice(0, 1000)), part(slice(1000, 1400)), part(slice(1400, None)), names, (1, 8, 8), (0,), (1,)
    )


def trained(data: DataBundle) -> Toy:
    """Six epochs: the calibration images have a loss of about 0.1, and binarizing every layer makes it about 3."""
    torch.manual_seed(0)
    model = Toy().double()  # so that no rounding decides a sign
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(6):
        for x, labels in data.train_loader(100):
            optimizer.zero_grad()
            F.cross_entropy(model(x), labels).backward()
            optimizer.step()
    return model.eval()


class Truth:
    """The loss of any mixture on one batch, its batch norms re-estimated on it; all are walked through for a rank."""

    def __init__(self, model: Toy, batch: tuple[torch.Tensor, torch.Tensor]):
        self._model, self._batch = model, batch
        self._losses: dict[Subset, float] = {}

    def __getitem__(self, names) -> float:
        chosen = frozenset(names)
        if chosen not in self._losses:
            self._losses |= losses(self._model, self._batch, chosen)
        return self._losses[chosen]

    def rank(self, names) -> float:
        """The share of all equally large mixtures that have less loss."""
        if len(self._losses) < 2**LAYERS:
            self._losses = losses(self._model, self._batch)
        chosen = frozenset(names)
        rivals = [self[rival] for rival in itertools.combinations(NAMES, len(chosen))]
        return sum(loss < self[chosen] for loss in rivals) / len(rivals)


def losses(model: Toy, batch: tuple[torch.Tensor, torch.Tensor], only: Subset | None = None) -> dict[Subset, float]:
    """The losses of all mixtures, or of ``only`` this one, by walking through the network once per choice of each
    layer: written without the code under test.
    """
    x, labels = batch
    found: dict[Subset, float] = {}

    def walk(depth: int, training: torch.Tensor, settled: torch.Tensor, chosen: Subset) -> None:
        if depth == LAYERS:
            found[chosen] = float(F.cross_entropy(model.fc(settled.mean(dim=(2, 3))), labels))
            return
        block, name = model.blocks[depth], NAMES[depth]
        weight = block.conv.weight
        signs = torch.where(weight >= 0, 1.0, -1.0) * weight.abs().mean(dim=(1, 2, 3), keepdim=True)
        for binary in (False, True) if only is None else (name in only,):
            read = sign if binary else block.act
            convolve = lambda value: F.conv2d(read(value), signs if binary else weight, None, 1, block.conv.padding)  # noqa: B023
            raw = convolve(training)
            mean, variance = raw.mean(dim=(0, 2, 3)), raw.transpose(0, 1).flatten(1).var(dim=1)
            ends = [F.batch_norm(raw, None, None, block.bn.weight, block.bn.bias, training=True) + training]
            ends.append(F.batch_norm(convolve(settled), mean, variance, block.bn.weight, block.bn.bias) + settled)
            walk(depth + 1, *ends, chosen | {name} if binary else chosen)

    with torch.no_grad():
        walk(0, model.stem(x), model.stem(x), frozenset())
    return found
