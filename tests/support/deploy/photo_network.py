"""Networks that take photos: they copy their input, and have a score for each channel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from b2nn_tvm.deploy.codegen.program import Argument, Constants, Program, Step, Storage, TensorSpec
from b2nn_tvm.deploy.library.build_library import build_library
from tests.support.deploy.handmade import Workshop

KERNELS = Path(__file__).with_name("photo_kernels.c")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COLORS = ("red", "green", "blue")


def preprocess(size: tuple[int, int], **changes: Any) -> dict[str, Any]:
    """The member of the manifest; ``size`` is (height, width)."""
    whole = {
        "input": "x",
        "resize": {"mode": "stretch", "height": size[0], "width": size[1]},
        "crop": None,
        "channels": "rgb",
        "interpolation": "bilinear-antialias",
        "mean": list(MEAN),
        "std": list(STD),
        "baked": False,
    }
    return whole | changes


def build(
    workshop: Workshop, name: str, how: dict[str, Any], *, labels: Any = COLORS, target: str = "native", **options: Any
) -> Path:
    """A network whose input is what ``how`` makes of a photo; its manifest holds ``how`` and ``labels``."""
    channels, (height, width) = 1 if how["channels"] == "gray" else 3, size_of(how)
    kind = "uint8" if how["baked"] else "float32"
    shape = (1, height, width, channels) if how["baked"] else (1, channels, height, width)
    words = [f"-DCHANNELS={channels}", f"-DPIXELS={height * width}", f"-DBAKED={int(how['baked'])}"]
    out = workshop.folder / f"{name}.o"
    workshop.compile(workshop.target(target), "-O2", "-fPIC", *words, "-c", str(KERNELS), "-o", str(out))
    x = Argument(Storage.INPUT, 0)
    program = Program(
        inputs=(TensorSpec("x", shape, kind),),
        outputs=(TensorSpec("scores", (1, channels), "float32"), TensorSpec("copy", shape, kind)),
        steps=(
            Step("mean_channels", "mean", (x, Argument(Storage.OUTPUT, 0))),
            Step("copy_input", "copy", (x, Argument(Storage.OUTPUT, 1))),
        ),
        layers=(),
        arena_bytes=0,
        workspace_bytes=0,
        constants=Constants(()),
    )
    folder = workshop.folder / name
    build_library(program, [out.read_bytes()], workshop.target(target), folder, **options)
    change_manifest(folder, preprocess=how, labels=None if labels is None else list(labels))
    return folder


def change_manifest(folder: Path, **members: Any) -> None:
    """Set members of manifest.json; those that are ``...`` are removed."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text()) | members
    path.write_text(json.dumps({name: value for name, value in document.items() if value is not ...}))


def size_of(how: dict[str, Any]) -> tuple[int, int]:
    """Height and width of the input."""
    part = how["crop"] or how["resize"]
    return part["height"], part["width"]


def expected(pixels: np.ndarray, how: dict[str, Any]) -> np.ndarray:
    """The input of the network, of pixels uint8 [H, W, 3] that need no resizing."""
    mean, std = np.array(how["mean"], np.float32), np.array(how["std"], np.float32)
    if how["baked"]:
        return pixels[None]
    normalized = (pixels / np.float32(255) - mean) / std
    return np.ascontiguousarray(normalized.transpose(2, 0, 1)[None])
