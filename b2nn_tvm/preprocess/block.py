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
    resize, crop = block["resize"], block["crop"]
    try:
        mean, std = (tuple(map(float, block[name])) for name in ("mean", "std"))
    except OverflowError:
        raise InputError("preprocess: expected mean and std within the range of floats") from None
    return Preprocess(
        resize=Resize(resize["mode"], int(resize["height"]), int(resize["width"])),  # 256.0 is an integer in JSON
        crop=crop and (int(crop["height"]), int(crop["width"])),
        channels=block["channels"],
        mean=mean,
        std=std,
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
