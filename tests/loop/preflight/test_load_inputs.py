"""What a search is given becomes data and a network that all phases can work on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from b2nn_tvm.data import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.preflight.load_inputs import data_for, network_for
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.progress import silent
from tests.support.mixbin import noise


def load_data(data: DataBundle, notes: list[str], **changed: Any) -> DataBundle:
    unchanged = dict.fromkeys(("image_size", "mean", "std", "augment", "class_weights", "labels"))
    settings = SearchSettings.from_keywords(**changed.pop("settings", {}))
    return data_for(data, settings, **unchanged | {"skip_bad": 0} | changed, progress=silent, note=notes.append)


def load_network(model: torch.nn.Module, notes: list[str], **keywords: Any):
    options = {"checkpoint": None, "classes": None, "ignore_head": False, "output_of": None}
    return network_for(model, noise.images(), SearchSettings.from_keywords(**keywords), **options, note=notes.append)


def test_data_are_changed_as_asked_and_tell_what_is_doubtful() -> None:
    notes: list[str] = []
    data = load_data(replace(noise.images(), notes=("two images are alike",)), notes, augment="none")
    assert notes == ["two images are alike"] and data.classes == 3 and data.input_shape == (1, 8, 8)


def test_libraries_take_pixels_of_data_that_say_how_alone() -> None:
    with pytest.raises(InputError, match="the libraries cannot take pixels"):
        load_data(noise.images(), [], settings={"input_format": "uint8-nhwc"})


def test_the_network_is_a_copy_ready_to_be_evaluated() -> None:
    given, notes = noise.network().train(), list[str]()
    network, layers = load_network(given, notes)
    assert given.training and not network.training and network is not given
    assert tuple(layers.eligible) == noise.LAYERS and notes == []


def test_a_network_of_float_layers_alone_is_refused_with_the_reasons() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(72, 3))
    with pytest.raises(InputError, match=r"Sequential has no layer that may become binary; the layers are: 0: .*; 2: "):
        load_network(model, [])
    with pytest.raises(InputError, match="no layer that may become binary or w1a2 or w2a2; the layers are: 0: "):
        load_network(model, [], precisions="1,2,32")
