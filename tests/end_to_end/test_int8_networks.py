"""Quantized networks compiled for this machine: their layers are int8, and give the codes that onnxruntime gives."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.targets.target import NATIVE, get, names
from tests.support.networks.onnx_models import save
from tests.support.networks.qdq_networks import SCALE, mobile, residual

ISAS = [name for name in names() if name.startswith("x86")]


def precisions(artifact):
    """Those of its convolutions and dense layers."""
    return {row.precision for row in artifact.layers if row.op in ("conv2d", "dense")}


def onnxruntime_output(path, x):
    """Without the sums of onnxruntime that saturate on CPUs without VNNI."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.sweep
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("build", [residual, mobile])
def test_a_network_of_codes_gives_those_of_onnxruntime(tmp_path, build, isa):
    if get(isa).missing:
        pytest.skip(f"{isa} needs {', '.join(get(isa).missing)}")
    path = save(tmp_path, build())
    artifact = compile_model(path, target=isa, output=tmp_path / "net", verify=False)
    assert precisions(artifact) == {"int8"}
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal((1, 3, 16, 16)).astype(np.float32)
        expected = onnxruntime_output(path, x)
        (result,) = artifact.run({"input": x}).values()
        assert np.abs(result - expected).max() <= SCALE * 1.001
        assert result.argmax() == expected.argmax()
    artifact.close()


@pytest.mark.sweep
def test_the_check_after_compiling_accepts_it(tmp_path):
    artifact = compile_model(save(tmp_path, residual()), target=NATIVE, output=tmp_path / "net")
    assert precisions(artifact) == {"int8"}
    artifact.close()
