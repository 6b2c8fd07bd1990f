"""Networks of the package timm (PyTorch Image Models, Wightman), where it is installed: "timm:resnet18"."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.provenance.user_code import words_of


def timm_network(name: str) -> Callable[..., nn.Module]:
    """The factory of timm's network ``name``, untrained: nothing is downloaded. It takes classes, channels, and
    image_size where the network is built for one size.

    Raises InputError where timm is not installed, or has no network of this name.
    """
    try:
        import timm
    except ImportError:
        text = f"timm:{name}: the package timm is not installed; install it, or choose another network"
        raise InputError(text) from None
    except Exception as error:  # such as a torchvision that is built for another torch
        raise InputError(f"timm:{name}: importing timm fails with {words_of(error)}; install it anew") from error
    known = timm.list_models()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {', '.join(f'timm:{each}' for each in close)}?" if close else "see timm.list_models()"
        raise InputError(f"timm has no network {name!r}: {hint}")

    def build(classes: int, channels: int = 3) -> nn.Module:
        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes, in_chans=channels)
        return network

    def build_for_size(classes: int, image_size: int, channels: int = 3) -> nn.Module:
        network: nn.Module = timm.create_model(
            name, pretrained=False, num_classes=classes, in_chans=channels, img_size=image_size
        )
        return network

    described = timm.get_pretrained_cfg(name)  # transformers are built for as many tokens as the image has
    return build_for_size if described is not None and described.fixed_input_size else build
