"""Networks of the kinds that people bring: traced, half of their layers made binary, exported, compiled, compared."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.network.outputs import named_tensors
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import TOLERANCE, relative_difference
from b2nn_tvm.verification.ties.open_choices import TIE
from tests.support.networks.torch_networks import NETWORKS, MobileOne, YoloHead


@pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)
def test_a_network_is_traced_and_its_graph_computes_the_same(kind):
    torch.manual_seed(0)
    network = kind().eval()
    assert trace(network, kind.shape).eligible == list(kind.eligible)
    graph = capture(network)
    for batch in (1, 3):
        image = torch.randn(batch, *kind.shape)
        torch.testing.assert_close(graph(image), network(image))


COMPILED = [pytest.param(kind, marks=[pytest.mark.sweep][kind in (YoloHead, MobileOne) :]) for kind in NETWORKS]


@pytest.mark.parametrize("kind", COMPILED, ids=lambda kind: kind.__name__)
def test_a_network_and_its_compiled_form_agree(kind, tmp_path):
    torch.manual_seed(0)
    network = kind().eval()
    table = trace(network, kind.shape)
    chosen = table.eligible[::2]
    batches = [(torch.randn(8, *kind.shape),)]
    mixed = reestimate(convert(network, chosen), batches).eval()
    oracle = Oracle(export_onnx(mixed, tmp_path / "net.onnx", input_shape=kind.shape))
    compared = 0
    with compile_model(tmp_path / "net.onnx", output=tmp_path / "library", verify=False) as artifact:
        assert {row.name for row in artifact.layers if row.precision == "binary"} == set(chosen)
        assert {row.name for row in table} <= {row.name for row in artifact.layers}
        for image in torch.randn(12, 1, *kind.shape):
            feed = {"input": image.numpy()}
            if oracle.closest_tie(feed) < TIE:
                continue
            with torch.no_grad():
                expected = [tensor.numpy() for tensor in named_tensors(mixed(image)).values()]
            names = ["output", *(f"output_{index}" for index in range(1, len(expected)))]
            assert relative_difference(artifact.run(feed), dict(zip(names, expected))) <= TOLERANCE
            compared += 1
    assert compared >= 2
