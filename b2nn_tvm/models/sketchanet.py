"""Sketch-A-Net for drawings of one channel (Yu et al., Sketch-a-Net that Beats Humans, BMVC 2015, table 1)."""

from __future__ import annotations

from b2nn_tvm.models.conv_chain import ConvChain, Stage


def sketchanet(
    classes: int = 250, channels: int = 1, *, image_size: int = 225, width: int = 64, activation: str = "relu"
) -> ConvChain:
    """Sketch-A-Net with batch norm, which the paper's network lacks; input [N, channels, 225, 225].

    609,203,258 operations at 225x225, 82,293,434 with its 6 eligible layers binary, two of them fully connected.
    ``width`` is the number of channels of the first layer; raises InputError for an unknown activation, and for images
    under 81x81.
    """
    stages = (
        Stage(width, 15, stride=3, pool=3),
        Stage(2 * width, 5, pool=3),
        Stage(4 * width, 3, padding=1),
        Stage(4 * width, 3, padding=1),
        Stage(4 * width, 3, padding=1, pool=3),
    )
    return ConvChain(
        stages,
        hidden=2 * (8 * width,),
        classes=classes,
        channels=channels,
        image_size=image_size,
        activation=activation,
    )
