"""Networks whose channels are tied in many ways, with parameters as of training."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.models.bireal import BiRealNet


def block(inputs: int, outputs: int, **options) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, **options), nn.BatchNorm2d(outputs), nn.ReLU())


class Branches(nn.Module):
    """A concatenation, a depthwise and a grouped convolution, an activation whose 0 is not 0, and a flattened map."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.depthwise = block(3, 6), block(3, 4), block(10, 10, groups=10)
        self.joined, self.grouped = block(10, 8), block(8, 8, groups=2)
        self.last, self.fc = block(8, 5), nn.Linear(5 * 4 * 4, 3)

    def forward(self, x):
        x = torch.sigmoid(self.joined(self.depthwise(torch.cat([self.left(x), self.right(x)], 1))))
        x = F.max_pool2d(self.last(self.grouped(x)), 2)
        return self.fc(x.flatten(1))


def lived_in(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim != 4:  # all but convolutions
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return model.eval()


def bireal(activation: str = "binrelu") -> nn.Module:
    options = {"channels": 3, "image_size": 16, "stem": "cifar", "widths": (4, 8), "blocks": 1}
    return BiRealNet(classes=5, activation=activation, **options)
