"""Recipes by name: how long networks are trained, and by which means.

``quick`` is for a first look. ``standard`` and ``long`` train the float network as ResNets are trained on CIFAR (He et
al., Deep Residual Learning, CVPR 2016, section 4.2: SGD with momentum; weight decay 5e-4 from Zagoruyko and Komodakis,
Wide Residual Networks, BMVC 2016), with warm-up and a cosine in place of steps. Binary networks are tuned by Adam (Liu
et al., How Do Adam and Training Strategies Help BNNs Optimization?, ICML 2021), with 0.9 of the loss from the float
network at temperature 4 (Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017, for CIFAR) and
smoothed labels for the rest (Szegedy et al., Rethinking Inception, CVPR 2016, section 7; 0.1 as in Bi-Real Net). The
float network's labels are not smoothed: a network trained so is a worse teacher (Mueller et al., When Does Label
Smoothing Help?, NeurIPS 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.recipes.optimization import Optimization

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Preset:
    """``float_epochs`` of ``train`` with these keywords, and ``epochs`` of ``finetune`` with those."""

    float_epochs: int
    epochs: int
    float_training: Mapping[str, Any]
    finetuning: Mapping[str, Any]


FLOAT: Mapping[str, Any] = MappingProxyType(
    {
        "lr": 0.05,
        "weight_decay": 5e-4,
        "optimization": Optimization("sgd", "cosine", warmup=0.05, average=0.02, decay_vectors=False),
    }
)
TUNING: Mapping[str, Any] = MappingProxyType(
    {
        "lr": 2.5e-3,
        "weight_decay": 1e-5,
        "temperature": 4.0,
        "distillation": 0.9,
        "label_smoothing": 0.1,
        "optimization": Optimization("adam", "cosine", warmup=0.05, average=0.02, decay_vectors=False),
    }
)
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "quick": Preset(12, 8, NOTHING, NOTHING),
        "standard": Preset(60, 30, FLOAT, TUNING),
        "long": Preset(200, 120, FLOAT, TUNING),
    }
)


def _without(**changes: Any) -> Preset:
    """The standard recipe with another fine-tuning; ``changes`` of its Optimization are named as its fields."""
    how: Optimization = TUNING["optimization"]
    own = {name: value for name, value in changes.items() if not hasattr(how, name)}
    moves = {name: value for name, value in changes.items() if name not in own}
    tuned = {**TUNING, **own, "optimization": replace(how, **moves)}
    return replace(PRESETS["standard"], finetuning=MappingProxyType(tuned))


# The standard recipe without one of the parts of its fine-tuning, to learn what the part is worth.
ABLATIONS: Mapping[str, Preset] = MappingProxyType(
    {
        "standard without warm-up": _without(warmup=0.0),
        "standard without the cosine": _without(schedule="linear"),
        "standard without the average": _without(average=0.0),
        "standard without distillation": _without(distillation=0.0),
        "standard without smoothed labels": _without(label_smoothing=0.0),
        "standard without the first stage": _without(first_stage=0.0),
    }
)


def preset(name: str) -> Preset:
    """The recipe of this name, also an ablation; raises InputError, with the choices, for an unknown one."""
    if name in ABLATIONS:
        return ABLATIONS[name]
    if name not in PRESETS:
        raise InputError(f"unknown recipe {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
