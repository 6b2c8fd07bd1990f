"""A network with a layer of each kind that levels compute in other ways: int8, binary and float, side by side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.deploy.library.library_files import LIBRARY
from tests.support.networks.onnx_models import BINARY_CONV2D, model
from tests.support.networks.onnx_networks import binary, binary_constants, constant

NODES = """
    q = QuantizeLinear (input, one, zero)
    d = DequantizeLinear (q, one, zero)
    f = DequantizeLinear <axis = 0> (w8, ones)
    sums = Conv <pads = [1, 1, 1, 1]> (d, f)
    floats = Conv (input, v)
"""


def build() -> onnx.ModelProto:
    """The network; "sums" of the int8 layer and "signs" of the binary one are whole numbers, but for one scale."""
    rng = np.random.default_rng(0)
    constants = {
        "one": np.float32(1),
        "zero": np.uint8(0),
        "w8": rng.integers(-127, 128, (20, 36, 3, 3)).astype(np.int8),
        "ones": np.ones(20, np.float32),
        "v": constant("v", (16, 36, 3, 3)),
        **{name: constant(name, value) for name, value in binary_constants("u", 24, 36).items()},
    }
    outputs = "float sums, float signs, float floats"
    nodes = NODES + binary("input", "signs", "u", 36)
    return model(nodes, constants, inputs="float[1,36,9,10] input", outputs=outputs, functions=BINARY_CONV2D)


def image() -> dict[str, np.ndarray]:
    return {"input": np.random.default_rng(1).integers(-40, 300, (1, 36, 9, 10)).astype(np.float32)}


def assert_same(got: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """The layers of integers to the last bit, the float one but for the order of its sum."""
    for name in ("sums", "signs"):
        np.testing.assert_array_equal(got[name], expected[name])
    np.testing.assert_allclose(got["floats"], expected["floats"], rtol=1e-4, atol=1e-2)


def assert_adds_up(artifact: Artifact) -> None:
    """Every byte of the file is in one part, whatever level it is for."""
    sizes = artifact.manifest.sizes
    assert artifact.size_bytes == sizes.library == (artifact.folder / LIBRARY).stat().st_size
    parts = {name: size for name, size in vars(sizes).items() if name != "library"}
    assert sum(parts.values()) == sizes.library and min(parts.values()) >= 0


def described(command: list[Path | str], **options) -> str:
    """The instruction set of the kernels that run, as b2nn-run says."""
    done = subprocess.run([*map(str, command), "--describe"], check=True, capture_output=True, text=True, **options)
    isa: str = json.loads(done.stdout)["library"]["isa"]
    return isa
