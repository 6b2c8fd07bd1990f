"""onnxruntime's int8 form is a file that gives about the float network's values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from b2nn_tvm.verification.quantize_int8 import quantize_int8
from tests.support.networks.onnx_models import model, save


def test_the_form_is_quantized_and_close_to_the_float_network(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    weights = {"w": draw.standard_normal((8, 4, 3, 3)).astype(np.float32)}
    built = model(
        "c = Conv <pads = [1, 1, 1, 1]> (input, w)\noutput = Relu (c)",
        weights,
        inputs="float[1,4,8,8] input",
        outputs="float[1,8,8,8] output",
    )
    path = save(tmp_path, built)
    samples = [{"input": draw.standard_normal((1, 4, 8, 8)).astype(np.float32)} for _ in range(4)]
    file = quantize_int8(path, tmp_path / "int8.onnx", samples)
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in onnx.load(file).graph.node}
    run = lambda path: onnxruntime.InferenceSession(str(path)).run(None, samples[0])[0]
    exact, rough = run(path), run(file)
    assert 0 < np.abs(exact - rough).max() < 0.05 * np.abs(exact).max()
