"""A network so small that torch computes its whole Hessian: what curvature is compared with."""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

LAYERS = ("first", "second")


class Tiny(nn.Module):
    """Two eligible convolutions of four weights each, between a stem and a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3)
        self.first, self.second = (nn.Conv2d(2, 2, 1, bias=False) for _ in range(2))
        self.bn = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        x = torch.tanh(self.first(torch.tanh(self.stem(x))))
        return self.fc(torch.tanh(self.bn(self.second(x))).mean(dim=(2, 3)))


def network() -> Tiny:
    """In training mode: everything is measured in evaluation mode, and the network is left as it is."""
    torch.manual_seed(0)
    model = Tiny().double()
    model.bn.running_var.fill_(0.5)
    return model.train()


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(1)
    make = lambda count: (torch.randn(count, 1, 4, 4, dtype=torch.float64), torch.randint(0, 3, (count,)))
    return [make(5), make(3)]


def derivatives(model: Tiny, batches) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient [8] and Hessian [8, 8] in the weights of both layers, by torch's own functions."""
    x, labels = (torch.cat(parts) for parts in zip(*batches))
    start = torch.cat([model.get_submodule(name).weight.detach().flatten() for name in LAYERS])

    def loss(flat):
        weights = {f"{name}.weight": part.reshape(2, 2, 1, 1) for name, part in zip(LAYERS, flat.split(4))}
        return F.cross_entropy(functional_call(model.eval(), weights, (x,)), labels)

    found = torch.autograd.functional.jacobian(loss, start), torch.autograd.functional.hessian(loss, start)
    model.train()
    return found


def flat(tensors) -> torch.Tensor:
    return torch.cat([tensors[name].flatten() for name in LAYERS])


def part(name: str) -> slice:
    return slice(0, 4) if name == "first" else slice(4, 8)
