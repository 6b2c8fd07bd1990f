"""The networks of the ONNX model zoo as the onnx package holds them, with random numbers as weights.

The package's files compute their weights (ConstantOfShape), so that they stay small.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

PREFIX = "light_"


def light_names() -> list[str]:
    """The names of the networks, bvlc_alexnet to zfnet512."""
    return sorted(path.stem.removeprefix(PREFIX) for path in _folder().glob(f"{PREFIX}*.onnx"))


def with_random_weights(name: str) -> onnx.ModelProto:
    """The network ``name`` with weights in its file: filters after He et al. (2015), all else between 0.5 and 1.5."""
    model = onnx.load(_folder() / f"{PREFIX}{name}.onnx")
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    rng = np.random.default_rng(0)
    kept = []
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape" and node.input[0] in shapes:
            shape = tuple(int(size) for size in shapes[node.input[0]])
            model.graph.initializer.append(numpy_helper.from_array(_drawn(rng, shape), node.output[0]))
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    read = {name for node in kept for name in node.input}
    for index in reversed(range(len(model.graph.initializer))):
        if model.graph.initializer[index].name not in read:
            del model.graph.initializer[index]
    model.ir_version = max(model.ir_version, 4)  # before, initializers had to be inputs as well
    return model


def _drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) < 2:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))


def _folder() -> Path:
    import onnx.backend.test

    return Path(onnx.backend.test.__file__).parent / "data" / "light"
