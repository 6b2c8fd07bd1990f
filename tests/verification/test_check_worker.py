"""What the process that runs libraries answers; the answers are made in this process here."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.verification.check_worker import Request, answer
from b2nn_tvm.verification.mismatch_file import read_arrays, write_arrays
from b2nn_tvm.verification.verify_artifact import INPUTS
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network, constant

SMALL = Network("a = Conv (input, w) output = Relu (a)", {"w": (5, 4, 3, 3)})
OTHER = Network(SMALL.nodes, {"w": 2 * constant("w", (5, 4, 3, 3))})


@pytest.fixture(scope="module")
def request_of(tmp_path_factory) -> Request:
    folder = tmp_path_factory.mktemp("small")
    path = save(folder, SMALL.build())
    compile_model(path, output=folder / "library", verify=False).close()
    return Request(str(folder / "library"), str(path), None, str(folder / "arrays.npz"))


def test_a_comparison(request_of):
    found = json.loads(json.dumps(answer(request_of)))["comparison"]
    assert found["inputs"] == INPUTS and 0 <= found["largest_difference"] < 1e-5


def test_a_mismatch_leaves_its_arrays(request_of, tmp_path):
    path = save(tmp_path, OTHER.build(), "other.onnx")
    found = answer(replace(request_of, onnx_path=str(path), arrays=str(tmp_path / "found.npz"), what="it"))
    assert found["error"] == "Mismatch" and found["text"].startswith("it disagrees with onnxruntime on other.onnx")
    arrays = read_arrays(tmp_path / "found.npz")
    np.testing.assert_allclose(arrays["expected"]["output"], 2 * arrays["got"]["output"], rtol=1e-4)


def test_the_same_inputs_are_run_again(request_of, tmp_path):
    path, arrays = save(tmp_path, OTHER.build(), "other.onnx"), tmp_path / "found.npz"
    write_arrays(arrays, inputs={"input": constant("x", (1, 4, 9, 7))})
    again = replace(request_of, arrays=str(arrays), same_inputs=True)
    assert answer(again) == {"differences": {}}
    assert answer(replace(again, onnx_path=str(path)))["differences"]["output"] == pytest.approx(0.5, rel=1e-3)
    assert sorted(read_arrays(arrays)) == ["expected", "got", "inputs"]


def test_errors_keep_their_kinds(request_of, tmp_path):
    path = save(tmp_path, Network("output = Nonsense (input)").build())
    found = answer(replace(request_of, onnx_path=str(path)))
    assert found["error"] == "NoReference" and found["reason"].startswith("it has no operator Nonsense")
    assert answer(replace(request_of, folder=str(tmp_path)))["error"] == "InputError"
