"""Which nodes compute each image of a batch by itself: what stands at place i of axis 0 comes from image i alone.

A value is followed by its shapes for two sizes of the batch, of which the second is that of no other axis; so an axis
that a node adds, drops or moves is seen by any operator. What the shapes do not show, such as a softmax over the
images, is in the table here. Of an operator that is not in it nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

import numpy as np
import onnx
from onnx import helper

Shapes = Mapping[str, tuple[int, ...]]
Constants = Mapping[str, np.ndarray]
Rule = Callable[[onnx.NodeProto, Set[str], Shapes, Constants], bool]


def keeps_apart(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
    """Whether each image of the results comes from one image of the inputs, as far as the shapes do not tell.

    ``batched`` are the names of the values whose axis 0 holds the images; ``shapes`` are those of all values.
    """
    rule = _RULES.get(node.op_type) if node.domain in ("", "ai.onnx") or node.op_type in _BINARY else None
    return rule is not None and rule(node, batched, shapes, constants)


def _always(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
    return True


def _of_images(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
    """Weights, scales and the like are the same for all images."""
    return not any(name in batched for name in node.input[1:])


def _axis(default: int, *, of_all_inputs: bool = False) -> Rule:
    """What is computed along one axis, the attribute ``axis``: it is another one than that of the images."""

    def rule(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
        rank = len(shapes.get(node.input[0], ()))
        axis = next((int(each.i) for each in node.attribute if each.name == "axis"), default)
        others = of_all_inputs or not any(name in batched for name in node.input[1:])
        return rank > 0 and axis % rank != 0 and others

    return rule


def _axes(place: int) -> Rule:
    """The same with constant axes in the input at ``place``; without them, all axes are meant."""

    def rule(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
        given = constants.get(node.input[place]) if len(node.input) > place else None
        rank = len(shapes.get(node.input[0], ()))
        return given is not None and given.size > 0 and rank > 0 and 0 not in given.ravel() % rank

    return rule


def _unsqueezed(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
    axes, rank = constants.get(node.input[1]), len(shapes.get(node.output[0], ()))
    return axes is not None and rank > 0 and 0 not in axes.ravel() % rank


def _transposed(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
    return any(each.name == "perm" and each.ints[:1] == [0] for each in node.attribute)


def _padded(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
    pads, rank = constants.get(node.input[1]), len(shapes.get(node.input[0], ()))
    axes = constants.get(node.input[3], None) if len(node.input) > 3 and node.input[3] else np.arange(rank)
    if pads is None or axes is None or pads.size != 2 * axes.size:
        return False
    of_images = np.concatenate([axes.ravel() % rank] * 2) == 0
    return not pads.ravel()[of_images].any()


def _multiplied(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
    """An axis 0 that neither the sum nor the columns of the other factor are along."""
    first, second = (len(shapes.get(name, ())) for name in node.input)
    if node.input[1] not in batched:
        return first >= 2 and first >= second
    return second >= 3 and (first == second or (node.input[0] not in batched and first < second))


def _general_product(node: onnx.NodeProto, batched: Set[str], shapes: Shapes, constants: Constants) -> bool:
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return not attributes.get("transA") and node.input[1] not in batched


_BINARY = ("BinaryConv2d", "WeightBinaryConv2d")
_ELEMENTWISE = (
    *("Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd"),
    *("BitwiseNot", "BitwiseOr", "BitwiseXor", "Cast", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Div", "Dropout"),
    *("Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish"),
    *("Identity", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish"),
    *("Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Shrink"),
    *("Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh"),
    *("ThresholdedRelu", "Where", "Xor"),
)
_OVER_IMAGES = (
    *("AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace", "GlobalAveragePool"),
    *("GlobalLpPool", "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "LRN", "LpPool"),
    *("MaxPool", "Resize", "SpaceToDepth"),
    *_BINARY,
)
_REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]
_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _always),
    **dict.fromkeys(("Reshape", "Expand", "Tile"), _of_images),  # the shapes tell
    **dict.fromkeys(_OVER_IMAGES, _of_images),
    **dict.fromkeys((f"Reduce{kind}" for kind in _REDUCTIONS), _axes(1)),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LayerNormalization", "RMSNormalization"), _axis(-1)),
    **dict.fromkeys(("ArgMax", "ArgMin", "Gather", "Split"), _axis(0)),
    "Concat": _axis(0, of_all_inputs=True),
    "Flatten": _axis(1),
    "Gemm": _general_product,
    "MatMul": _multiplied,
    "Pad": _padded,
    "Slice": _axes(3),
    "Squeeze": _axes(1),
    "Transpose": _transposed,
    "Unsqueeze": _unsqueezed,
}
