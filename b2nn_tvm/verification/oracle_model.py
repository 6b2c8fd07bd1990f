"""Rewrite an ONNX file to operators that onnxruntime has, with the meaning that the compiler gives to the file.

    Quant, BipolarQuant, MultiThreshold, ... of other tools  ->  their definition (reference/quantizers)
    Sign(x), sign_zero +1   ->  Where(Or(x > 0, x == 0), 1, -1)
    Sign(x), sign_zero -1   ->  Where(x > 0, 1, -1)
    Sigmoid(x) of float32   ->  1 / (1 + exp(-x)) in float64
    BinaryConv2d and WeightBinaryConv2d without a definition in the file  ->  the same with the exporter's definition

Every new operator exists in opset 11, in which GreaterOrEqual does not, so the file keeps its opset. Both comparisons
are false for NaN, whose sign is -1; ``not x < 0`` would make it +1.

onnxruntime's Sigmoid is off by up to 6e-8 in float32, and 0 below about -17. That is a lot where the tail of a SiLU,
x * Sigmoid(x), goes into a sign: it is -0, whose sign is +1, in place of a small number below 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import numpy as np
import onnx
from onnx import TensorProto, helper, inliner, numpy_helper, shape_inference

from b2nn_tvm.frontend.functions.function_defaults import write_defaults
from b2nn_tvm.frontend.functions.own_opsets import mark_opsets
from b2nn_tvm.reference.onnx_functions import DOMAIN, FUNCTIONS, VERSION
from b2nn_tvm.reference.quantizers.expand_quantizers import expand_quantizers, has_quantizers

# As the importer has them.
_DEFAULTS = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "pad_value": 0.0, "group": 1}


def needs_rewriting(model: onnx.ModelProto, *, sign_zero: str | None) -> bool:
    """Whether onnxruntime would refuse the file, give a Sign in it another meaning than the compiler, or compute a part
    of it too coarsely.
    """
    defined = {(function.domain, function.name) for function in model.functions}
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    return has_quantizers(model) or any(_is_rewritten(node, defined, sign_zero) for node in nodes)


def rewritten(model: onnx.ModelProto, *, sign_zero: str | None) -> onnx.ModelProto:
    """The model in operators that onnxruntime has; ``sign_zero`` is the value of Sign at 0, "+1" or "-1", or None for
    0.

    Functions that the file defines are put in place of their calls first, as the importer does, so that the nodes in
    their bodies are rewritten, too.
    """
    if model.functions:
        model = inlined(model)
    defined = {(function.domain, function.name) for function in model.functions}
    expand_quantizers(model)
    types = element_types(model)
    nodes: list[onnx.NodeProto] = []
    added: set[str] = set()
    for node in model.graph.node:
        if not _is_rewritten(node, defined, sign_zero):
            nodes.append(node)
        elif node.op_type == "Sigmoid":
            nodes += _sigmoid(node, types)
        elif node.op_type == "Sign":
            nodes += _sign(node.input[0], node.output[0], types, plus_at_zero=sign_zero == "+1")
        else:
            nodes.append(_call(node))
            added.add(node.op_type)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.functions.extend(FUNCTIONS[name]() for name in sorted(added))
    if added and DOMAIN not in {opset.domain for opset in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(DOMAIN, VERSION))
    return model


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the bodies of its functions in place of their calls; those of the exporter mean the same in each
    opset.
    """
    write_defaults(model)
    mark_opsets(model, [(DOMAIN, name) for name in FUNCTIONS])
    return inliner.inline_local_functions(model)


def _is_rewritten(node: onnx.NodeProto, defined: Set[tuple[str, str]], sign_zero: str | None) -> bool:
    if node.op_type == "Sign":
        return sign_zero is not None and node.domain in ("", "ai.onnx")
    if node.op_type == "Sigmoid":
        return node.domain in ("", "ai.onnx")
    return node.op_type in FUNCTIONS and (node.domain, node.op_type) not in defined


def _sign(x: str, output: str, types: Mapping[str, int], *, plus_at_zero: bool) -> Iterator[onnx.NodeProto]:
    """The sign of x, of its type; x > 0 is a node of its own, in which the oracle
    finds ties.
    """
    element = types.get(x, TensorProto.FLOAT)

    def name(word: str) -> str:
        return f"{output}_b2nn_{word}"

    yield _constant(name("zero"), 0, element)
    yield _constant(name("one"), 1, element)
    yield _constant(name("minus"), -1, element)
    yield helper.make_node("Greater", [x, name("zero")], [name("above")])
    if plus_at_zero:
        yield helper.make_node("Equal", [x, name("zero")], [name("equal")])
        yield helper.make_node("Or", [name("above"), name("equal")], [name("positive")])
    positive = name("positive" if plus_at_zero else "above")
    yield helper.make_node("Where", [positive, name("one"), name("minus")], [output])


def _sigmoid(node: onnx.NodeProto, types: Mapping[str, int]) -> Iterator[onnx.NodeProto]:
    if types.get(node.input[0]) != TensorProto.FLOAT:
        yield node
        return

    def name(word: str) -> str:
        return f"{node.output[0]}_b2nn_{word}"

    yield _constant(name("one"), 1, TensorProto.DOUBLE)
    yield helper.make_node("Cast", [node.input[0]], [name("float64")], to=TensorProto.DOUBLE)
    yield helper.make_node("Neg", [name("float64")], [name("minus")])
    yield helper.make_node("Exp", [name("minus")], [name("exp")])
    yield helper.make_node("Add", [name("one"), name("exp")], [name("sum")])
    yield helper.make_node("Reciprocal", [name("sum")], [name("sigmoid")])
    yield helper.make_node("Cast", [name("sigmoid")], [node.output[0]], to=TensorProto.FLOAT, name=node.name)


def _constant(name: str, value: int, element: int) -> onnx.NodeProto:
    array = np.array(value).astype(helper.tensor_dtype_to_np_dtype(element))
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array))


def _call(node: onnx.NodeProto) -> onnx.NodeProto:
    """The node as a call of the exporter's function, with all attributes for which the importer has a default."""
    call = onnx.NodeProto()
    call.CopyFrom(node)
    call.domain = DOMAIN
    given = {attribute.name for attribute in node.attribute}
    call.attribute.extend(helper.make_attribute(name, value) for name, value in _DEFAULTS.items() if name not in given)
    return call


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of each value, as far as it is known."""
    try:
        graph = shape_inference.infer_shapes(model).graph
    except (shape_inference.InferenceError, ValueError):  # onnxruntime will find the fault, and name the node
        graph = model.graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info, *graph.output)}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    return {name: element for name, element in types.items() if element}
