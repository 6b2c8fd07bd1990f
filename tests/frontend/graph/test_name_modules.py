from __future__ import annotations

import pytest

from b2nn_tvm import compile_model
from b2nn_tvm.frontend.graph.name_modules import name_modules
from b2nn_tvm.frontend.read_onnx import load_model
from tests.support.networks.onnx_models import model


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


@pytest.mark.filterwarnings("ignore")
def test_layers_of_an_export_have_their_module_names_in_the_table(tmp_path):
    torch = pytest.importorskip("torch", reason="exports a network; torch is of the extra train")
    from b2nn_tvm.mixbin.network.silence import quiet

    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(144, 5)
    ).eval()
    path = tmp_path / "net.onnx"
    with quiet():
        torch.onnx.export(network, (torch.zeros(1, 3, 8, 8),), path, dynamo=True, external_data=False)
    assert [node.name for node in load_model(path).graph.node if node.op_type in ("Conv", "Gemm")] == ["0", "3"]
    with compile_model(path, output=tmp_path / "library") as artifact:
        assert {"0", "3"} <= {row.name for row in artifact.layers}
