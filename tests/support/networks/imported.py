"""Networks in ONNX text as the frontend imports them."""

from __future__ import annotations

import numpy as np

from b2nn_tvm.frontend.import_onnx import ImportedModel, import_onnx
from tests.support.networks.onnx_models import model, save
from tests.support.passes.relax_functions import random_signs

FLOATS = np.random.default_rng(0).standard_normal((3, 4, 3, 3)).astype(np.float32)


SIGNS = random_signs((3, 4, 3, 3))


def imported(tmp_path, *args, import_options=None, **kwargs):
    return import_onnx(save(tmp_path, model(*args, **kwargs)), **(import_options or {}))


def name_nodes(built, *names):
    for node, name in zip(built.graph.node, names):
        node.name = name
    return built


def names_by_weights(found: ImportedModel) -> dict[str, list[str]]:
    """The names of the layers with the weights of each digest, in graph order."""
    names: dict[str, list[str]] = {}
    for layer in found.layers:
        names.setdefault(layer.digest, []).append(layer.name)
    return names
