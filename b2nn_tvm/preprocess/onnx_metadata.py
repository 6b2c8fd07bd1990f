"""What the data mean, in the metadata_props of an ONNX file: JSON under b2nn.preprocess and b2nn.labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import labels as names
from b2nn_tvm.preprocess.block import block_of, read_block
from b2nn_tvm.preprocess.preprocess import Preprocess

if TYPE_CHECKING:
    import onnx

PREPROCESS, LABELS = "b2nn.preprocess", "b2nn.labels"


@dataclass(frozen=True)
class Meaning:
    """How a picture becomes the input of a network, and the names of its classes; None for what is not known."""

    preprocess: Preprocess | None = None
    labels: tuple[str, ...] | None = None


UNKNOWN = Meaning()


def write_meaning(model: onnx.ModelProto, meaning: Meaning) -> None:
    """Put what is known into the metadata of ``model``, in the place of what it had."""
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key not in (PREPROCESS, LABELS)]
    if meaning.preprocess is not None:
        kept.append((PREPROCESS, json.dumps(block_of(meaning.preprocess))))
    if meaning.labels is not None:
        kept.append((LABELS, json.dumps(names.tidy(meaning.labels), ensure_ascii=False)))
    del model.metadata_props[:]
    for key, value in kept:
        model.metadata_props.add(key=key, value=value)


def read_meaning(model: onnx.ModelProto) -> Meaning:
    """What the metadata of ``model`` says; raises InputError where that is not of the form that is written."""
    found = {entry.key: entry.value for entry in model.metadata_props}
    try:
        preprocess = read_block(json.loads(found[PREPROCESS])) if PREPROCESS in found else None
        labels = names.from_json(found[LABELS]) if LABELS in found else None
    except (InputError, ValueError, RecursionError) as error:
        raise InputError(
            f"the metadata {PREPROCESS} and {LABELS} of the file cannot be used: {error}; export it again, or remove"
            " them"
        ) from None
    return Meaning(preprocess, labels)
