"""The memory that compiling takes, against the weights of the network."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.support.paths import ROOT

COMPILE = """
import resource, sys
import b2nn_tvm
b2nn_tvm.compile_model(sys.argv[1], output=sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
LAYERS = ((4096, 9216), (4096, 4096), (1000, 4096))  # AlexNet's dense layers, which hold most of its weights


@pytest.mark.sweep
def test_compiling_takes_three_times_the_weights_and_a_gibibyte(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    draw = np.random.default_rng(0).standard_normal
    weights = [draw(shape, "float32") / np.float32(64) for shape in LAYERS]
    names = ["input", "a", "b", "output"]
    nodes = [
        helper.make_node("Gemm", [names[at], f"w{at}"], [names[at + 1]], transB=1, name=f"dense{at}")
        for at in range(len(LAYERS))
    ]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 9216])],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, [1, 1000])],
        [numpy_helper.from_array(weight, f"w{at}") for at, weight in enumerate(weights)],
    )
    path = tmp_path / "dense.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, path, tmp_path / "net"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    peak_bytes = int(done.stdout.split()[-1]) * 1024
    assert peak_bytes <= 3 * sum(weight.nbytes for weight in weights) + 2**30
