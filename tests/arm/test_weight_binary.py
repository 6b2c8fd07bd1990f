"""Weight-binary layers on emulated boards: the reference's numbers within float rounding, and a mixed network as
onnxruntime has it.
"""

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import TOLERANCE, relative_difference
from tests.support.networks.weight_binary_networks import LAYERS, RESNET_PLAN, export_resnet, save_layers

pytestmark = pytest.mark.emulated


def test_every_geometry_agrees_with_the_reference(tmp_path, run_emulated):
    compile_model(save_layers(tmp_path), target="armv7", output=tmp_path / "net", verify=False).close()
    assert {row.precision for row in load(tmp_path / "net").layers if row.op == "conv2d"} == {"weight-binary"}
    inputs = {f"{name}_x": layer.x for name, layer in LAYERS.items()}
    found = run_emulated(tmp_path / "net", inputs, cpu="cortex-a7", threads=2)
    for name, layer in LAYERS.items():
        assert np.abs(found[name] - layer.expected).max() <= 1e-5 * np.abs(layer.expected).max(), name


def test_a_network_of_float_binary_and_weight_binary_layers(tmp_path, run_emulated):
    pytest.importorskip("torch", reason="the network is made with torch; pip install torch")
    path = export_resnet(tmp_path)
    compile_model(path, target="arm", output=tmp_path / "net", verify=False).close()
    rows = {row.name: row.precision for row in load(tmp_path / "net").layers}
    assert {name: rows[name] for name in RESNET_PLAN} == RESNET_PLAN
    oracle, rng = Oracle(path), np.random.default_rng(0)
    drawn = ({"input": rng.standard_normal((1, 3, 32, 32)).astype("f4")} for _ in range(20))
    x = next(x for x in drawn if oracle.closest_tie(x) > 3e-6)
    found = run_emulated(tmp_path / "net", x, cpu="cortex-a53", threads=2)
    assert relative_difference(found, oracle.run(x)) <= TOLERANCE
