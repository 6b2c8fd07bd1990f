"""Check that no Reshape of a network with static shapes has a batch in it that the file fixes and the user changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx

from b2nn_tvm.errors import InputError

_SHOWN = 8  # dimensions of a shape that an error shows


def check_reshapes(
    nodes: Iterable[onnx.NodeProto], shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, np.ndarray]
) -> None:
    """Raise InputError, naming the node, where a Reshape to constant sizes cannot hold the elements of its input."""
    for node in nodes:
        if node.op_type != "Reshape" or len(node.input) < 2 or node.domain not in ("", "ai.onnx"):
            continue
        shape, wanted = shapes.get(node.input[0]), constants.get(node.input[1])
        if shape is None or wanted is None or any(each.name == "allowzero" and each.i for each in node.attribute):
            continue
        sizes = [
            shape[place] if size == 0 and place < len(shape) else int(size) for place, size in enumerate(wanted.flat)
        ]
        known = math.prod(size for size in sizes if size != -1)
        count = math.prod(shape)
        if (count != known) if -1 not in sizes else (known == 0 or count % known):
            raise InputError(
                f"node {node.name!r} (Reshape) makes {_text(shape)} into {_text(sizes)}, as the file says, which "
                "cannot hold it; the file fixes sizes inside of the network: give it the input shapes with which it "
                "was exported, or export it with these shapes or with an open batch"
            )


def _text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape[:_SHOWN])) + ("x..." if len(shape) > _SHOWN else "")
