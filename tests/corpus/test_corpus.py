"""Files that other tools write are compiled as they are: their binary layers run on bits, and the results are those of
the tools.

README.md says which tool wrote which file. What stays float is listed here, each with the reason that must be given.
"""

from __future__ import annotations

import json
import lzma
import re
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model

HERE = Path(__file__).parent / "files"
EXPECTED = json.loads((HERE / "expected.json").read_text())
FILES = sorted(path for path in HERE.iterdir() if ".onnx" in path.suffixes)
LAYERS = ("conv2d", "dense")

_MANY_LEVELS = "its input is not a sign"
# The precisions of the others that are not binary.
BITS = {
    "finn_streamlined": "w1a2 w2a2",
    "w1a2": "w1a2",
    "w4a4": "int8",
    "4w4a": "int8",
    "4w8a": "int8",
    "1w2a": "w1a2",
    "2w2a": "w2a2",
    "thresholds_3": "w1a2",
    "dense_ternary": "w2a1",
    "fake_quantize_16": "w1a4",
}
# The layers that stay float: a part of the file's name, and a pattern of the reason.
FLOAT = {
    "cnv": _MANY_LEVELS,  # the first layer: its input has eight bits, and so have the weights that are not ±alpha
    "thresholds_20": _MANY_LEVELS,
    "depthwise": "depthwise convolution",
    "dense_per_input": "one magnitude per input, not per output",
    "larq_binary_net": "its input is not a sign: it comes from reshape",  # the first layer, which reads the image
    "larq_residual": "its input is not a sign: it comes from avg_pool2d",  # the projection of a shortcut
}
# `make test` takes a file of each kind; the sweep takes all.
SAMPLE = (
    *("brevitas_tfc", "brevitas_residual", "brevitas_script_pooled", "qonnx_two_convs_channels_last", "own_trunc"),
    "finn_moved_1w2a",
    *("own_bipolar_brevitas_domain_11", "own_quant_1_bit", "own_threshold_nhwc", "own_groups_2_of_40"),
    *(
        "larq_residual",
        "qkeras_two_convs",
        "own_fake_quantize_binary",
        "torch_dynamo_two_values",
        "torch_script_ternary",
        "own_dense_columns",
    ),
)


def name_of(path: Path) -> str:
    return path.name.partition(".")[0]


PARAMETERS = [
    pytest.param(path, id=name_of(path), marks=[] if name_of(path) in SAMPLE else [pytest.mark.sweep]) for path in FILES
]


def reason_to_stay_float(name: str) -> str:
    return next((reason for part, reason in FLOAT.items() if part in name), "")


def test_the_corpus_is_whole():
    assert len(FILES) >= 80
    assert {name_of(path) for path in FILES} == set(EXPECTED)
    assert set(SAMPLE) <= set(EXPECTED)


@pytest.mark.parametrize("path", PARAMETERS)
def test_a_file_of_another_tool(tmp_path, path):
    """The check of compile_model compares with onnxruntime; the values of the tool are those of expected.json."""
    name, onnx_path = name_of(path), tmp_path / f"{name_of(path)}.onnx"
    data = path.read_bytes()
    onnx_path.write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
    with compile_model(onnx_path, target="native", output=tmp_path / "library") as artifact:
        (entry,) = artifact.inputs
        x = np.random.default_rng(0).standard_normal(tuple(entry.shape)).astype(np.float32)
        (found,) = artifact.run({entry.name: x}).values()
        layers = [row for row in artifact.layers if row.op in LAYERS]
    expected = EXPECTED[name]
    assert found.size == expected["size"]
    first = np.array(expected["first"])
    np.testing.assert_allclose(found.reshape(-1)[: first.size], first, rtol=1e-3, atol=1e-3 * np.abs(first).max())
    reason, words = reason_to_stay_float(name), next((words for part, words in BITS.items() if part in name), "binary")
    bits = words.split()
    assert layers
    assert any(row.precision not in bits for row in layers) == bool(reason)
    for row in layers:
        known = row.precision in bits or (reason and row.precision == "int8") or re.search(reason, row.reason)
        assert known, f"{row.name}: {row.precision}, {row.reason}"
