"""Load the model, its checkpoint and the data set that a search works on, given by name, path or factory."""

from __future__ import annotations

import copy
import importlib
import inspect
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from b2nn_tvm import data as datasets
from b2nn_tvm import models
from b2nn_tvm.data import DataBundle
from b2nn_tvm.errors import InputError


def load_data(data: str | DataBundle) -> DataBundle:
    """The data set ``data``: a bundle as it is, a built-in set, a folder or .npz file, or the result of
    ``pkg.module:factory``.
    """
    if isinstance(data, DataBundle):
        return data
    if not isinstance(data, str):
        raise InputError(f"data: expected a DataBundle or a name, not {type(data).__name__}")
    if not _is_factory(data):
        return datasets.get(data)
    bundle = _factory(data)()
    if not isinstance(bundle, DataBundle):
        raise InputError(f"data {data!r}: expected a DataBundle from the factory, not {type(bundle).__name__}")
    return bundle


def load_model(
    model: str | torch.nn.Module, data: DataBundle, *, checkpoint: str | os.PathLike[str] | None, seed: int
) -> torch.nn.Module:
    """A copy of a module, a built-in network, or the result of ``pkg.module:factory``, with the checkpoint's weights.

    Torch is seeded first; the factory gets ``classes``, ``channels`` and ``image_size``, as far as it takes them.
    """
    if isinstance(model, torch.nn.Module):
        built = copy.deepcopy(model)
    elif isinstance(model, str):
        torch.manual_seed(seed)
        factory = _factory(model) if _is_factory(model) else models.get(model)
        if not _is_factory(model) and "classes" not in inspect.signature(factory).parameters:
            raise InputError(
                f"model {model!r} gives features, not class scores, which a search needs: see docs/tracking.md"
            )
        built = factory(**factory_arguments(factory, data))
        if not isinstance(built, torch.nn.Module):
            raise InputError(f"model {model!r}: expected a torch module from the factory, not {type(built).__name__}")
    else:
        raise InputError(f"model: expected a torch module or a name, not {type(model).__name__}")
    if checkpoint is not None:
        _load_weights(built, Path(checkpoint))
    return built


def name_of(model: str | torch.nn.Module) -> str:
    """The name of the model in reports."""
    return model if isinstance(model, str) else type(model).__name__


def _is_factory(word: str) -> bool:
    module, colon, name = word.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _factory(word: str) -> Callable[..., Any]:
    module_name, _, name = word.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(f"{word!r}: there is no module {error.name!r}; run from its folder, or install it") from None
    factory: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(factory):
        raise InputError(f"{word!r}: the module {module_name} has no function {name!r}")
    return factory


def factory_arguments(factory: Callable[..., Any], data: DataBundle) -> dict[str, int]:
    """The arguments ``classes``, ``channels`` and ``image_size``, as far as ``factory`` takes them."""
    offered = {"classes": data.classes, "channels": data.input_shape[0], "image_size": data.input_shape[1]}
    return {name: offered[name] for name in inspect.signature(factory).parameters if name in offered}


def _load_weights(model: torch.nn.Module, path: Path) -> None:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a state_dict that torch.save wrote") from None
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{path}: expected a state_dict that torch.save wrote, but it cannot be read: {reason}"
        ) from None
    weights = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(weights, dict):
        raise InputError(f"{path}: expected a state_dict, but it holds a {type(loaded).__name__}")
    weights = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    own = model.state_dict()
    missing, unknown = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
    differing = sorted(
        name for name in set(own) & set(weights) if own[name].shape != getattr(weights[name], "shape", None)
    )
    for what, names in (("lacks", missing), ("has unknown", unknown), ("has other shapes for", differing)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise InputError(
                f"{path}: the checkpoint does not fit {type(model).__name__}: it {what} {', '.join(names[:3])}{more}"
            )
    model.load_state_dict(weights)
