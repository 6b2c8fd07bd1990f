"""A Preprocess as the block ``preprocess`` of manifest.json and of the metadata of ONNX files (docs/artifact.md)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.preprocess import CHANNELS, MODES, Preprocess, Resize

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

INTERPOLATION = "bilinear-antialias"  # defined by b2nn_tvm/reference/resample.py


def block_of(preprocess: Preprocess) -> dict[str, Any]:
    """The block as JSON-able data."""
    resize, crop = preprocess.resize, preprocess.crop
    return {
        "input": preprocess.input,
        "resize": {"mode": resize.mode, "height": resize.height, "width": resize.width},
        "crop": crop and {"height": crop[0], "width": crop[1]},
        "channels": preprocess.channels,
        "interpolation": INTERPOLATION,
        "mean": list(preprocess.mean),
        "std": list(preprocess.std),
        "baked": preprocess.baked,
    }


def read_block(block: object) -> Preprocess:
    """The Preprocess of a block; raises InputError, which says what was expected where, for any other data."""
    from jsonschema.exceptions import best_match

    if error := best_match(_validator().iter_errors(block)):
        where = "/".join(("preprocess", *map(str, error.absolute_path)))
        raise InputError(f"{where} is not as expected: {error.message}")
    assert isinstance(block, dict)  # the schema says so
    crop = block["crop"]
    return Preprocess(
        resize=Resize(**block["resize"]),
        crop=crop and (crop["height"], crop["width"]),
        channels=block["channels"],
        mean=tuple(map(float, block["mean"])),
        std=tuple(map(float, block["std"])),
        input=block["input"],
        baked=block["baked"],
    )


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_SIDES = {"height": {"type": "integer"}, "width": {"type": "integer"}}
_NUMBERS = {"type": "array", "items": {"type": "number"}}
SCHEMA = _object(
    input={"type": "string"},
    resize=_object(mode={"enum": list(MODES)}, **_SIDES),
    crop={"anyOf": [{"type": "null"}, _object(**_SIDES)]},
    channels={"enum": list(CHANNELS)},
    interpolation={"const": INTERPOLATION},
    mean=_NUMBERS,
    std=_NUMBERS,
    baked={"type": "boolean"},
)


@cache
def _validator() -> Validator:
    from jsonschema.validators import validator_for

    return validator_for(SCHEMA)(SCHEMA)
