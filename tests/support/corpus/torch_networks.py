"""Binary networks as people write them in torch, by torch 2.13.0's two exporters.

python -m tests.support.corpus.torch_networks
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from tests.support.corpus.write_file import exported, fill, image, store


def sign(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x >= 0, 1.0, -1.0)


class BinaryConv(nn.Conv2d):
    """Signs of the input by signs of the latent weights; ``form`` is how the weights become binary."""

    form: str = "plain"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.weight
        if self.form == "xnor":
            w = sign(w) * w.abs().mean(dim=(1, 2, 3), keepdim=True)
        elif self.form == "standardized":  # IR-Net
            centred = w - w.mean(dim=(1, 2, 3), keepdim=True)
            centred = centred / centred.std(dim=(1, 2, 3), keepdim=True)
            power = torch.round(torch.log2(centred.abs().mean(dim=(1, 2, 3), keepdim=True)))
            w = sign(centred) * torch.pow(torch.tensor(2.0), power)
        elif self.form == "two_values":  # AdaBin
            mean, deviation = w.mean(dim=(1, 2, 3), keepdim=True), w.std(dim=(1, 2, 3), keepdim=True)
            w = sign(w - mean) * deviation + mean
        elif self.form == "ternary":  # ternary weight networks
            limit = 0.7 * w.abs().mean()
            w = torch.where(w.abs() > limit, torch.where(w >= 0, 1.0, -1.0), 0.0)
        else:
            w = sign(w)
        return self._conv_forward(sign(x), w, self.bias)


class BinaryLinear(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(sign(x), sign(self.weight), self.bias)


def conv(form: str, inputs: int = 16, outputs: int = 16, **options: object) -> nn.Module:
    layer = BinaryConv(inputs, outputs, 3, padding=1, bias=False, **options)
    layer.form = form
    return layer


def block(form: str, **options: object) -> nn.Module:
    return nn.Sequential(conv(form, **options), nn.BatchNorm2d(options.get("outputs", 16)), conv("plain"))


class Shortcut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.norm = conv("xnor"), conv("xnor"), nn.BatchNorm2d(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.norm(self.one(x))
        return F.avg_pool2d(x + self.two(x), 2)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "plain": (lambda: block("plain"), (1, 16, 6, 6)),
    "xnor": (lambda: block("xnor"), (1, 16, 6, 6)),
    "irnet": (lambda: block("standardized"), (1, 16, 6, 6)),
    "two_values": (lambda: block("two_values"), (1, 16, 6, 6)),
    "ternary": (lambda: block("ternary"), (1, 16, 6, 6)),
    "shortcut": (Shortcut, (1, 16, 6, 6)),
    "groups": (lambda: conv("xnor", 64, 32, groups=2), (1, 64, 5, 5)),
    "dense": (lambda: nn.Sequential(BinaryLinear(32, 24), nn.BatchNorm1d(24), BinaryLinear(24, 10)), (1, 32)),
    "tokens": (lambda: nn.Sequential(BinaryLinear(32, 24), nn.LayerNorm(24), BinaryLinear(24, 10)), (1, 5, 32)),
}


def main() -> None:
    for name, (make, shape) in NETWORKS.items():
        module = fill(make())
        x = torch.from_numpy(image(shape))
        run = lambda array, module=module: module(torch.from_numpy(array)).detach().numpy()
        for word, options in {"script": {"dynamo": False, "opset_version": 17}, "dynamo": {"dynamo": True}}.items():
            with torch.no_grad():
                model = exported(module, x, **options)
            store(f"torch_{word}_{name}", model, run)


if __name__ == "__main__":
    main()
