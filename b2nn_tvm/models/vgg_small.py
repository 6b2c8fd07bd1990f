"""VGG-Small, the binary literature's network for small images, after that of BinaryNet (Hubara et al., NIPS 2016)."""

from __future__ import annotations

from b2nn_tvm.models.conv_chain import ConvChain, Stage


def vgg_small(
    classes: int = 10, channels: int = 3, *, image_size: int = 32, width: int = 128, activation: str = "hardtanh"
) -> ConvChain:
    """Six 3x3 convolutions and a classifier (LQ-Nets, Zhang et al., ECCV 2018); input [N, channels, 32, 32].

    608,690,186 operations at 32x32, 14,147,594 with its 5 eligible convolutions binary. ``width`` is the number of
    channels of the first two convolutions; raises InputError for an unknown activation, and for images under 8x8.
    """
    stages = [Stage(width * factor, 3, padding=1, pool=pool) for factor in (1, 2, 4) for pool in (0, 2)]
    return ConvChain(
        stages, hidden=(), classes=classes, channels=channels, image_size=image_size, activation=activation
    )
