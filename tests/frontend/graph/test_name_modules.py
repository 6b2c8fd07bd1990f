from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm import compile_model
from b2nn_tvm.frontend.graph.name_modules import name_modules
from b2nn_tvm.frontend.read_onnx import load_model
from tests.support.networks.onnx_models import model, save


def named(scopes, weight="w", op="Conv"):
    graph = model(f'["node_7"] output = {op} (input, {weight})'.replace(weight, "w")).graph
    graph.node[0].input[1] = weight
    graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
    name_modules(graph)
    return graph.node[0].name


@pytest.mark.parametrize(
    ("scopes", "weight", "name"),
    [
        ("['', 'layers', 'layers.0', 'layers.0.conv', 'conv2d']", "layers.0.conv.weight", "layers.0.conv"),
        ("['', 'layers.0', 'layers.0.bn', '_native_batch_norm']", "layers.0.conv.weight", "layers.0.conv"),
        ("['', 'c1', 'conv2d']", "sign_of_latent", "c1"),
        ("['', 'head', 'conv2d']", "shared.conv.weight", "head"),
        ("['', 'conv2d']", "w", "node_7"),
        ("", "w", "node_7"),
        ("no list", "w", "node_7"),
    ],
)
def test_the_module_that_owns_the_weights(scopes, weight, name):
    assert named(scopes, weight) == name


def test_other_nodes_keep_their_names():
    assert named("['', 'act', 'mul']", op="Mul") == "node_7"


def test_layers_have_their_module_names_in_the_table(tmp_path):
    """As torch's exporter writes it: node names of its own, and the modules beside them."""
    nodes = """["node_Conv_1"] c = Conv (input, w) ["node_relu"] r = Relu (c) ["node_Conv_2"] e = Conv (r, v)
        ["node_Conv_3"] output = Conv (e, v)"""
    weights = {name: np.random.default_rng(0).standard_normal((4, 4, 1, 1)).astype(np.float32) for name in "wv"}
    built = model(nodes, weights)
    for index, module in ((0, "stem"), (2, "layers.0"), (3, "layers.0")):
        scopes = f"['', '{module}', 'conv2d']"
        built.graph.node[index].metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
    path = save(tmp_path, built)
    assert [node.name for node in load_model(path).graph.node] == ["stem", "node_relu", "layers.0", "layers.0#2"]
    with compile_model(path, output=tmp_path / "library", verify=False) as artifact:
        assert [row.name for row in artifact.layers if row.op == "conv2d"] == ["stem", "layers.0", "layers.0#2"]
