"""Networks as the papers' authors write them: all their binary layers are binary, from both exporters of torch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.provenance.rewrite_log import AT_THRESHOLD
from tests.support.models.published_binary_networks import NETWORKS, BiRealNet, trained

FAST = {("BiRealNet", False), ("AdaBinNet", False)}


def compiled(network, folder, *, dynamo=False, **options):
    """The library of a network for images of 32 x 32, and an image."""
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (x,), folder / "net.onnx", dynamo=dynamo, input_names=["x"], verbose=False)
    return compile_model(folder / "net.onnx", output=folder / "library", **options), x


@pytest.mark.parametrize(
    ("name", "dynamo"),
    [
        pytest.param(name, dynamo, marks=[] if (name, dynamo) in FAST else pytest.mark.sweep)
        for name in NETWORKS
        for dynamo in (False, True)
    ],
)
def test_all_binary_layers_are_binary(tmp_path, name, dynamo):
    torch.manual_seed(0)
    network = trained(NETWORKS[name]())
    artifact, x = compiled(network, tmp_path, dynamo=dynamo)
    with artifact, torch.no_grad():
        (found,) = artifact.run({"x": x.numpy()}).values()
        expected = network(x).numpy()
        assert [row.precision for row in artifact.layers].count("binary") == network.binary
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_where_zeros_are_structural_the_sign_keeps_its_meaning(tmp_path):
    torch.manual_seed(0)
    network = trained(BiRealNet(relu=True))
    artifact, _ = compiled(network, tmp_path)
    with artifact:
        first, *others = (row for row in artifact.layers if row.workload and "binary" in row.name)
        assert first.precision == "float" and "sign_zero='+1'" in first.reason
        assert [row.precision for row in others] == ["binary"] * 3
        notes = [row.layer for row in artifact.manifest.rewrites if AT_THRESHOLD in row.reason]
        assert notes == [row.name for row in others]
