"""The data and the network of a search, as given, become what all phases work on, or are refused."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from b2nn_tvm.data import DataBundle
from b2nn_tvm.data.adjust import adjusted
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.preflight.check_search import check_pixels, choose_output, hint_at_merging, reasons_of
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.loop.sources import load_data, load_model, name_of
from b2nn_tvm.mixbin.network.layers import LayerTable, trace
from b2nn_tvm.preprocess.labels import read_labels
from b2nn_tvm.progress import Note, Progress


def data_for(
    data: str | DataBundle,
    settings: SearchSettings,
    *,
    image_size: int | None,
    skip_bad: int,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    augment: str | None,
    class_weights: str | None,
    labels: str | os.PathLike[str] | None,
    progress: Progress,
    note: Note,
) -> DataBundle:
    """The data set ``data`` with all that ``search`` was asked to change of it; see there for the arguments.

    Raises InputError where the data cannot be read, a change does not fit them, or the libraries' input does not.
    """
    bundle = adjusted(
        load_data(data, image_size=image_size, skip_bad=skip_bad, progress=progress),
        mean=mean,
        std=std,
        augment=augment,
        class_names=None if labels is None else read_labels(labels),
        class_weights=class_weights,
    )
    for text in bundle.notes:
        note(text)
    check_pixels(settings.deployment, bundle)
    return bundle


def network_for(
    model: str | torch.nn.Module,
    data: DataBundle,
    settings: SearchSettings,
    *,
    checkpoint: str | os.PathLike[str] | None,
    classes: int | None,
    ignore_head: bool,
    output_of: str | None,
    note: Note,
) -> tuple[torch.nn.Module, LayerTable]:
    """A copy of the network ``model`` that gives class scores alone, in evaluation mode, and its layers.

    Raises InputError where the network cannot be built, does not fit the data, or has no layer that may become one of
    the settings' precisions.
    """
    network = load_model(
        model,
        data,
        checkpoint=checkpoint,
        seed=settings.training.seed,
        classes=classes,
        ignore_head=ignore_head,
        note=note,
    ).eval()
    hint_at_merging(network, note=note)
    choose_output(network, data, output_of, note=note)
    layers = trace(network, data.input_shape)
    fewer = [word for word in settings.selection.precisions if word != "float"]
    if not any(layers.eligible_for(word) for word in fewer):
        raise InputError(
            f"{name_of(model)} has no layer that may become {' or '.join(fewer)}; the layers are: {reasons_of(layers)}"
        )
    return network, layers
