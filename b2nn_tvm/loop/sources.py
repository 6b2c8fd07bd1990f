"""Load the model, its checkpoint and the data set that a search works on, given by name, path or factory."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from b2nn_tvm import data as datasets
from b2nn_tvm import models
from b2nn_tvm.data import DataBundle
from b2nn_tvm.errors import B2nnError, InputError
from b2nn_tvm.loop.checkpoint.load_weights import load_weights
from b2nn_tvm.mixbin.network.capture import lazily_made
from b2nn_tvm.mixbin.tracing.prepare import copied, prepared
from b2nn_tvm.progress import Note, Progress, silent
from b2nn_tvm.provenance.user_code import told
from b2nn_tvm.words.choices import CLASSIFIERS, did_you_mean, meant_network
from b2nn_tvm.words.factory_file import complaint, is_factory
from b2nn_tvm.words.file_in_place import file_in_place_of_network


def load_data(
    data: str | DataBundle, *, image_size: int | None = None, skip_bad: int = 0, progress: Progress = silent
) -> DataBundle:
    """The data set ``data``: a bundle as it is, a built-in set, a folder or .npz file, or the result of
    ``pkg.module:factory``.

    ``image_size`` and ``skip_bad`` are the ``size`` and ``skip_bad`` of ``data.get``. Raises InputError where they are
    given for a bundle or a factory, which decide for themselves.
    """
    named = isinstance(data, str) and not is_factory(data)
    if not named and (image_size is not None or skip_bad):
        raise InputError("an image size and a number of bad files to skip are for data given by name or path")
    if isinstance(data, DataBundle):
        return data
    if not isinstance(data, str):
        raise InputError(f"data: expected a DataBundle or a name, not {type(data).__name__}")
    if named:
        return datasets.get(data, size=image_size, skip_bad=skip_bad, progress=progress)
    bundle = call_factory(data, _factory(data))
    if not isinstance(bundle, DataBundle):
        raise InputError(f"data {data!r}: expected a DataBundle from the factory, not {type(bundle).__name__}")
    return bundle


def load_model(
    model: str | torch.nn.Module,
    data: DataBundle,
    *,
    checkpoint: str | os.PathLike[str] | None,
    seed: int,
    classes: int | None = None,
    ignore_head: bool = False,
    note: Note = lambda text: None,
) -> torch.nn.Module:
    """A copy of a module, a built-in network, or the result of ``pkg.module:factory``, with the checkpoint's weights.

    Torch is seeded first; the factory gets the arguments of ``factory_arguments``. The classes are the data's, unless
    more ``classes`` are asked for; labels then use the first of them. With ``ignore_head`` the checkpoint's head is
    left. ``note`` is told what else of the checkpoint was left. The network is in float32, without wrappers and
    parametrizations (see ``prepared``).

    Raises InputError for an unknown name, a factory that fails or gives no module, a number of classes that is not the
    model's to choose, and a checkpoint that does not fit.
    """
    _check_classes(model, data, checkpoint=checkpoint, classes=classes, ignore_head=ignore_head)
    if isinstance(model, torch.nn.Module):
        built = copied(model)
    elif isinstance(model, str):
        torch.manual_seed(seed)
        factory = _factory(model) if is_factory(model) else _built_in(model)
        built = call_factory(model, factory, **factory_arguments(factory, data, classes=classes))
        if not isinstance(built, torch.nn.Module):
            raise InputError(f"model {model!r}: expected a torch module from the factory, not {type(built).__name__}")
    else:
        raise InputError(f"model: expected a torch module or a name, not {type(model).__name__}")
    lazily_made(built, (1, *data.input_shape))
    if checkpoint is not None:
        scores = data.classes if classes is None else classes
        load_weights(built, Path(checkpoint), classes=scores, ignore_head=ignore_head, note=note)
    network = prepared(built)
    others = sorted({str(each.dtype) for each in network.parameters() if each.is_floating_point()} - {"torch.float32"})
    if others:
        note(f"the network's weights are {', '.join(others)}; all is computed in torch.float32")
    return network.float()


def name_of(model: str | torch.nn.Module) -> str:
    """The name of the model in reports."""
    return model if isinstance(model, str) else type(model).__name__


def _built_in(word: str) -> Callable[..., Any]:
    """The factory of a built-in network or of timm's; raises InputError for another word, and for trunks."""
    if not word.startswith("timm:") and word not in models.names():
        none = f"there is no network {word!r}{meant_network(word)}; choose one of {', '.join(CLASSIFIERS)}"
        raise InputError(complaint(word) or file_in_place_of_network(word) or none)
    factory = models.get(word)
    if not _gives_scores(factory):
        raise InputError(f"model {word!r} gives features, not class scores, which a search needs: see docs/tracking.md")
    return factory


def _gives_scores(factory: Callable[..., Any]) -> bool:
    return "classes" in inspect.signature(factory).parameters


def _factory(word: str) -> Callable[..., Any]:
    module_name, _, name = word.rpartition(":")
    folder, file = Path.cwd(), None
    if module_name.endswith(".py"):
        file = Path(module_name)
        if not file.is_file():
            raise InputError(f"{word!r}: there is no file {file}")
        folder, module_name = file.resolve().parent, file.stem
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # the processes that train look there, too
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(f"{word!r}: there is no module {error.name!r}; run from its folder, or install it") from None
    except SystemExit as error:
        raise InputError(
            f"{word!r}: importing {module_name} ends the program with {told(error)}: put what its script does behind"
            " if __name__ == '__main__'"
        ) from error
    except Exception as error:
        raise InputError(f"{word!r}: importing {module_name} fails with {told(error)}") from error
    imported = getattr(module, "__file__", None)
    if file is not None and (imported is None or not file.samefile(imported)):
        raise InputError(
            f"{word!r}: another module of the name {module_name} is imported already, {imported or 'a built-in one'};"
            " give the file another name"
        )
    factory: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(factory):
        meant = did_you_mean(name, [each for each, value in vars(module).items() if callable(value)])
        raise InputError(f"{word!r}: the module {module_name} has no function {name!r}{meant}")
    return factory


def call_factory(word: str, factory: Callable[..., Any], **arguments: Any) -> Any:
    """What ``factory``, the user's ``word``, gives; raises InputError, which says whose it is, for what it raises."""
    try:
        return factory(**arguments)
    except B2nnError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{word!r}: your factory fails with {told(error)}") from error


def factory_arguments(factory: Callable[..., Any], data: DataBundle, *, classes: int | None = None) -> dict[str, int]:
    """The arguments ``classes`` or ``num_classes``, ``channels`` and ``image_size``, as far as ``factory`` takes them;
    the classes are the data's unless given.

    Raises InputError where the factory takes one ``image_size`` and the images are not square.
    """
    channels, height, width = data.input_shape
    count = classes or data.classes
    offered = {"classes": count, "num_classes": count, "channels": channels, "image_size": height}
    names = inspect.signature(factory).parameters
    if "image_size" in names and height != width:
        raise InputError(
            f"the network takes square images, but those of {data.name} are {width}x{height}: choose a size with"
            f" --image-size {min(height, width)}"
        )
    return {name: offered[name] for name in names if name in offered}


def _check_classes(
    model: str | torch.nn.Module, data: DataBundle, *, checkpoint: Any, classes: int | None, ignore_head: bool
) -> None:
    if ignore_head and checkpoint is None:
        raise InputError("there is no head to ignore without a checkpoint")
    if classes is None:
        return
    if isinstance(model, torch.nn.Module):
        raise InputError("a number of classes is for networks given by name or factory; this one is built already")
    if classes < data.classes:
        raise InputError(f"expected at least the {data.classes} classes of the data {data.name}, but got {classes}")
