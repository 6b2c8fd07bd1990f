"""Call layers by the modules of the torch network, where its exporter has written these beside the nodes.

    Conv "node_Conv_357" {pkg.torch.onnx.name_scopes: "['', 'layers.0', 'layers.0.conv', 'conv2d']"}
        ->  Conv "layers.0.conv"

Where the exporter has folded a batch norm into a convolution, the scopes are those of the batch norm; the name of the
weights ("layers.0.conv.weight") tells the convolution then.
"""

from __future__ import annotations

import re

import onnx

_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_KEY = "pkg.torch.onnx.name_scopes"
_SCOPE = re.compile(r"'([^'\\]*)'")
_WEIGHT = ".weight"


def name_modules(graph: onnx.GraphProto) -> None:
    """Give the convolutions and dense layers of the graph the names of their modules, as far as the file has them."""
    for node in graph.node:
        if node.op_type not in _LAYERS:
            continue
        scopes = next((each.value for each in node.metadata_props if each.key == _KEY), "")
        # The first is the network itself, the last one the operator.
        modules = [scope for scope in _SCOPE.findall(scopes)[1:-1] if scope]
        if modules:
            node.name = _owner(node, modules[-1])


def _owner(node: onnx.NodeProto, module: str) -> str:
    """The module that owns the weights of a node, if it stands beside ``module``, else ``module`` itself."""
    for weight in map(str, node.input[1:2]):
        owner = weight.removesuffix(_WEIGHT)
        if owner != weight and owner.rpartition(".")[0] == module.rpartition(".")[0]:
            return owner
    return module
