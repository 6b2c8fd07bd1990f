"""The memory that compiling takes, against the weights of the network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.support.paths import ROOT
from tests.support.surveys.measured_command import measure

COMPILE = "from b2nn_tvm.cli.compile import main; main()"
LAYERS = ((4096, 9216), (4096, 4096), (1000, 4096))  # AlexNet's dense layers, which hold most of its weights


@pytest.mark.sweep
def test_the_weights_are_in_memory_twice_at_most_in_all_processes_together(tmp_path: Path) -> None:
    """They are imported and packed; the bar is three times the weights and 1 GiB."""
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
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", COMPILE, str(path), "-o", str(tmp_path / "net")]
    cost = measure(command, environment=environment)
    assert cost.status == 0, cost.said
    largest = weights[0].nbytes  # is copied while it is packed
    assert cost.peak_bytes <= 2 * sum(weight.nbytes for weight in weights) + largest + 500 * 2**20
