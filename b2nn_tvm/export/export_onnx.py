"""A trained mixed network becomes one ONNX file: binary layers are marked, weights are bits, torch names are kept."""

from __future__ import annotations

import ast
import os
from collections import Counter, OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import onnx
import torch
from torch import nn

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.export.binary_functions import DEPLOY_FORMS, deploy_form
from b2nn_tvm.export.more_translations import TRANSLATIONS
from b2nn_tvm.export.plain_attention import PlainAttention
from b2nn_tvm.export.plain_forward import plain_forward
from b2nn_tvm.export.quantized_forms import QuantizedForm, write_zero_points
from b2nn_tvm.export.translation_table import kept_translation_table
from b2nn_tvm.faults.program_fault import first_line
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.modules.quantized_layer import QuantizedLayer
from b2nn_tvm.mixbin.network.capture import batched
from b2nn_tvm.mixbin.network.hooks import copy_hooks
from b2nn_tvm.mixbin.network.outputs import named_tensors
from b2nn_tvm.mixbin.network.own_faults import own_faults
from b2nn_tvm.mixbin.network.silence import quiet
from b2nn_tvm.mixbin.tracing.prepare import prepared
from b2nn_tvm.preprocess.onnx_metadata import UNKNOWN, Meaning, write_meaning
from b2nn_tvm.provenance.user_code import place_of
from b2nn_tvm.reference.onnx_functions import DOMAIN, FUNCTIONS, OPSET
from b2nn_tvm.storage.document import write_atomic
from b2nn_tvm.version import __version__

FORMS = ("function", "plain")

# The types of modules whose ONNX nodes are layers of the network.
LAYER_MODULES = (nn.modules.conv._ConvNd, nn.Linear, DEPLOY_FORMS, QuantizedForm)
_LAYER_OPERATORS = {"Conv", "ConvTranspose", "Gemm", "MatMul", *FUNCTIONS}


@own_faults("exporting the network")
def export_onnx(
    model: nn.Module,
    path: str | os.PathLike[str],
    *,
    input_shape: Sequence[int],
    form: str = "function",
    meaning: Meaning = UNKNOWN,
) -> Path:
    """Write ``model``, in evaluation mode, as ONNX (opset 18) with static shapes and return the path.

    ``input_shape`` is [C, H, W] or [N, C, H, W], or [C, W] of a signal; the batch is 1 where it is missing. The input
    is called "input", the output "output" (further outputs "output_1", ...). Convolutions and linear layers are nodes
    named like their modules. In the form "function" binary convolutions are calls of b2nn.BinaryConv2d, and
    convolutions whose weights alone are binary are calls of b2nn.WeightBinaryConv2d. They have one bit
    per weight, and the file defines both functions in standard operators. In the form "plain" all are standard
    operators on weights of +1 and -1. Both forms give the same numbers. Layers of int8, W1A2 and W2A2 are standard
    operators in both (see quantized_forms). ``meaning``, what the data mean, goes into the metadata of the file.

    The file is complete in itself, passes onnx.checker and replaces an older file in one step. Raises InputError for
    an unknown form, a shape that does not fit and layers that are not trained to the end, UnsupportedError where
    torch cannot export the model.
    """
    if form not in FORMS:
        raise InputError(f"there is no ONNX form {form!r}; choose one of {', '.join(FORMS)}")
    shape = batched(input_shape)
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path: expected the path of the file to write, not {type(path).__name__}")
    if Path(path).is_dir():
        raise InputError(f"{path}: expected the path of the file to write, but this is a folder")
    deployed = _deployed(model, form)
    with quiet(), kept_translation_table():
        exported = _torch_export(deployed, shape, type(model).__name__)
        program = _onnx_export(exported, type(model).__name__)
        before_optimization = program.model_proto
        program.optimize()
        proto = program.model_proto
    _name_layers(proto, before_optimization, deployed)
    _strip(proto)
    write_zero_points(proto)
    called = {node.op_type for node in proto.graph.node if node.domain == DOMAIN}
    proto.functions.extend(definition() for name, definition in FUNCTIONS.items() if name in called)
    write_meaning(proto, meaning)
    onnx.checker.check_model(proto, full_check=True)
    return write_atomic(path, proto.SerializeToString())


def _deployed(model: nn.Module, form: str) -> nn.Module:
    copy = prepared(model)
    if empty := next((name for name, value in copy.state_dict().items() if value.is_meta), None):
        raise InputError(f"the weights {empty!r} have no values (device meta); load a checkpoint first")
    deployed = copy.cpu().float().eval()
    for name, module in list(deployed.named_modules(remove_duplicate=False)):
        if isinstance(module, BinaryConv2d | QuantizedLayer):
            title = name or type(module).__name__
            if isinstance(module, QuantizedLayer):
                stand_in: nn.Module = QuantizedForm(module, name=title)
            else:
                stand_in = deploy_form(module, name=title, form=form)
            copy_hooks(module, stand_in)
            if not name:
                return stand_in
            deployed.set_submodule(name, stand_in)
    return deployed


def _tensors_alone(module: nn.Module, inputs: object, output: object) -> tuple[torch.Tensor, ...]:
    """The tensors of a dataclass, or of a tuple or dict of the network's own class; torch.export knows neither."""
    return tuple(named_tensors(output).values())


def _torch_export(model: nn.Module, shape: tuple[int, ...], title: str) -> torch.export.ExportedProgram:
    example = torch.zeros(shape)
    try:
        with torch.no_grad():
            output = model(example)
    except Exception as error:
        place = place_of(error)
        at = f" ({place})" if place else ""
        raise InputError(f"{title} does not accept an input of shape {shape}: {first_line(error)}{at}") from error
    if not isinstance(output, torch.Tensor) and type(output) not in (tuple, list, dict, OrderedDict):
        model.register_forward_hook(_tensors_alone)
    try:
        with PlainAttention(), plain_forward():
            return torch.export.export(model, (example,))
    except Exception as error:
        reason = " ".join(str(error).split()[:40])
        raise UnsupportedError(f"torch.export cannot capture {title}: {reason}") from error


def _onnx_export(exported: torch.export.ExportedProgram, title: str) -> torch.onnx.ONNXProgram:
    outputs = len(exported.graph_signature.user_outputs)
    try:
        program = torch.onnx.export(
            exported,
            (),
            dynamo=True,
            opset_version=OPSET,
            input_names=["input"],
            output_names=["output", *(f"output_{index}" for index in range(1, outputs))],
            custom_translation_table=TRANSLATIONS,
            verbose=False,
            optimize=False,
        )
    except torch.onnx.OnnxExporterError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = " ".join(str(cause).split()[:40])
        raise UnsupportedError(f"torch.onnx cannot export {title}: {reason}") from error
    return cast("torch.onnx.ONNXProgram", program)  # torch returns None only where ``dynamo`` is off


def _name_layers(proto: onnx.ModelProto, before_optimization: onnx.ModelProto, model: nn.Module) -> None:
    """Give the nodes of layers the names of their modules.

    A node's metadata names its module. But a convolution that absorbed a batch norm carries the metadata of the batch
    norm: its own module is that of the node in front of the batch norm, in the graph ``before_optimization``.
    """
    layers = {name for name, module in model.named_modules() if isinstance(module, LAYER_MODULES)}
    producers = {output: node for node in before_optimization.graph.node for output in node.output}
    absorbed = {
        _scopes(node): _module_name(producers[node.input[0]])
        for node in before_optimization.graph.node
        if node.op_type == "BatchNormalization" and node.input[0] in producers
    }
    calls: Counter[str] = Counter()
    for node in proto.graph.node:
        name = _module_name(node)
        name = name if name in layers else absorbed.get(_scopes(node), "")
        if node.op_type in _LAYER_OPERATORS and name in layers:
            calls[name] += 1
            node.name = name if calls[name] == 1 else f"{name}#{calls[name]}"


def _scopes(node: onnx.NodeProto) -> tuple[str, ...]:
    """The names of the modules around ``node``, outermost first, and last that of the traced call itself."""
    found = [entry.value for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
    return tuple(ast.literal_eval(found[0])) if found else ()


def _module_name(node: onnx.NodeProto) -> str:
    scopes = _scopes(node)
    return scopes[-2] if len(scopes) > 1 else ""


def _strip(proto: onnx.ModelProto) -> None:
    """Remove all that tells about the machine and the source: stack traces, paths, the exporter's notes."""
    proto.producer_name, proto.producer_version, proto.doc_string = "b2nn-tvm", __version__, ""
    graph = proto.graph
    graph.name = "b2nn"
    parts = [proto, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]
    for part in parts:
        del part.metadata_props[:]
        part.doc_string = ""
