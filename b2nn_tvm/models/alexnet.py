"""AlexNet as one tower (Krizhevsky et al., NIPS 2012), laid out as in XNOR-Net (Rastegari et al., ECCV 2016)."""

from __future__ import annotations

from b2nn_tvm.models.conv_chain import ConvChain, Stage


def alexnet(
    classes: int = 1000, channels: int = 3, *, image_size: int = 224, width: int = 96, activation: str = "relu"
) -> ConvChain:
    """AlexNet without groups, batch norm in place of local response norm; input [N, channels, 224, 224].

    1,136,558,728 operations at 224x224, 126,841,096 with its 6 eligible layers binary, two of them fully connected.
    ``width`` is the number of channels of the first layer; raises InputError for an unknown activation, and for images
    under 63x63.
    """
    wide, wider = width * 8 // 3, width * 4
    stages = (
        Stage(width, 11, stride=4, padding=2, pool=3),
        Stage(wide, 5, padding=2, pool=3),
        Stage(wider, 3, padding=1),
        Stage(wider, 3, padding=1),
        Stage(wide, 3, padding=1, pool=3),
    )
    return ConvChain(
        stages,
        hidden=2 * (width * 128 // 3,),
        classes=classes,
        channels=channels,
        image_size=image_size,
        activation=activation,
    )
