"""What keeps a file from being one flat, static, fully named graph is said."""

from __future__ import annotations

import sys
import time

import numpy as np
import onnx
import pytest
from onnx import helper

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.frontend.read_onnx import name_nodes as name_nodes_of
from b2nn_tvm.provenance.layer_names import weight_digest
from tests.support.networks.imported import FLOATS, imported, name_nodes
from tests.support.networks.onnx_models import model, save
from tests.support.passes.relax_functions import random_input, run


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        import_onnx(tmp_path / "absent.onnx")


@pytest.mark.parametrize("content", [b"", b"this is text, not a model", bytes(range(256))])
def test_a_file_that_is_no_model(content, tmp_path):
    path = tmp_path / "wrong.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="expected an ONNX model"):
        import_onnx(path)


def test_external_data(tmp_path):
    path = tmp_path / "model.onnx"
    built = model("output = Conv (input, w)", {"w": FLOATS})
    onnx.save(built, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert import_onnx(path).layers[0].digest == weight_digest(FLOATS)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(InputError, match="stored in another file .*weights.bin.*external_data=False"):
        import_onnx(path)


def test_unknown_operators_are_named_with_their_nodes(tmp_path, capfd):
    built = model("a = Relu (input) b = b2nn.Mystery (a) c = b2nn.Mystery (b) output = b2nn.Relu2 (c)")
    path = save(tmp_path, name_nodes(built, "", "stage1.odd"))
    with pytest.raises(UnsupportedError, match=r"b2nn::Mystery \(node 'stage1.odd' and 1 more\), b2nn::Relu2 \(node"):
        import_onnx(path)
    assert capfd.readouterr() == ("", "")


def test_an_error_of_the_importer_itself_is_one_of_ours(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyError("value")

    monkeypatch.setattr(sys.modules[import_onnx.__module__], "import_unchecked", fail)
    with pytest.raises(UnsupportedError, match="the network cannot be imported: 'value'; simplify the model"):
        imported(tmp_path, "output = Relu (input)")


def test_ten_thousand_nodes_of_one_name_are_named_at_once():
    built = model("output = Relu (input)")
    del built.graph.node[:]
    built.graph.node.extend(helper.make_node("Relu", ["x"], ["y"], name="same") for _ in range(10_000))
    begun = time.process_time()
    name_nodes_of(built.graph)
    assert time.process_time() - begun < 1
    assert [node.name for node in built.graph.node][::9999] == ["same", "same#10000"]


def test_functions_in_the_file_are_inlined(tmp_path):
    functions = '<domain: "b2nn", opset_import: ["" : 18]> Twice (x) => (y) { y = Add (x, x) }'
    path = save(tmp_path, model("output = b2nn.Twice (input)", functions=functions))
    np.testing.assert_array_equal(run(import_onnx(path).module, random_input()), 2 * random_input())
