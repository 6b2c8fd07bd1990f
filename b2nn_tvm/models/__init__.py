"""Networks of the literature by their names, in plain torch."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.models.alexnet import alexnet
from b2nn_tvm.models.bireal import bireal18, cresnet20
from b2nn_tvm.models.mobilenet import mobilenet
from b2nn_tvm.models.resnet import resnet18
from b2nn_tvm.models.siamfc_trunk import siamfc
from b2nn_tvm.models.sketchanet import sketchanet
from b2nn_tvm.models.squeezenet import squeezenet
from b2nn_tvm.models.timm_network import timm_network
from b2nn_tvm.models.vgg_small import vgg_small

# All factories are imported here: a factory that is looked up on first use would be hidden by the file of its name.
_FACTORIES: dict[str, Callable[..., nn.Module]] = {
    factory.__name__: factory
    for factory in (cresnet20, resnet18, bireal18, mobilenet, alexnet, squeezenet, sketchanet, vgg_small, siamfc)
}

TIMM = "timm:"  # before the name of a network of the package timm


def names() -> tuple[str, ...]:
    """The names that ``get`` knows."""
    return tuple(_FACTORIES)


def get(name: str) -> Callable[..., nn.Module]:
    """The factory of the network ``name``, or of timm's in "timm:resnet18"; raises InputError for an unknown name."""
    if name.startswith(TIMM):
        return timm_network(name.removeprefix(TIMM))
    if name not in _FACTORIES:
        raise InputError(f"there is no network {name!r}; choose one of {', '.join(_FACTORIES)}")
    return _FACTORIES[name]
