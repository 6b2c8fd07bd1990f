"""What trainings give to torch.save: each form of it, made of a trained network."""

from __future__ import annotations

import argparse
import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

State = dict[str, torch.Tensor]


@dataclasses.dataclass
class Options:
    """A class of a user, which stands in his program."""

    rate: float = 0.1


def stale(net: nn.Module) -> nn.Module:
    """The network with other weights, such as before they were averaged."""
    other = copy.deepcopy(net)
    with torch.no_grad():
        for tensor in other.parameters():
            tensor += 1
    return other


def named(state: State, *, prefix: str = "", without: str = "\0") -> State:
    """The weights with ``prefix`` in front of their names, except for those with ``without`` in their names."""
    return {prefix + name: tensor for name, tensor in state.items() if without not in name}


def floats(state: State, change: Callable[[torch.Tensor], torch.Tensor]) -> State:
    """The weights with ``change`` applied to all that are no counters."""
    return {name: change(tensor) if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def _training(net: nn.Module) -> tuple[Any, Any, Any]:
    """The states of an optimizer that has made a step, of its schedule, and of a scaler of gradients."""
    twin = copy.deepcopy(net)
    optimizer = torch.optim.Adam(twin.parameters())
    for tensor in twin.parameters():
        tensor.grad = torch.zeros_like(tensor)
    optimizer.step()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    return optimizer.state_dict(), schedule.state_dict(), torch.amp.GradScaler("cpu").state_dict()


def _of_torchs_tutorial(net: nn.Module) -> object:
    loss = torch.tensor(0.25, requires_grad=True)
    state, optimizer = net.state_dict(), _training(net)[0]
    return {"epoch": 5, "model_state_dict": state, "optimizer_state_dict": optimizer, "loss": loss}


def _of_torchs_imagenet_example(net: nn.Module) -> object:
    optimizer, schedule, _ = _training(net)
    state = nn.DataParallel(net).state_dict()
    beside = {"best_acc1": torch.tensor(71.5), "optimizer": optimizer, "scheduler": schedule}
    return {"epoch": 90, "arch": "resnet18", "state_dict": state, **beside}


def _of_torchvision(net: nn.Module) -> object:
    optimizer, schedule, scaler = _training(net)
    averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)
    averaged.update_parameters(net)
    arguments = argparse.Namespace(data_path="/data", lr=0.5, auto_augment=None, norm_weight_decay=0.0)
    beside = {"lr_scheduler": schedule, "epoch": 599, "args": arguments, "scaler": scaler}
    return {"model": stale(net).state_dict(), "optimizer": optimizer, "model_ema": averaged.state_dict(), **beside}


def _of_timm(net: nn.Module) -> object:
    optimizer, _, scaler = _training(net)
    arguments = argparse.Namespace(model="resnet18", mean=(0.5, 0.5, 0.5), output="")
    beside = {"optimizer": optimizer, "version": 2, "args": arguments, "amp_scaler": scaler, "metric": np.float64(71.5)}
    state, averaged = stale(net).state_dict(), net.state_dict()
    return {"epoch": 299, "arch": "resnet18", "state_dict": state, "state_dict_ema": averaged, **beside}


def _pruned(net: nn.Module) -> object:
    """With weights and masks apart; ``net`` itself has the weights that they stand for."""
    convs = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    for conv in convs:
        prune.l1_unstructured(conv, "weight", 0.5)
    state = net.state_dict()
    for conv in convs:
        prune.remove(conv, "weight")
    return state


def _weight_normalized(net: nn.Module) -> object:
    twin = copy.deepcopy(net)
    for module in list(twin.modules()):
        if isinstance(module, nn.Conv2d):
            nn.utils.parametrizations.weight_norm(module)
    return twin.state_dict()


def _two_networks(net: nn.Module, first: str, second: str) -> State:
    return {**named(net.state_dict(), prefix=first), **named(stale(net).state_dict(), prefix=second)}


def _numpy(net: nn.Module) -> object:
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


OBJECTS: dict[str, Callable[[nn.Module], object]] = {
    "a state_dict": lambda net: net.state_dict(),
    "PyTorch's tutorial: model_state_dict, optimizer_state_dict, loss": _of_torchs_tutorial,
    "PyTorch's ImageNet example: state_dict of DataParallel, best_acc1": _of_torchs_imagenet_example,
    "torchvision's training: model, model_ema, argparse.Namespace": _of_torchvision,
    "timm's training: state_dict, state_dict_ema, a numpy scalar": _of_timm,
    "net, acc, epoch": lambda net: {"net": net.state_dict(), "acc": 93.1, "epoch": 200},
    "weights in an entry within another": lambda net: {"checkpoint": {"model": net.state_dict()}, "cfg": {"lr": 1}},
    "the only entry with weights, best_weights": lambda net: {"best_weights": net.state_dict(), "epoch": 3},
    "state_dict of torch.compile": lambda net: torch.compile(net).state_dict(),
    "state_dict of DataParallel around torch.compile": lambda net: nn.DataParallel(torch.compile(net)).state_dict(),
    "state_dict of AveragedModel": lambda net: AveragedModel(net).state_dict(),
    "another part beside the network: backbone. and decoder.": lambda net: {
        **named(net.state_dict(), prefix="backbone."),
        "decoder.weight": torch.ones(4, 4),
    },
    "half precision": lambda net: floats(net.state_dict(), torch.Tensor.half),
    "bfloat16": lambda net: floats(net.state_dict(), torch.Tensor.bfloat16),
    "double precision": lambda net: floats(net.state_dict(), torch.Tensor.double),
    "torch.nn.Parameter as values": lambda net: {**dict(net.named_parameters()), **dict(net.named_buffers())},
    "without num_batches_tracked, as PyTorch 0.4": lambda net: named(net.state_dict(), without="num_batches"),
    "counts of thop: total_ops, total_params": lambda net: {**net.state_dict(), "total_ops": torch.zeros(1)},
    "objects of a user's class beside the weights": lambda net: {"state_dict": net.state_dict(), "cfg": Options()},
    "two networks, generator and discriminator": lambda net: {
        "generator": net.state_dict(),
        "discriminator": stale(net).state_dict(),
        "options": argparse.Namespace(rate=0.1),
    },
    "two networks in one state_dict, generator. and critic.": lambda net: _two_networks(net, "generator.", "critic."),
    "two networks in one state_dict, student. and teacher.": lambda net: _two_networks(net, "student.", "teacher."),
    "two networks in one state_dict, model. and model_ema.module.": lambda net: {
        **named(stale(net).state_dict(), prefix="model."),
        **named(net.state_dict(), prefix="model_ema.module."),
    },
    "MoCo: encoder_q. and encoder_k., a queue": lambda net: {
        "state_dict": {**_two_networks(net, "module.encoder_q.", "module.encoder_k."), "module.queue": torch.ones(8, 4)}
    },
    "a whole module": lambda net: net,
    "a whole module in an entry, model": lambda net: {"model": net, "epoch": 3},
    "a whole module in DataParallel": nn.DataParallel,
    "a tuple of a state_dict and a number": lambda net: (net.state_dict(), 3),
    "numpy arrays in place of tensors": _numpy,
    "an optimizer's state alone": lambda net: {"optimizer": _training(net)[0]},
    "nothing, an empty dict": lambda net: {},
    "whole numbers as weights": lambda net: floats(net.state_dict(), lambda tensor: (tensor * 64).char()),
    "sparse weights": lambda net: floats(net.state_dict(), torch.Tensor.to_sparse),
    "torch.nn.utils.prune, with masks": _pruned,
    "parametrizations.weight_norm": _weight_normalized,
    "no head": lambda net: named(net.state_dict(), without=head(net)),
    "head under another name": lambda net: {
        name.replace(head(net), "classifier"): tensor for name, tensor in net.state_dict().items()
    },
}


def head(net: nn.Module) -> str:
    """The name of the last layer."""
    return [name for name, module in net.named_modules() if isinstance(module, nn.Linear)][-1]
