"""A network that takes the pixels of a picture, uint8 [1, H, W, C], in the place of normalized floats:

    input (float32 [1, C, H, W])   becomes   Transpose(Div(Sub(Div(Cast(pixels), 255), mean), std))

The same three operations in float32 as in b2nn_tvm/preprocess/preprocess.py, each rounded, so that the network gets the
very same numbers. The constants have the shape of a row of pixels: with one number per channel, the compiler would make
one multiplication and one addition of them, which round otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.pixels.find_meaning import Given, find_preprocess
from b2nn_tvm.frontend.static_shapes import input_shapes as static_shapes
from b2nn_tvm.preprocess.onnx_metadata import read_meaning, write_meaning
from b2nn_tvm.preprocess.preprocess import CHANNELS, Preprocess

OLDEST_OPSET = 7  # the first in which constants are broadcast as they are here


def bake_input(
    model: onnx.ModelProto, given: Given, *, input_shapes: Mapping[str, tuple[int, ...]] | None = None
) -> None:
    """Put the normalization that is ``given``, or that the metadata of ``model`` has, into the model, which is of opset
    OLDEST_OPSET or newer.

    The input of pixels has the name of that input and "_pixels", and the place of it; the metadata says so afterwards.
    All shapes of inputs become static, as in ``import_onnx``. Raises InputError where the normalization is not known or
    does not fit the network.
    """
    found, graph = read_meaning(model), model.graph
    shapes = static_shapes(model, input_shapes)
    inputs = {value.name: (_dtype(value), shapes[value.name]) for value in graph.input if value.name in shapes}
    preprocess = find_preprocess(found, given, inputs=inputs)
    if preprocess is None:
        raise InputError(
            "the network cannot normalize the pixels itself, because neither the metadata of the file nor mean and std"
            " say how: give --mean and --std, of pixels divided by 255"
        )
    for value in graph.input:
        if value.name in shapes:
            element = value.type.tensor_type.elem_type
            value.CopyFrom(helper.make_tensor_value_info(value.name, element, shapes[value.name]))
    if preprocess.baked:
        return
    baked = replace(preprocess, input=_free_name(graph, preprocess.input), baked=True)
    for value in graph.input:
        if value.name == preprocess.input:
            value.CopyFrom(helper.make_tensor_value_info(baked.input, TensorProto.UINT8, baked.shape))
    nodes = [*_normalization(baked, preprocess.input), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    write_meaning(model, replace(found, preprocess=baked))


def _normalization(baked: Preprocess, output: str) -> list[onnx.NodeProto]:
    """The nodes from the pixels to the ``output``."""
    row = (baked.size[1], CHANNELS[baked.channels])
    value = f"{baked.input}/cast"
    nodes = [helper.make_node("Cast", [baked.input], [value], value, to=TensorProto.FLOAT)]
    steps = (("Div", "scaled", (255.0,)), ("Sub", "centred", baked.mean), ("Div", "normalized", baked.std))
    for operator, word, numbers in steps:
        name = f"{baked.input}/{word}"
        constant = numpy_helper.from_array(np.broadcast_to(np.array(numbers, np.float32), row).copy())
        nodes.append(helper.make_node("Constant", [], [f"{name}/of"], f"{name}/of", value=constant))
        nodes.append(helper.make_node(operator, [value, f"{name}/of"], [name], name))
        value = name
    return [*nodes, helper.make_node("Transpose", [value], [output], f"{baked.input}/moved", perm=[0, 3, 1, 2])]


def _free_name(graph: onnx.GraphProto, name: str) -> str:
    """A name for the pixels with which no name of the graph begins."""
    taken = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    taken |= {name for node in graph.node for name in (*node.input, *node.output)}
    pixels = f"{name}_pixels"
    while any(each.startswith(pixels) for each in taken):
        pixels += "_"
    return pixels


def _dtype(value: onnx.ValueInfoProto) -> str:
    return str(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
