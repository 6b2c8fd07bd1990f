"""Operators that ONNX had on trial until version 1.4, and that converters of Core ML and Caffe2 wrote into files:

    ImageScaler <scale, bias> (x)  ->  x * scale + bias, one of the latter for each channel

onnxruntime still computes them, from whose definitions (onnxruntime/core/graph/contrib_ops) the meanings are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.graph.node_context import NodeContext


def _affine(context: NodeContext) -> None:
    alpha, beta = context.get("alpha", 1.0), context.get("beta", 0.0)
    scaled = context.put_before("Mul", [context.node.input[0], _number(context, "alpha", alpha)], "scaled")
    context.become("Add", [scaled, _number(context, "beta", beta)])


def _scale(context: NodeContext) -> None:
    context.become("Mul", [context.node.input[0], _number(context, "scale", context.get("scale", 1.0))])


def _image_scaler(context: NodeContext) -> None:
    bias = np.array(context.get("bias", [0.0]), context.dtype(context.node.input[0]))
    scaled = context.put_before(
        "Mul", [context.node.input[0], _number(context, "scale", context.get("scale", 1.0))], "scaled"
    )
    context.become("Add", [scaled, context.constant("bias", bias.reshape(-1, 1, 1))])


def _crop(context: NodeContext) -> None:
    """``border`` pixels go at the left, top, right and bottom; ``scale`` are the height and width that stay."""
    border, size = context.get("border"), context.get("scale")
    if border is None or len(border) != 4 or (size is not None and len(size) != 2):
        raise InputError("it has no border of 4 numbers, or no scale of 2")
    left, top, right, bottom = map(int, border)
    ends = [-bottom or _END, -right or _END] if size is None else [top + int(size[0]), left + int(size[1])]
    bounds = (("starts", [top, left]), ("ends", ends), ("axes", [2, 3]))
    context.become(
        "Slice", [context.node.input[0], *(context.constant(word, np.array(each, np.int64)) for word, each in bounds)]
    )


def _inside(op_type: str) -> Callable[[NodeContext], None]:
    """alpha * op_type(beta * x)."""

    def adapt(context: NodeContext) -> None:
        alpha, beta = context.get("alpha"), context.get("beta")
        if alpha is None or beta is None:
            raise InputError("it lacks alpha or beta")
        inner = context.put_before("Mul", [context.node.input[0], _number(context, "beta", beta)], "inner")
        outer = context.put_before(op_type, [inner], "outer")
        context.become("Mul", [outer, _number(context, "alpha", alpha)])

    return adapt


def _number(context: NodeContext, word: str, value: float) -> str:
    return context.constant(word, np.asarray(value, context.dtype(context.node.input[0])))


_END = 2**31 - 1  # of a slice: all up to the end

# (changes nodes of opsets below, operators, what to do)
EXPERIMENTAL_ADAPTERS: tuple[tuple[int, tuple[str, ...], Callable[[NodeContext], None]], ...] = (
    (18, ("Affine",), _affine),
    (18, ("Crop",), _crop),
    (18, ("ImageScaler",), _image_scaler),
    (18, ("ParametricSoftplus",), _inside("Softplus")),
    (18, ("Scale",), _scale),
    (18, ("ScaledTanh",), _inside("Tanh")),
)
