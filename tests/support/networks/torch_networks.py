"""Small networks of the kinds that people bring, written as people write them."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def conv_bn_act(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, **options) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False, **options)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class UNet(nn.Module):
    """Skips to which the enlarged maps are padded, and two ways to enlarge."""

    shape = (3, 10, 12)
    eligible = ("down1.0", "down2.0", "raise1.1", "up1.0", "up2.0")

    def __init__(self):
        super().__init__()
        self.stem, self.down1, self.down2 = conv_bn_act(3, 8), conv_bn_act(8, 16), conv_bn_act(16, 32)
        self.raise1 = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(32, 16, 3, padding=1))
        self.up1 = conv_bn_act(32, 16)
        self.up2, self.head = conv_bn_act(24, 8), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        skips = [self.stem(x)]
        skips.append(self.down1(F.max_pool2d(skips[-1], 2)))
        x = self.raise1(self.down2(F.max_pool2d(skips[-1], 2)))
        skip = skips.pop()
        dy, dx = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        if dy or dx:
            x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        x = self.up1(torch.cat([skip, x], dim=1))
        x = F.interpolate(x, size=skips[-1].shape[-2:], mode="bilinear", align_corners=False)
        return self.head(self.up2(torch.cat([x, skips.pop()], dim=1)))


class YoloHead(nn.Module):
    """Boxes at two scales: split channels, a grid that is kept for the last size of images, one list of boxes."""

    shape = (3, 32, 32)
    eligible = ("body.0.0", "body.1.0", "deep.0")
    classes, anchors = 3, 2

    def __init__(self):
        super().__init__()
        self.stem = conv_bn_act(3, 16, stride=2)
        self.body = nn.ModuleList([conv_bn_act(16, 16, stride=2), conv_bn_act(8, 16)])
        self.deep = conv_bn_act(16, 32, stride=2)
        out = self.anchors * (5 + self.classes)
        self.heads = nn.ModuleList([nn.Conv2d(16, out, 1), nn.Conv2d(32, out, 1)])
        self.grids: dict[tuple[int, int], torch.Tensor] = {}

    def forward(self, x):
        assert x.shape[-1] % 8 == 0 and x.shape[-2] % 8 == 0, "sides are multiples of 8"
        left, right = self.body[0](self.stem(x)).chunk(2, 1)
        near = self.body[1](left + right)
        boxes = [self.decode(head(y)) for head, y in zip(self.heads, (near, self.deep(near)))]
        return torch.cat(boxes, 1)

    def decode(self, y):
        batch, _, height, width = y.shape
        if (height, width) not in self.grids:
            rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            self.grids[height, width] = torch.stack([columns, rows], 2).float()
        y = y.view(batch, self.anchors, -1, height, width).permute(0, 1, 3, 4, 2)
        place, size, rest = y.sigmoid().split((2, 2, 1 + self.classes), dim=4)
        place = (place * 2 - 0.5 + self.grids[height, width]) / torch.tensor([width, height])
        return torch.cat([place, (size * 2) ** 2, rest], 4).reshape(batch, -1, 5 + self.classes)


class Ssd(nn.Module):
    """Feature maps of several sizes with heads on each; a dict of results."""

    shape = (3, 32, 32)
    eligible = ("extras.0.0", "extras.1.0")

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(conv_bn_act(3, 16, stride=2))
        self.extras = nn.ModuleList([conv_bn_act(16, 24, stride=2), conv_bn_act(24, 24, stride=2)])
        self.boxes = nn.ModuleList(nn.Conv2d(size, 8, 3, padding=1) for size in (16, 24, 24))
        self.scores = nn.ModuleList(nn.Conv2d(size, 6, 3, padding=1) for size in (16, 24, 24))

    def forward(self, images, targets=None):
        if self.training and targets is None:
            raise ValueError("targets are needed in training")
        maps = [self.backbone(images)]
        for extra in self.extras:
            maps += [extra(maps[-1])]
        flat = [
            torch.cat([head(each).permute(0, 2, 3, 1).flatten(1) for head, each in zip(heads, maps)], 1)
            for heads in (self.boxes, self.scores)
        ]
        return {"boxes": flat[0].view(images.size(0), -1, 4), "scores": flat[1].view(len(images), -1, 3).softmax(-1)}


class SuperResolution(nn.Module):
    """Residual blocks without batch norm, PixelShuffle, and the enlarged image added."""

    shape = (3, 12, 12)
    eligible = ("blocks.0.0", "blocks.0.2", "blocks.1.0", "blocks.1.2", "up.0")

    def __init__(self, scale=2):
        super().__init__()
        self.scale, self.stem = scale, nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.PReLU(), nn.Conv2d(16, 16, 3, padding=1))
            for _ in range(2)
        )
        self.up = nn.Sequential(nn.Conv2d(16, 16 * scale**2, 3, padding=1), nn.PixelShuffle(scale))
        self.last = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x):
        y = self.stem(x)
        for block in self.blocks:
            y = y + block(y) * 0.1
        return self.last(self.up(y)) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


class Attention(nn.Module):
    """Convolutions in front of and behind self-attention over the pixels."""

    shape = (3, 12, 12)
    eligible = ("qkv.0", "out.0")

    def __init__(self, heads=2):
        super().__init__()
        self.heads, self.stem = heads, conv_bn_act(3, 16, stride=2)
        self.qkv, self.out = conv_bn_act(16, 48, 1), conv_bn_act(16, 16)
        self.norm, self.fc = nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x, mask=None):
        x = self.stem(x)
        b, c, h, w = x.shape
        q, k, v = self.qkv(x).view(b, 3, self.heads, c // self.heads, h * w).transpose(-2, -1).unbind(1)
        weights = (q @ k.transpose(-2, -1)) * (c // self.heads) ** -0.5
        if mask is not None:
            weights = weights.masked_fill(mask == 0, float("-inf"))
        y = (weights.softmax(dim=-1) @ v).transpose(-2, -1).reshape(b, c, h, w)
        y = self.norm((x + self.out(y)).flatten(2).transpose(1, 2))
        return self.fc(y.mean(dim=1))


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    """Patches, depthwise 7x7, layer norms over channels, a layer scale, and dropped paths in training."""

    shape = (3, 16, 16)
    eligible = ("blocks.0.wide", "blocks.0.narrow", "down.1", "blocks.1.wide", "blocks.1.narrow")

    class Block(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.depthwise, self.norm = nn.Conv2d(size, size, 7, padding=3, groups=size), LayerNorm2d(size)
            self.wide, self.act, self.narrow = nn.Conv2d(size, 2 * size, 1), nn.GELU(), nn.Conv2d(2 * size, size, 1)
            self.gamma = nn.Parameter(torch.full((size,), 0.5))

        def forward(self, x):
            y = self.narrow(self.act(self.wide(self.norm(self.depthwise(x))))) * self.gamma.view(1, -1, 1, 1)
            if self.training and torch.rand(1).item() < 0.1:
                return x
            return x + y

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 2, 2), LayerNorm2d(16))
        self.blocks = nn.ModuleList([self.Block(16), self.Block(24)])
        self.down = nn.Sequential(LayerNorm2d(16), nn.Conv2d(16, 24, 2, 2))
        self.norm, self.head = nn.LayerNorm(24), nn.Linear(24, 5)

    def forward(self, x):
        x = self.blocks[1](self.down(self.blocks[0](self.stem(x))))
        return self.head(self.norm(x.mean([-2, -1])))


class RepVgg(nn.Module):
    """3x3, 1x1 and identity side by side, as while it is trained."""

    shape = (3, 12, 12)
    eligible = ("blocks.0.wide.0", "blocks.1.wide.0")

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride=1):
            super().__init__()
            self.wide = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))
            self.point = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            self.skip = nn.BatchNorm2d(inputs) if inputs == outputs and stride == 1 else None

        def forward(self, x):
            skip = 0 if self.skip is None else self.skip(x)
            return F.relu(self.wide(x) + self.point(x) + skip)

    def __init__(self):
        super().__init__()
        self.stem = self.Block(3, 16)
        self.blocks, self.fc = nn.Sequential(self.Block(16, 16), self.Block(16, 24, 2)), nn.Linear(24, 5)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).squeeze(-1).squeeze(-1))


class MobileOne(nn.Module):
    """Several 1x1 convolutions side by side, one depthwise one in front."""

    shape = (3, 12, 12)
    eligible = ("points.0.0", "points.1.0", "points.2.0")

    def __init__(self):
        super().__init__()
        self.stem, self.depthwise = conv_bn_act(3, 16, stride=2), conv_bn_act(16, 16, groups=16)
        self.points = nn.ModuleList(
            nn.Sequential(nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16)) for _ in range(3)
        )
        self.skip, self.fc = nn.BatchNorm2d(16), nn.Linear(16, 5)

    def forward(self, x):
        x = self.depthwise(self.stem(x))
        total = self.skip(x)
        for point in self.points:
            total += point(x)
        return self.fc(F.relu(total).mean((2, 3)))


class Audio(nn.Module):
    """A spectrum by a 1-D convolution, then 2-D ones over time and frequency."""

    shape = (1, 1, 256)
    eligible = ("first.0", "second.0")

    def __init__(self):
        super().__init__()
        self.filters, self.first = nn.Conv1d(1, 16, 16, 8, bias=False), conv_bn_act(1, 16, stride=2)
        self.second, self.fc = conv_bn_act(16, 16), nn.Linear(16, 5)

    def forward(self, x):
        if x.ndim == 4:
            x = x.squeeze(2)
        spectrum = torch.log1p(self.filters(x).abs()).unsqueeze(1)
        return self.fc(self.second(self.first(spectrum)).amax((2, 3)))


NETWORKS = (UNet, YoloHead, Ssd, SuperResolution, Attention, ConvNeXt, RepVgg, MobileOne, Audio)
