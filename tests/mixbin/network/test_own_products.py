"""A product of the image and a network's own weights is a layer that stays float, in whatever spelling."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.network.layers import trace

SPELLINGS: dict[str, Callable] = {
    "matmul": lambda x, w: x @ w.t(),
    "mm": lambda x, w: torch.mm(x, w.T),
    "einsum": lambda x, w: torch.einsum("bc,oc->bo", x, w),
    "addmm": lambda x, w: torch.addmm(torch.zeros(10), x, w.t()),
    "tensordot": lambda x, w: torch.tensordot(x, w, ([1], [1])),
    "inner": torch.inner,
    "cdist": lambda x, w: -torch.cdist(x, w),
    "conv_transpose2d": lambda x, w: F.conv_transpose2d(x[:, :, None, None], w.t()[:, :, None, None]).flatten(1),
}


class Network(nn.Module):
    """Three convolutions and a head that is no module."""

    def __init__(self, head: Callable) -> None:
        super().__init__()
        self.stem, self.body, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 16, 3)
        self.prototypes, self.head = nn.Parameter(torch.randn(10, 16)), head

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.last(self.body(self.stem(image))).mean((2, 3)), self.prototypes)


@pytest.mark.parametrize("kind", SPELLINGS)
def test_a_head_in_any_spelling_is_the_classifier_in_place_of_the_last_convolution(kind: str) -> None:
    table = trace(Network(SPELLINGS[kind]).eval(), (3, 8, 8))
    assert table.eligible == ["body", "last"]
    ((name, found, reason),) = ((each.name, each.kind, each.reason) for each in table.others)
    assert (name, found) == ("prototypes", kind) and "called as a function in Network.forward" in reason


def test_the_head_of_a_cosine_classifier_has_weights_that_are_computed() -> None:
    table = trace(Network(lambda x, w: F.normalize(x) @ F.normalize(w).t()).eval(), (3, 8, 8))
    assert table.eligible == ["body", "last"] and [each.kind for each in table.others] == ["matmul"]


def test_attention_multiplies_the_image_by_itself() -> None:
    table = trace(Network(lambda x, w: x[:, :10] * (x[:, None] @ x[:, :, None])[:, :, 0]).eval(), (3, 8, 8))
    assert table.others == () and table["last"].reason == "classifier"


def test_colours_in_front_of_the_first_convolution_are_no_layer() -> None:
    class Colours(Network):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return super().forward(torch.einsum("dc,bchw->bdhw", torch.eye(3), image))

    table = trace(Colours(SPELLINGS["mm"]).eval(), (3, 8, 8))
    assert table["stem"].reason == "first convolution" and len(table.others) == 1


def test_a_convolution_by_the_weights_of_a_module_has_the_modules_name() -> None:
    class ByHand(Network):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            image = self.body._conv_forward(self.stem(image), self.body.weight, self.body.bias)
            return self.last(image).mean((2, 3)) @ self.prototypes.t()

    table = trace(ByHand(SPELLINGS["mm"]).eval(), (3, 8, 8))
    assert [(each.name, each.kind) for each in table.others] == [("body", "conv2d"), ("prototypes", "matmul")]
