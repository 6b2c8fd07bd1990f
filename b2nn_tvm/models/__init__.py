"""The networks of the literature, by name, in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from b2nn_tvm.errors import InputError

if TYPE_CHECKING:
    from torch import nn


def cresnet20(
    classes: int = 100, channels: int = 3, *, image_size: int = 32, width: int = 16, activation: str = "binrelu"
) -> nn.Module:
    """ResNet-20 for small images in the Bi-Real layout, the MixBin paper's cResNet-20; input [N, channels, 32, 32].

    41,408,768 operations at 32x32 with 100 classes, 1,927,424 with its 18 eligible convolutions binary. ``width`` is
    the number of channels of the first stage; raises InputError for an unknown activation.
    """
    from b2nn_tvm.models.bireal import BiRealNet

    return BiRealNet(
        classes=classes,
        channels=channels,
        image_size=image_size,
        stem="cifar",
        widths=(width, 2 * width, 4 * width),
        blocks=3,
        activation=activation,
    )


def resnet18(classes: int = 1000, channels: int = 3, *, width: int = 64, activation: str = "relu") -> nn.Module:
    """ResNet-18 with torchvision's parameter names; input [N, channels, H, W], H and W at least 32.

    1,821,399,040 operations at 224x224, 171,311,104 with its 16 eligible convolutions binary. ``width`` is the number
    of channels of the first stage; raises InputError for an unknown activation.
    """
    from b2nn_tvm.models.resnet import ResNet

    return ResNet(classes=classes, channels=channels, width=width, activation=activation)


def bireal18(
    classes: int = 1000, channels: int = 3, *, image_size: int = 224, width: int = 64, activation: str = "binrelu"
) -> nn.Module:
    """ResNet-18 in the Bi-Real layout; input [N, channels, 224, 224].

    1,821,549,568 operations at 224x224, 171,461,632 with its 16 eligible convolutions binary. ``width`` is the number
    of channels of the first stage; raises InputError for an unknown activation.
    """
    from b2nn_tvm.models.bireal import BiRealNet

    return BiRealNet(
        classes=classes,
        channels=channels,
        image_size=image_size,
        stem="imagenet",
        widths=(width, 2 * width, 4 * width, 8 * width),
        blocks=2,
        activation=activation,
    )


def siamfc(channels: int = 3, *, width: int = 64, stem_stride: int = 2, activation: str = "binrelu") -> nn.Module:
    """A tracker's trunk: stages 1 to 3 of ResNet-18 in the Bi-Real layout; input [N, channels, H, W].

    The result is [N, 4 * width, H / stride, W / stride], rounded up, with stride = 8 * ``stem_stride``. 428,818,432
    operations at 127x127, 20,070,400 with its 12 eligible convolutions binary. ``width`` is the number of channels of
    the first stage; raises InputError for an unknown activation.
    """
    from b2nn_tvm.models.siamfc_trunk import SiamFCTrunk

    return SiamFCTrunk(channels=channels, width=width, stem_stride=stem_stride, activation=activation)


_FACTORIES: dict[str, Callable[..., nn.Module]] = {
    "cresnet20": cresnet20,
    "resnet18": resnet18,
    "bireal18": bireal18,
    "siamfc": siamfc,
}


def names() -> tuple[str, ...]:
    """The names that ``get`` knows."""
    return tuple(_FACTORIES)


def get(name: str) -> Callable[..., nn.Module]:
    """The factory of the network ``name``; raises InputError for an unknown name."""
    if name not in _FACTORIES:
        raise InputError(f"there is no network {name!r}; choose one of {', '.join(_FACTORIES)}")
    return _FACTORIES[name]
